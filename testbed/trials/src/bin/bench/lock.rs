// SPDX-License-Identifier: GPL-2.0

//! What a trace shows of the connection's lock.
//!
//! A *round* of the lock is one time that it is taken and released. Its instructions are those of the
//! function that takes it and of the function that releases it, each from the first instruction to
//! the return, with all that they call. What the caller executes for the call, and with the lock
//! held, is not part of the round.
//!
//! A subflow is a socket too, with a lock of its own: the argument of the call shows whose lock it is.
//! Both `lock_sock()` and `lock_sock_fast()` are inlined, and call the functions named here.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::gdb::Registers;

/// Takes the lock: what `lock_sock()` calls.
pub const LOCK: &str = "lock_sock_nested";
/// Takes it too. If the lock is free, this function returns with the spin lock held, and the caller
/// releases only that.
pub const LOCK_FAST: &str = "__lock_sock_fast";
pub const RELEASE: &str = "release_sock";
pub const SPIN_LOCK: &str = "_raw_spin_lock_bh";
pub const SPIN_UNLOCK: &str = "_raw_spin_unlock_bh";

/// One time that the lock is taken and released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The function that takes the lock.
    pub lock: String,
    /// The function that calls it.
    pub caller: String,
    /// Instructions that take the lock and release it.
    pub instructions: u64,
    /// Instructions between the two.
    pub held: u64,
}

/// Whether rounds are the same, as they must be for requests that differ in the number of subflows only.
pub fn alike(a: &[Round], b: &[Round]) -> bool {
    let known = |round: &Round| (round.lock.clone(), round.caller.clone(), round.instructions);
    a.iter().map(known).eq(b.iter().map(known))
}

/// Instructions of all rounds.
pub fn locking(rounds: &[Round]) -> u64 {
    rounds.iter().map(|round| round.instructions).sum()
}

/// The functions of the kernel, by name and by address.
pub trait Functions {
    /// Where a function begins.
    fn address(&self, name: &str) -> Result<u64>;

    /// The function that an address is in.
    fn at(&self, address: u64) -> &str;
}

/// The rounds of the lock of `sock` in a trace, in order.
pub fn rounds(steps: &[Registers], sock: u64, functions: &impl Functions) -> Result<Vec<Round>> {
    let [lock, lock_fast, release, spin_lock, spin_unlock] =
        [LOCK, LOCK_FAST, RELEASE, SPIN_LOCK, SPIN_UNLOCK].map(|name| functions.address(name));
    let (lock, lock_fast, release) = (lock?, lock_fast?, release?);
    let (spin_lock, spin_unlock) = (spin_lock?, spin_unlock?);

    let mut rounds = Vec::new();
    let mut caller = None;
    let mut rest = steps;
    while let Some((step, _)) = rest.split_first() {
        if ![lock, lock_fast].contains(&step.ip) || step.di != sock {
            caller = Some(step.ip);
            rest = &rest[1..];
            continue;
        }
        let (taking, after) = call(rest)?;
        let spin = taking.iter().find(|step| step.ip == spin_lock);
        let spin = spin.filter(|_| step.ip == lock_fast).map(|step| step.di);
        let held = after.iter().position(|step| {
            (step.ip == release && step.di == sock)
                || (step.ip == spin_unlock && Some(step.di) == spin)
        });
        let held = held.context("the lock of the connection is still held after the request")?;
        let (releasing, after) = call(&after[held..])?;

        rounds.push(Round {
            lock: functions.at(step.ip).to_owned(),
            caller: caller.map_or("?", |caller| functions.at(caller)).to_owned(),
            instructions: (taking.len() + releasing.len()) as u64,
            held: held as u64,
        });
        rest = after;
    }
    Ok(rounds)
}

