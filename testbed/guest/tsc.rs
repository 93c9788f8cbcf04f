// SPDX-License-Identifier: GPL-2.0

//! Prints the frequency of this machine's time stamp counter in kHz. A guest that QEMU emulates reads the
//! same counter.

use std::arch::x86_64::_rdtsc;
use std::thread;
use std::time::{Duration, Instant};

/// Reads the time and the counter together many times, and returns the pair that was read fastest.
fn now() -> (Instant, u64) {
    let tries = (0..1000).map(|_| {
        let before = Instant::now();
        // SAFETY: Every x86-64 processor has this instruction.
        let ticks = unsafe { _rdtsc() };
        (before.elapsed(), before, ticks)
    });
    let (_, time, ticks) = tries.min().expect("there is more than one try");
    (time, ticks)
}

fn main() {
    let (begin, first) = now();
    thread::sleep(Duration::from_millis(50));
    let (end, last) = now();
    let nanoseconds = (end - begin).as_nanos();
    println!("{}", u128::from(last - first) * 1_000_000 / nanoseconds);
}
