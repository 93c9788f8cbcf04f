// SPDX-License-Identifier: GPL-2.0

//! Traces of every instruction of a request.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::gdb::{Gdb, Registers};
use crate::kernel::Kernel;
use crate::lock::{self, Functions, Round};
use crate::results::{self, Line, Name, print};
use crate::text::DISPATCHER;

/// The system call before a request to be traced. No other program in the guest makes it.
const MARKER: &str = "__x64_sys_munlockall";

/// Instructions of one function, between two others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Visit {
    /// Its name.
    pub function: String,
    /// How many.
    pub instructions: u64,
    /// The deepest that the stack was, in bytes from where the dispatcher begins.
    pub depth: i64,
}

/// What a request executed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trace {
    /// In order.
    pub visits: Vec<Visit>,
    /// The addresses of the instructions in the order of their first execution, and how often each is
    /// executed.
    pub code: Vec<(u64, u64)>,
    /// Bytes of stack, from where the dispatcher begins to the deepest of what it calls.
    pub stack: u64,
    /// The times that the connection's lock was taken and released.
    pub rounds: Vec<Round>,
}

impl Trace {
    /// Counts the steps of a system call.
    fn new(steps: &[Registers], functions: &impl Functions) -> Result<Self> {
        let dispatcher = functions.address(DISPATCHER)?;
        let begin = steps.iter().find(|step| step.ip == dispatcher);
        let begin = begin.context("the traced system call was no getsockopt(2) of MPTCP")?;
        let depth = |step: &Registers| begin.sp.wrapping_sub(step.sp) as i64;

        let mut visits: Vec<Visit> = Vec::new();
        let mut code = Vec::new();
        let mut places = HashMap::new();
        for step in steps {
            let function = functions.at(step.ip);
            match visits.last_mut() {
                Some(last) if last.function == function => {
                    last.instructions += 1;
                    last.depth = last.depth.max(depth(step));
                }
                _ => visits.push(Visit {
                    function: function.to_owned(),
                    instructions: 1,
                    depth: depth(step),
                }),
            }
            let place = *places.entry(step.ip).or_insert_with(|| {
                code.push((step.ip, 0));
                code.len() - 1
            });
            code[place].1 += 1;
        }
        let deepest = visits.iter().map(|visit| visit.depth).max();
        Ok(Self {
            stack: deepest.unwrap_or_default().unsigned_abs(),
            rounds: lock::rounds(steps, begin.di, functions)?,
            visits,
            code,
        })
    }

    /// Instructions by function.
    pub fn functions(&self) -> BTreeMap<String, u64> {
        let mut functions = BTreeMap::new();
        for visit in &self.visits {
            *functions.entry(visit.function.clone()).or_default() += visit.instructions;
        }
        functions
    }

    /// All instructions.
    pub fn instructions(&self) -> u64 {
        self.visits.iter().map(|visit| visit.instructions).sum()
    }

    /// Instructions with the connection's lock held.
    pub fn locked(&self) -> u64 {
        self.rounds.iter().map(|round| round.held).sum()
    }
}

/// Reads the traces of the requests that are marked in `printed`, from the file beside it.
pub fn read(printed: &Path) -> Result<Vec<(Name, Trace)>> {
    let mut file = printed.as_os_str().to_owned();
    file.push(".traces");
    let traces: Vec<Trace> = results::read(Path::new(&file))?;

    let lines: Vec<Line> = results::read(printed)?;
    let marks = lines.into_iter().filter_map(|line| match line {
        Line::Mark(name) => Some(name),
        _ => None,
    });
    let marks: Vec<_> = marks.collect();
    ensure!(
        marks.len() == traces.len(),
        "{}: not every request was traced",
        printed.display()
    );
    Ok(marks.into_iter().zip(traces).collect())
}

/// Whether the process runs in user space.
fn in_user_space(registers: &Registers) -> bool {
    registers.ip >> 63 == 0
}

/// Traces a request after each marker, and prints each trace, until the guest ends.
pub fn run(socket: &Path, vmlinux: &Path) -> Result<()> {
    let kernel = Kernel::read(vmlinux)?;
    let mut gdb = Gdb::connect(socket)?;

    gdb.break_at(kernel.address(MARKER)?)?;
    while gdb.run()? {
        // The rest of the marker, and the instructions up to the next system call.
        while !in_user_space(&gdb.step()?) {}
        let mut first = gdb.step()?;
        while in_user_space(&first) {
            first = gdb.step()?;
        }
        print(&trace(&mut gdb, first, &kernel)?)?;
    }
    Ok(())
}

/// Traces the kernel until it returns to the process.
fn trace(gdb: &mut Gdb, first: Registers, kernel: &Kernel) -> Result<Trace> {
    let mut steps = Vec::new();
    let mut next = first;
    while !in_user_space(&next) {
        steps.push(next);
        next = gdb.step()?;
    }
    Trace::new(&steps, kernel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handmade::{MSK, Steps, Table};

    #[test]
    fn a_trace_counts_by_function_and_by_place() {
        let steps = Steps::of(|steps| {
            steps.lock(MSK);
            steps.call("walk", 9, 0, |steps| steps.run(3));
            steps.release(MSK);
        });
        let trace = Trace::new(&steps.steps, &Table).unwrap();

        assert_eq!(trace.instructions(), steps.steps.len() as u64);
        assert_eq!(trace.functions()["walk"], 9 + 3);
        let counted: u64 = trace.code.iter().map(|(_, count)| count).sum();
        assert_eq!(counted, trace.instructions());
    }
}
