// SPDX-License-Identifier: GPL-2.0

//! The code of each implementation.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::kernel::Kernel;

/// The function that calls either implementation.
pub const DISPATCHER: &str = "mptcp_getsockopt";
/// The object file of the Rust code.
const OBJECT: &str = "net/mptcp/subflow_info.o";

/// Functions, and their bytes of text.
pub type Sizes = BTreeMap<String, i64>;

/// The difference between the C and the Rust kernel.
#[derive(Debug, Serialize, Deserialize)]
pub struct Text {
    /// Bytes of C that the Rust kernel does not have. Functions of C that are new or larger there count
    /// negative.
    pub c: Sizes,
    /// Bytes of the functions in Rust, and of C helpers for them, even if other code uses them too.
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
        // The C kernel reaches some as well, to print.
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
