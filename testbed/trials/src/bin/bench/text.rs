// SPDX-License-Identifier: GPL-2.0

//! How much code each implementation has.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::kernel::Kernel;

/// What calls either implementation.
pub const DISPATCHER: &str = "mptcp_getsockopt";
/// What the Rust code is compiled to.
const OBJECT: &str = "net/mptcp/subflow_info.o";

/// Functions, and their bytes of text.
pub type Sizes = BTreeMap<String, i64>;

/// What changes from the C to the Rust kernel.
#[derive(Debug, Serialize, Deserialize)]
pub struct Text {
    /// Bytes fewer of C. Functions that are new, or larger, count against the others: this is the code
    /// that Rust replaces, less whatever of C it needs in its place.
    pub c: Sizes,
    /// Bytes of the functions of Rust, and of helpers in C for them, even if others may use them too.
    pub rust: Sizes,
}

impl Text {
    /// Compares the functions that getsockopt(2) reaches, given the folders of objects.
    pub fn compare(c: &Path, rust: &Path) -> Result<Self> {
        let exported = Kernel::read(&rust.join(OBJECT))?;
        let [c, rust] = [c, rust].map(|folder| Kernel::read(&folder.join("vmlinux")));
        let (c, rust) = (c?, rust?);
        let (from_c, from_rust) = (c.reach(DISPATCHER)?, rust.reach(DISPATCHER)?);

        let is_rust = |name: &str| {
            name.starts_with("_R") || name.starts_with("rust_helper_") || exported.size(name) > 0
        };
        let mut text = Self {
            c: Sizes::new(),
            rust: Sizes::new(),
        };
        for name in from_c.union(&from_rust).copied() {
            let change = c.size(name) as i64 - rust.size(name) as i64;
            if !is_rust(name) && change != 0 {
                text.c.insert(name.to_owned(), change);
            }
        }
        // The C kernel reaches some too, to print.
        for name in from_rust
            .difference(&from_c)
            .copied()
            .filter(|name| is_rust(name))
        {
            text.rust.insert(name.to_owned(), rust.size(name) as i64);
        }
        Ok(text)
    }
}
