// SPDX-License-Identifier: GPL-2.0

//! Every instruction of a request, one by one.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::gdb::{Gdb, Registers};
use crate::kernel::Kernel;
use crate::results::{self, Line, Name, print};
use crate::text::DISPATCHER;

/// The system call that precedes a request of which a trace is wanted. Nobody else has a use for it.
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

/// What a request took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trace {
    /// In order.
    pub visits: Vec<Visit>,
    /// Bytes of stack, from where the dispatcher begins to the deepest of what it calls.
    pub stack: u64,
    /// Instructions while the lock of the connection was held.
    pub locked: u64,
}

impl Trace {
    /// Instructions by function.
    pub fn functions(&self) -> BTreeMap<String, u64> {
        let mut functions = BTreeMap::new();
        for visit in &self.visits {
            *functions.entry(visit.function.clone()).or_default() += visit.instructions;
        }
        functions
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

/// Whether the process itself runs, not the kernel for it.
fn in_user_space(registers: &Registers) -> bool {
    registers.ip >> 63 == 0
}

/// Traces a request after each marker, and prints each trace, until the guest ends.
pub fn run(socket: &Path, vmlinux: &Path) -> Result<()> {
    let kernel = Kernel::read(vmlinux)?;
    let mut gdb = Gdb::connect(socket)?;

    gdb.break_at(kernel.address(MARKER)?)?;
    while gdb.run()? {
        // The rest of the marker, and what there is to do for the next system call.
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
    let dispatcher = kernel.address(DISPATCHER)?;
    let begin = steps.iter().find(|step| step.ip == dispatcher);
    let begin = begin.context("the traced system call was no getsockopt(2) of MPTCP")?;
    let top = begin.sp;
    let depth = |step: &Registers| top.wrapping_sub(step.sp) as i64;

    let mut visits: Vec<Visit> = Vec::new();
    for step in &steps {
        let function = kernel.at(step.ip);
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
    }
    let deepest = visits.iter().map(|visit| visit.depth).max();
    Ok(Trace {
        stack: deepest.unwrap_or_default().unsigned_abs(),
        locked: locked(&steps, begin.di, |name| kernel.address(name))?,
        visits,
    })
}

/// Instructions between the return of a function that takes the lock of `sock` and its release.
fn locked(steps: &[Registers], sock: u64, address: impl Fn(&str) -> Result<u64>) -> Result<u64> {
    let (lock, release) = (address("lock_sock_nested")?, address("release_sock")?);
    // This one returns with the spin lock alone, where nobody waits for it.
    let lock_fast = address("__lock_sock_fast")?;
    let (spin_lock, spin_unlock) = (
        address("_raw_spin_lock_bh")?,
        address("_raw_spin_unlock_bh")?,
    );

    let mut locked = 0;
    let mut rest = steps.iter();
    while let Some(call) = rest.find(|step| [lock, lock_fast].contains(&step.ip) && step.di == sock)
    {
        // The return takes its address off the stack, and is in the caller then.
        let mut inside = rest.by_ref().take_while(|step| step.sp <= call.sp);
        let spin = inside.find(|step| call.ip == lock_fast && step.ip == spin_lock);
        inside.for_each(drop);
        let end = rest.position(|step| match spin {
            Some(spin) => step.ip == spin_unlock && step.di == spin.di,
            None => step.ip == release && step.di == sock,
        });
        // The first instruction of the caller was taken as well.
        locked += 1 + end.context("the lock of the connection is still held after the request")?;
    }
    Ok(locked as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCK: u64 = 0x1000;
    const SLOCK: u64 = 0x1008;

    fn address(name: &str) -> Result<u64> {
        let names = [
            "lock_sock_nested",
            "release_sock",
            "__lock_sock_fast",
            "_raw_spin_lock_bh",
            "_raw_spin_unlock_bh",
        ];
        let n = names.iter().position(|known| *known == name);
        Ok(n.context("unknown")? as u64)
    }

    /// A function is called, and executes one instruction.
    fn call(name: &str, di: u64) -> Registers {
        let ip = address(name).expect("a known name");
        Registers { ip, sp: 80, di }
    }

    /// The caller executes one.
    const CALLER: Registers = Registers {
        ip: 100,
        sp: 88,
        di: SOCK,
    };

    #[test]
    fn each_time_that_the_lock_is_held_counts() {
        let once = [
            call("lock_sock_nested", SOCK),
            CALLER,
            CALLER,
            call("release_sock", SOCK),
            CALLER,
        ];
        assert_eq!(locked(&once, SOCK, address).unwrap(), 2);
        assert_eq!(locked(&[once, once].concat(), SOCK, address).unwrap(), 4);
        assert_eq!(locked(&once, SOCK + 1, address).unwrap(), 0);
    }

    #[test]
    fn a_subflows_lock_does_not_count() {
        let steps = [
            call("lock_sock_nested", SOCK),
            CALLER,
            call("lock_sock_nested", SOCK + 1),
            CALLER,
            call("release_sock", SOCK + 1),
            CALLER,
            call("release_sock", SOCK),
        ];
        assert_eq!(locked(&steps, SOCK, address).unwrap(), 5);
    }

    #[test]
    fn the_spin_lock_alone_counts() {
        let steps = [
            call("__lock_sock_fast", SOCK),
            call("_raw_spin_lock_bh", SLOCK),
            CALLER,
            call("_raw_spin_unlock_bh", SLOCK + 1),
            CALLER,
            call("_raw_spin_unlock_bh", SLOCK),
        ];
        assert_eq!(locked(&steps, SOCK, address).unwrap(), 3);
    }

    #[test]
    fn a_lock_that_stays_is_an_error() {
        let steps = [call("lock_sock_nested", SOCK), CALLER];
        assert!(locked(&steps, SOCK, address).is_err());
    }
}
