// SPDX-License-Identifier: GPL-2.0

//! Made-up traces, for tests.

use anyhow::{Context, Result};

use crate::gdb::Registers;
use crate::lock::{Functions, LOCK, LOCK_FAST, RELEASE, SPIN_LOCK, SPIN_UNLOCK};

pub const MSK: u64 = 0x1000;
pub const SUBFLOW: u64 = 0x2000;
/// Where the spin lock is in a socket.
pub const SPIN: u64 = 0x88;

/// Each function has 256 bytes, in this order.
const NAMES: [&str; 9] = [
    "request",
    "mptcp_getsockopt",
    "walk",
    "interrupt",
    LOCK,
    LOCK_FAST,
    RELEASE,
    SPIN_LOCK,
    SPIN_UNLOCK,
];

pub struct Table;

impl Functions for Table {
    fn address(&self, name: &str) -> Result<u64> {
        let place = NAMES.iter().position(|known| *known == name);
        Ok(place.context("unknown")? as u64 * 256)
    }

    fn at(&self, address: u64) -> &str {
        NAMES[address as usize / 256]
    }
}

/// A trace that grows.
pub struct Steps {
    pub steps: Vec<Registers>,
    pub function: &'static str,
    pub sp: u64,
}

impl Steps {
    /// A request, and the function that handles it.
    pub fn of(request: impl Fn(&mut Self)) -> Self {
        let mut trace = Self {
            steps: Vec::new(),
            function: "request",
            sp: 0x8000,
        };
        trace.call("mptcp_getsockopt", 2, MSK, request);
        trace.run(1);
        trace
    }

    pub fn step(&mut self, offset: u64, di: u64) {
        self.steps.push(Registers {
            ip: Table.address(self.function).unwrap() + offset,
            sp: self.sp,
            di,
        });
    }

    /// Instructions past the first. The register may have the connection or not.
    pub fn run(&mut self, count: u64) {
        (0..count).for_each(|_| self.step(4, MSK));
    }

    /// An instruction calls a function of `count` instructions, which calls `inner` after its first.
    pub fn call(&mut self, name: &'static str, count: u64, di: u64, inner: impl Fn(&mut Self)) {
        self.run(1);
        let caller = std::mem::replace(&mut self.function, name);
        self.sp -= 8;
        self.step(0, di);
        inner(self);
        self.run(count - 1);
        self.sp += 8;
        self.function = caller;
    }

    /// Calls a function that calls no other.
    pub fn leaf(&mut self, name: &'static str, count: u64, di: u64) {
        self.call(name, count, di, |_| ());
    }

    pub fn lock(&mut self, sock: u64) {
        self.call(LOCK, 5, sock, |trace| {
            trace.leaf(SPIN_LOCK, 3, sock + SPIN);
            trace.leaf(SPIN_UNLOCK, 4, sock + SPIN);
        });
    }

    pub fn release(&mut self, sock: u64) {
        self.call(RELEASE, 6, sock, |trace| {
            trace.leaf(SPIN_LOCK, 3, sock + SPIN);
            trace.leaf(SPIN_UNLOCK, 4, sock + SPIN);
        });
    }

    pub fn lock_fast(&mut self, sock: u64) {
        self.call(LOCK_FAST, 5, sock, |trace| {
            trace.leaf(SPIN_LOCK, 3, sock + SPIN)
        });
    }

    pub fn unlock_fast(&mut self, sock: u64) {
        self.leaf(SPIN_UNLOCK, 4, sock + SPIN);
    }
}
