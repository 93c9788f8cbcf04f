// SPDX-License-Identifier: GPL-2.0

//! A request as C and as Rust answer it, side by side.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::trace::{self, Trace};

/// What to compare.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// What `bench measure --mark` printed of C; what `bench trace` did is beside it.
    c: PathBuf,
    /// The same of Rust.
    rust: PathBuf,
    /// First, show every call in order.
    #[arg(long)]
    calls: bool,
}

/// Prints the comparison of each request.
pub fn run(options: &Options) -> Result<()> {
    let (c, rust) = (trace::read(&options.c)?, trace::read(&options.rust)?);
    ensure!(c.len() == rust.len(), "not the same requests were traced");

    for ((name, c), (_, rust)) in c.iter().zip(&rust) {
        println!("{name}");
        if options.calls {
            calls("C", c);
            calls("Rust", rust);
        }
        compare(c, rust);
    }
    Ok(())
}

fn calls(name: &str, trace: &Trace) {
    println!("{:>7} {:>7}  {name}", "stack", "count");
    for visit in &trace.visits {
        println!(
            "{:7} {:7}  {}",
            visit.depth, visit.instructions, visit.function
        );
    }
}

fn compare(c: &Trace, rust: &Trace) {
    println!("{:>7} {:>7} {:>7}", "C", "Rust", "more");
    let line = |name: &str, c: u64, rust: u64| {
        println!(
            "{c:7} {rust:7} {:+7}  {name}",
            rust.cast_signed() - c.cast_signed()
        );
    };

    let (from_c, from_rust) = (c.functions(), rust.functions());
    let count = |functions: &BTreeMap<_, _>, name| functions.get(name).copied().unwrap_or(0);
    let names = from_c
        .keys()
        .chain(from_rust.keys().filter(|name| !from_c.contains_key(*name)));
    let mut counts: Vec<_> = names
        .map(|name| (count(&from_c, name), count(&from_rust, name), name))
        .collect();
    counts.sort_by_key(|(c, rust, _)| Reverse(*c.max(rust)));
    for (c, rust, name) in counts {
        line(name, c, rust);
    }
    line(
        "instructions in all",
        from_c.values().sum(),
        from_rust.values().sum(),
    );
    line(
        "of them with the lock of the connection held",
        c.locked(),
        rust.locked(),
    );
    line(
        "bytes of stack, from mptcp_getsockopt() down",
        c.stack,
        rust.stack,
    );
}
