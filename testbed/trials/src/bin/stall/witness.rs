// SPDX-License-Identifier: GPL-2.0

//! Threads that make one call each, and show whether the call waits.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};
use libc::c_long;

/// A thread that makes a call.
#[derive(Debug)]
pub struct Witness<T> {
    tid: Arc<AtomicI32>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Witness<T> {
    /// Starts a thread that makes the call.
    pub fn begin(call: impl FnOnce() -> T + Send + 'static) -> Self {
        let tid = Arc::new(AtomicI32::new(0));
        let own = Arc::clone(&tid);
        let thread = thread::spawn(move || {
            own.store(rustix::thread::gettid().as_raw_pid(), Ordering::Relaxed);
            call()
        });
        Self { tid, thread }
    }

    /// Whether the call has returned.
    pub fn has_returned(&self) -> bool {
        self.thread.is_finished()
    }

    /// The number of the system call in which the thread sleeps, if it does.
    fn sleeps_in(&self) -> Option<c_long> {
        let tid = self.tid.load(Ordering::Relaxed);
        // "running", or -1 outside of any system call, or its number.
        let call = fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).ok()?;
        let number = call.split(' ').next()?.parse().ok()?;
        (number >= 0).then_some(number)
    }

    /// Whether the thread sleeps in getsockopt(2). If its memory is present, it waits for the socket.
    pub fn waits_in_getsockopt(&self) -> bool {
        self.sleeps_in() == Some(libc::SYS_getsockopt)
    }

    /// Whether the call has returned, or sleeps, and is not just slow.
    pub fn is_settled(&self) -> bool {
        self.has_returned() || self.sleeps_in().is_some()
    }

    /// Returns what the call returned, once it has.
    pub fn end(self) -> Result<T> {
        self.thread.join().map_err(|_| anyhow!("panicked"))
    }
}
