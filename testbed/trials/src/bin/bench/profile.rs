// SPDX-License-Identifier: GPL-2.0

//! A request in C and in Rust, side by side.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::lock::locking;
use crate::results::Name;
use crate::source::{self, Frame};
use crate::text::DISPATCHER;
use crate::trace::{self, Trace};

/// What to compare.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// What `bench measure --mark` printed of C; what `bench trace` did is beside it.
    c: PathBuf,
    /// The same of Rust.
    rust: PathBuf,
    /// The folder with each kernel's folder of objects.
    objects: PathBuf,
    /// First, show every call in order.
    #[arg(long)]
    calls: bool,
}

/// The traces of one kernel.
struct Kernel {
    name: &'static str,
    traces: Vec<(Name, Trace)>,
    objects: PathBuf,
    /// The functions that each instruction is of.
    frames: HashMap<u64, Vec<Frame>>,
}

impl Kernel {
    fn read(name: &'static str, traces: &Path, objects: PathBuf) -> Result<Self> {
        let traces = trace::read(traces)?;
        let code = traces.iter().flat_map(|(_, trace)| &trace.code);
        let mut addresses: Vec<_> = code.map(|(address, _)| *address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let kernel = Self {
            name,
            traces,
            frames: source::frames(&objects, &addresses)?,
            objects,
        };
        for (name, trace) in &kernel.traces {
            let then = trace.functions().get(DISPATCHER).copied();
            ensure!(
                kernel.functions(trace).get(DISPATCHER).copied() == then,
                "the {} kernel has been built since {name} was traced",
                kernel.name
            );
        }
        Ok(kernel)
    }

    fn frames(&self, address: u64) -> &[Frame] {
        self.frames.get(&address).map_or(&[], |frames| frames)
    }

    /// Instructions by function.
    fn functions(&self, trace: &Trace) -> BTreeMap<&str, u64> {
        let mut functions = BTreeMap::new();
        for (address, count) in &trace.code {
            let function = self.frames(*address).first();
            let name = function.map_or("", |frame| &frame.function_name);
            let name = if name.is_empty() { "?" } else { name };
            *functions.entry(name).or_default() += count;
        }
        functions
    }

    /// Instructions by line of the source, for as much as there is debug information of.
    fn source(&self, trace: &Trace) -> Node {
        let mut root = Node::default();
        for (address, count) in &trace.code {
            root.add(self.frames(*address), *count);
        }
        root
    }
}

/// Prints the comparison of each request.
pub fn run(options: &Options) -> Result<()> {
    let c = Kernel::read("C", &options.c, options.objects.join("c"))?;
    let rust = Kernel::read("Rust", &options.rust, options.objects.join("rust"))?;
    let names = |kernel: &Kernel| -> Vec<_> {
        let names = kernel.traces.iter().map(|(name, _)| name.to_string());
        names.collect()
    };
    ensure!(
        names(&c) == names(&rust),
        "not the same requests were traced"
    );

    for ((name, from_c), (_, from_rust)) in c.traces.iter().zip(&rust.traces) {
        println!("{name}");
        let sides = [(&c, from_c), (&rust, from_rust)];
        if options.calls {
            for (kernel, trace) in sides {
                calls(kernel.name, trace);
            }
        }
        compare(&c.functions(from_c), &rust.functions(from_rust));
        sum(from_c, from_rust);
        for (kernel, trace) in sides {
            let source = kernel.source(trace);
            println!(
                "\n{}, by line of the source: instructions, and of them those of the function itself",
                kernel.name
            );
            source
                .children
                .iter()
                .for_each(|node| node.print(&kernel.objects, 0));
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

fn compare(c: &BTreeMap<&str, u64>, rust: &BTreeMap<&str, u64>) {
    println!("\n{:>7} {:>7} {:>7}  instructions of", "C", "Rust", "more");
    let count = |of: &BTreeMap<&str, u64>, name| of.get(name).copied().unwrap_or(0);
    let names: BTreeSet<_> = c.keys().chain(rust.keys()).copied().collect();
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

/// A function of the source, in place: called by the function that it is inlined into.
#[derive(Debug, Default)]
struct Node {
    name: String,
    /// Instructions, of which those of inlined functions are a part.
    instructions: u64,
    /// File, line, and instructions of its own there, in the order of execution.
    lines: Vec<(String, usize, u64)>,
    /// What is inlined into it, in the order of execution.
    children: Vec<Node>,
}

impl Node {
    fn add(&mut self, frames: &[Frame], count: u64) {
        let Some((first, rest)) = frames.split_first() else {
            return;
        };
        // Of assembly, and of what has no lines, there is the name of a file at most.
        if !first.file_name.contains('/') {
            return;
        }
        let name = &first.function_name;
        let known = self.children.iter().position(|node| node.name == *name);
        let place = known.unwrap_or_else(|| {
            self.children.push(Self {
                name: name.clone(),
                ..Self::default()
            });
            self.children.len() - 1
        });
        let node = &mut self.children[place];
        node.instructions += count;
        if !rest.is_empty() {
            return node.add(rest, count);
        }
        let here = |(file, line, _): &(String, usize, u64)| {
            *file == first.file_name && *line == first.line
        };
        match node.lines.iter().position(here) {
            Some(place) => node.lines[place].2 += count,
            None => node
                .lines
                .push((first.file_name.clone(), first.line, count)),
        }
    }

    fn print(&self, objects: &Path, depth: usize) {
        let own: u64 = self.lines.iter().map(|line| line.2).sum();
        let margin = 2 * depth;
        println!(
            "{:7} {own:7}  {:margin$}{}",
            self.instructions, "", self.name
        );
        for (file, line, count) in &self.lines {
            let file = objects.join(file);
            println!(
                "{:7} {count:7}  {:margin$}  {}:{line}: {}",
                "",
                "",
                file.file_name().unwrap_or_default().display(),
                text(&file, *line)
            );
        }
        for node in &self.children {
            node.print(objects, depth + 1);
        }
    }
}

/// A line of the source, if it is there.
fn text(file: &Path, line: usize) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = line.checked_sub(1).and_then(|n| text.lines().nth(n));
    line.map_or("?", str::trim).to_owned()
}
