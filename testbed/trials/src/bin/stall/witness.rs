// SPDX-License-Identifier: GPL-2.0

//! Threads that make a call each, of which is asked whether it waits.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};

/// What a thread does.
pub type Call = Box<dyn FnOnce() -> Result<()> + Send>;

/// A thread that makes a call.
#[derive(Debug)]
pub struct Witness {
    tid: Arc<AtomicI32>,
    thread: JoinHandle<Result<()>>,
}

impl Witness {
    /// Starts a thread that makes the call.
    pub fn begin(call: Call) -> Self {
        let tid = Arc::new(AtomicI32::new(0));
        let told = Arc::clone(&tid);
        let thread = thread::spawn(move || {
            told.store(rustix::thread::gettid().as_raw_pid(), Ordering::Relaxed);
            call()
        });
        Self { tid, thread }
    }

    /// Whether the call has returned.
    pub fn has_returned(&self) -> bool {
        self.thread.is_finished()
    }

    /// Whether it can be told if the call waits: it has returned, or sleeps in a system call, rather
    /// than being slow.
    pub fn is_settled(&self) -> bool {
        let path = format!(
            "/proc/self/task/{}/syscall",
            self.tid.load(Ordering::Relaxed)
        );
        // "running", or -1 outside of any system call, or its number.
        let number = || {
            fs::read_to_string(path)
                .ok()?
                .split(' ')
                .next()?
                .parse()
                .ok()
        };
        self.has_returned() || number().is_some_and(|number: i32| number >= 0)
    }

    /// Ends the thread, when the call has returned.
    pub fn end(self) -> Result<()> {
        self.thread.join().map_err(|_| anyhow!("panicked"))?
    }
}
