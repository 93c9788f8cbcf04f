// SPDX-License-Identifier: GPL-2.0

//! Prints how many thousand times a second the time stamp counter of this machine ticks, which is also
//! that of a guest that QEMU emulates.

use std::arch::x86_64::_rdtsc;
use std::thread;
use std::time::{Duration, Instant};

/// The time and the counter at once, as nearly as a few tries can have it.
fn now() -> (Instant, u64) {
    let tries = (0..1000).map(|_| {
        let before = Instant::now();
        // SAFETY: Every x86-64 processor has the instruction.
        let ticks = unsafe { _rdtsc() };
        (before.elapsed(), before, ticks)
    });
    let (_, time, ticks) = tries.min().expect("there are some");
    (time, ticks)
}

fn main() {
    let (begin, first) = now();
    thread::sleep(Duration::from_millis(50));
    let (end, last) = now();
    let nanoseconds = (end - begin).as_nanos();
    println!("{}", u128::from(last - first) * 1_000_000 / nanoseconds);
}
