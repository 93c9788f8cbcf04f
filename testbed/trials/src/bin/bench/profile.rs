// SPDX-License-Identifier: GPL-2.0

//! A request in C and in Rust, side by side.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use addr2line::{Loader, demangle_auto};
use anyhow::{Result, anyhow, ensure};

use crate::lock::locking;
use crate::results::Name;
use crate::trace::{self, Trace};

/// What to compare.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The file with what `bench measure --mark` printed on C, next to the traces
    c: PathBuf,
    /// The same for Rust
    rust: PathBuf,
    /// The folder with a folder of objects for each kernel
    objects: PathBuf,
    /// First, show all calls in order
    #[arg(long)]
    calls: bool,
}

/// Prints the comparison of each request.
pub fn run(options: &Options) -> Result<()> {
    let [c, rust] = [trace::read(&options.c)?, trace::read(&options.rust)?];
    let names = |traces: &[(Name, Trace)]| -> Vec<_> {
        let names = traces.iter().map(|(name, _)| name.to_string());
        names.collect()
    };
    ensure!(
        names(&c) == names(&rust),
        "not the same requests were traced"
    );

    for ((name, c), (_, rust)) in c.iter().zip(&rust) {
        println!("{name}");
        let sides = [("C", "c", c), ("Rust", "rust", rust)];
        if options.calls {
            for (name, _, trace) in sides {
                calls(name, trace);
            }
        }
        compare(&c.functions(), &rust.functions());
        sum(c, rust);
        for (name, folder, trace) in sides {
            println!("\n{name}, by line of the source: instructions, and the function of the line");
            lines(&options.objects.join(folder), trace)?;
        }
        println!();
    }
    Ok(())
}

fn calls(name: &str, trace: &Trace) {
    println!("\n{:>7} {:>7}  {name}", "stack", "count");
    for visit in &trace.visits {
        println!(
            "{:7} {:7}  {}",
            visit.depth, visit.instructions, visit.function
        );
    }
}

fn compare(c: &BTreeMap<String, u64>, rust: &BTreeMap<String, u64>) {
    println!("\n{:>7} {:>7} {:>7}  instructions of", "C", "Rust", "more");
    let count = |of: &BTreeMap<String, u64>, name: &str| of.get(name).copied().unwrap_or(0);
    let names: BTreeSet<_> = c.keys().chain(rust.keys()).map(|name| &**name).collect();
    let counts = names
        .into_iter()
        .map(|name| (count(c, name), count(rust, name), name));
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by_key(|(c, rust, _)| Reverse(*c.max(rust)));

    type Wanted = fn(u64, u64) -> bool;
    let groups: [(_, Wanted); 4] = [
        ("functions that only C calls", |_, rust| rust == 0),
        ("functions that only Rust calls", |c, _| c == 0),
        ("functions that differ", |c, rust| {
            c != 0 && rust != 0 && c != rust
        }),
        ("functions that do not", |c, rust| c == rust),
    ];
    for (title, wanted) in groups {
        let mut group = counts.clone();
        group.retain(|(c, rust, _)| wanted(*c, *rust));
        let sum = |of: fn(&(u64, u64, &str)) -> u64| group.iter().map(of).sum();
        line(title, sum(|counts| counts.0), sum(|counts| counts.1));
        for (c, rust, name) in &group {
            let name = demangle_auto((*name).into(), None);
            line(&format!("  {name}"), *c, *rust);
        }
    }
}

fn line(name: &str, c: u64, rust: u64) {
    println!(
        "{c:7} {rust:7} {:+7}  {name}",
        rust.cast_signed() - c.cast_signed()
    );
}

fn sum(c: &Trace, rust: &Trace) {
    println!();
    let (all_c, all_rust) = (c.instructions(), rust.instructions());
    line("instructions in all", all_c, all_rust);
    let (locking_c, locking_rust) = (locking(&c.rounds), locking(&rust.rounds));
    line(
        "of them in rounds of the connection's lock",
        locking_c,
        locking_rust,
    );
    let saved = locking_c.saturating_sub(locking_rust);
    line(
        "instructions like for like, without what Rust saves of these",
        all_c - saved,
        all_rust,
    );
    line("with that lock held", c.locked(), rust.locked());
    line(
        "bytes of stack, from mptcp_getsockopt() down",
        c.stack,
        rust.stack,
    );
    for (name, trace) in [("C", c), ("Rust", rust)] {
        for round in &trace.rounds {
            println!(
                "{name}: a round of {} instructions by {}() in {}(), with {} inside",
                round.instructions, round.lock, round.caller, round.held
            );
        }
    }
}

/// Prints the lines of the source in the order of execution, for as much as there is debug information
/// of. A function that is inlined is followed by the one that it is inlined into.
fn lines(objects: &Path, trace: &Trace) -> Result<()> {
    let error = |error| anyhow!("{}: {error}", objects.display());
    let source = Loader::new(objects.join("vmlinux")).map_err(error)?;
    let mut lines: Vec<(String, u64)> = Vec::new();
    for (address, count) in &trace.code {
        let mut frames = source.find_frames(*address).map_err(error)?;
        let (mut place, mut functions) = (None, Vec::new());
        while let Some(frame) = frames.next()? {
            let location = frame.location.and_then(|it| Some((it.file?, it.line?)));
            place = place.or(location);
            if let Some(function) = frame.function {
                functions.push(function.demangle()?.into_owned());
            }
        }
        let Some((file, number)) = place else {
            continue;
        };
        let file = objects.join(file);
        let name = file.file_name().unwrap_or_default().display();
        let functions = functions.join(" < ");
        let line = format!("{functions}  {name}:{number}: {}", text(&file, number));
        match lines.iter_mut().find(|known| known.0 == line) {
            Some(known) => known.1 += count,
            None => lines.push((line, *count)),
        }
    }
    for (line, count) in lines {
        println!("{count:7}  {line}");
    }
    Ok(())
}

/// A line of the source, if it is there.
fn text(file: &Path, number: u32) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().nth(number.saturating_sub(1) as usize);
    line.map_or("?", str::trim).to_owned()
}