/// Splits a trace that begins with a function's first instruction behind the function's return.
fn call(steps: &[Registers]) -> Result<(&[Registers], &[Registers])> {
    // The return takes its address off the stack. Code that runs on another stack meanwhile has no
    // pointer to that place, and a jump to another function in place of a call and a return keeps it.
    let returned = steps[0].sp + 8;
    let end = steps.iter().position(|step| step.sp == returned);
    Ok(steps.split_at(end.context("a function does not return within the request")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handmade::{MSK, SPIN, SUBFLOW, Steps, Table};

    /// Instructions of a trace's `lock()`, two of them calls, and of the others.
    const TAKE: u64 = (5 + 2) + 3 + 4;
    const RELEASED: u64 = (6 + 2) + 3 + 4;
    const TAKE_FAST: u64 = (5 + 1) + 3;
    const RELEASED_FAST: u64 = 4;

    fn rounds_of(trace: &Steps) -> Vec<Round> {
        rounds(&trace.steps, MSK, &Table).unwrap()
    }

    fn round(lock: &str, caller: &str, instructions: u64, held: u64) -> Round {
        Round {
            lock: lock.to_owned(),
            caller: caller.to_owned(),
            instructions,
            held,
        }
    }

    #[test]
    fn each_round_counts() {
        let trace = Steps::of(|trace| {
            trace.lock(MSK);
            trace.run(2);
            trace.release(MSK);
            trace.call("walk", 9, 0, |trace| {
                trace.lock(MSK);
                trace.run(7);
                trace.release(MSK);
            });
        });
        // The instruction that calls the release is executed with the lock held.
        let expected = [("mptcp_getsockopt", 2 + 1), ("walk", 7 + 1)];
        let expected = expected.map(|(caller, held)| round(LOCK, caller, TAKE + RELEASED, held));
        assert_eq!(rounds_of(&trace), expected);
    }

    #[test]
    fn a_subflows_lock_makes_no_round() {
        let trace = Steps::of(|trace| {
            trace.lock(SUBFLOW);
            trace.release(SUBFLOW);
            trace.lock(MSK);
            trace.lock_fast(SUBFLOW);
            trace.unlock_fast(SUBFLOW);
            trace.lock(SUBFLOW);
            trace.release(SUBFLOW);
            trace.release(MSK);
        });
        let held = (1 + TAKE_FAST) + (1 + RELEASED_FAST) + (1 + TAKE) + (1 + RELEASED) + 1;
        let expected = round(LOCK, "mptcp_getsockopt", TAKE + RELEASED, held);
        assert_eq!(rounds_of(&trace), [expected]);
    }

    #[test]
    fn the_fast_lock_ends_with_its_spin_lock() {
        let trace = Steps::of(|trace| {
            trace.lock_fast(MSK);
            trace.run(4);
            trace.unlock_fast(SUBFLOW);
            trace.unlock_fast(MSK);
        });
        let held = 4 + (1 + RELEASED_FAST) + 1;
        let expected = round(
            LOCK_FAST,
            "mptcp_getsockopt",
            TAKE_FAST + RELEASED_FAST,
            held,
        );
        assert_eq!(rounds_of(&trace), [expected]);
    }

    #[test]
    fn the_fast_lock_that_has_waited_ends_as_the_other() {
        let trace = Steps::of(|trace| {
            trace.call(LOCK_FAST, 5, MSK, |trace| {
                trace.leaf(SPIN_LOCK, 3, MSK + SPIN);
                trace.leaf(SPIN_UNLOCK, 4, MSK + SPIN);
            });
            trace.run(2);
            trace.release(MSK);
        });
        let expected = round(LOCK_FAST, "mptcp_getsockopt", TAKE + RELEASED, 2 + 1);
        assert_eq!(rounds_of(&trace), [expected]);
    }

    #[test]
    fn the_spin_lock_in_a_round_is_no_end_of_it() {
        let trace = Steps::of(|trace| {
            trace.lock(MSK);
            trace.leaf(SPIN_LOCK, 3, MSK + SPIN);
            trace.unlock_fast(MSK);
            trace.release(MSK);
        });
        let held = (1 + 3) + (1 + RELEASED_FAST) + 1;
        let expected = round(LOCK, "mptcp_getsockopt", TAKE + RELEASED, held);
        assert_eq!(rounds_of(&trace), [expected]);
    }

    #[test]
    fn a_jump_in_place_of_the_last_call_counts() {
        let trace = Steps::of(|trace| {
            trace.lock(MSK);
            trace.run(1);
            trace.sp -= 8;
            for (function, offset) in [(RELEASE, 0), (RELEASE, 4), (SPIN_UNLOCK, 0)] {
                trace.function = function;
                trace.step(offset, MSK);
            }
            trace.sp += 8;
            trace.function = "mptcp_getsockopt";
        });
        let expected = round(LOCK, "mptcp_getsockopt", TAKE + 3, 1);
        assert_eq!(rounds_of(&trace), [expected]);
    }

    #[test]
    fn on_another_stack_nothing_returns() {
        let trace = Steps::of(|trace| {
            trace.lock(MSK);
            trace.call(RELEASE, 6, MSK, |trace| {
                let sp = std::mem::replace(&mut trace.sp, 0xffff_0000);
                trace.leaf("interrupt", 9, 0);
                trace.sp = sp;
            });
        });
        let expected = round(LOCK, "mptcp_getsockopt", TAKE + (6 + 1) + 9, 1);
        assert_eq!(rounds_of(&trace), [expected]);
    }

    #[test]
    fn a_lock_that_stays_is_an_error() {
        let trace = Steps::of(|trace| trace.lock(MSK));
        assert!(rounds(&trace.steps, MSK, &Table).is_err());
    }

    #[test]
    fn no_lock_no_round() {
        let trace = Steps::of(|trace| trace.run(9));
        assert_eq!(rounds_of(&trace), []);
    }
}
