// SPDX-License-Identifier: GPL-2.0

//! Calls that are made while a request stalls, each in a thread of its own.

use std::ffi::c_int;
use std::fs;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use mptcp_trials::abi::{self, MPTCP_INFO_SIZE};
use mptcp_trials::net::wait_for;
use mptcp_trials::request::{Request, SockOpt};

/// A thread that makes a call.
#[derive(Debug)]
pub struct Call<T> {
    tid: Arc<AtomicI32>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Call<T> {
    /// Starts the thread. Until it is settled, the call may make no other system call than the one in
    /// which it may wait.
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

    /// Whether the thread sleeps in a system call.
    pub fn sleeps(&self) -> bool {
        let tid = self.tid.load(Ordering::Relaxed);
        let call = fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).unwrap_or_default();
        // "running", or -1 outside of any system call, or its number.
        call.starts_with(|first: char| first.is_ascii_digit())
    }

    /// Waits until the call returns. Returns what it returned.
    pub fn end(self) -> Result<T> {
        wait_for("a call to return", || Ok(self.has_returned().then_some(())))?;
        self.thread.join().map_err(|_| anyhow!("panicked"))
    }
}

/// An option that MPTCP does not have.
const UNKNOWN: (&str, c_int) = ("unknown option", 999);

/// Calls with their names.
pub struct Calls(Vec<(&'static str, Call<Result<c_int>>)>);

impl Calls {
    /// Calls getsockopt(2) in four ways: a request for `option`, of which it is checked that it reports
    /// `subflows` if it succeeds, and three calls for other options.
    pub fn getsockopt(socket: BorrowedFd<'static>, option: SockOpt, subflows: usize) -> Self {
        let mut calls = Self(Vec::new());
        calls.request("request", socket, option, subflows);
        for (name, option, len) in [
            ("MPTCP_INFO", abi::MPTCP_INFO, MPTCP_INFO_SIZE),
            ("MPTCP_INFO of length 0", abi::MPTCP_INFO, 0),
            (UNKNOWN.0, UNKNOWN.1, MPTCP_INFO_SIZE),
        ] {
            calls.begin(name, move || {
                let mut info = [0; MPTCP_INFO_SIZE];
                let info = &mut info[..len];
                // SAFETY: The buffer has no pointers.
                Ok(unsafe { abi::get(socket, abi::SOL_MPTCP, option, info) }.0)
            });
        }
        calls
    }

    /// Begins a request.
    pub fn request(
        &mut self,
        name: &'static str,
        socket: BorrowedFd<'static>,
        option: SockOpt,
        subflows: usize,
    ) {
        let request = Request::new(option, subflows);
        let mut reply = request.buffers(0);
        self.begin(name, move || {
            request.repeat(socket, &mut reply);
            let num = reply.num_subflows(option);
            ensure!(
                reply.ret != 0 || num == subflows,
                "{num} subflows are reported"
            );
            Ok(reply.ret)
        });
    }

    /// Begins a call.
    pub fn begin(
        &mut self,
        name: &'static str,
        call: impl FnOnce() -> Result<c_int> + Send + 'static,
    ) {
        self.0.push((name, Call::begin(call)));
    }

    /// Waits until some time, and until each call has returned or sleeps. Returns the names of those
    /// that sleep.
    pub fn waiting(&self, until: Instant) -> Result<Vec<&'static str>> {
        wait_for("every call to return or wait", || {
            let calls = self.0.iter();
            let waiting = calls.filter(|(_, call)| !call.has_returned());
            let waiting: Vec<_> = waiting.collect();
            let settled = waiting.iter().all(|(_, call)| call.sleeps());
            let names = || waiting.iter().map(|(name, _)| *name).collect();
            Ok((settled && Instant::now() >= until).then(names))
        })
    }

    /// Waits until all return. Returns what each returned.
    pub fn end(self) -> Result<Vec<(&'static str, c_int)>> {
        let calls = self.0.into_iter();
        calls
            .map(|(name, call)| Ok((name, call.end()?.context(name)?)))
            .collect()
    }

    /// Waits until all return what they should for a socket that has not fallen back to TCP.
    pub fn end_as_usual(self) -> Result<()> {
        for (name, ret) in self.end()? {
            let unknown = name == UNKNOWN.0;
            let expected = if unknown { -libc::EOPNOTSUPP } else { 0 };
            ensure!(ret == expected, "{name} returned {ret}");
        }
        Ok(())
    }
}
