// SPDX-License-Identifier: GPL-2.0

//! The calls of getsockopt(2) that are made beside a stalled request, on the same socket.

use std::ffi::c_int;
use std::os::fd::BorrowedFd;

use anyhow::{Result, ensure};
use mptcp_trials::abi::{self, MPTCP_INFO_SIZE};
use mptcp_trials::net::wait_for;
use mptcp_trials::request::{Choice, Request};

use crate::witness::Witness;

/// A call, which returns 0 or a negative error number.
pub type Call = Box<dyn FnOnce() -> Result<c_int> + Send>;

/// Their names in a table.
pub const NAMES: [&str; 4] = [
    "request",
    "MPTCP_INFO",
    "MPTCP_INFO of length 0",
    "unknown option",
];

/// What they return for a socket that has not fallen back to TCP.
pub const RETURNS: [c_int; 4] = [0, 0, 0, -libc::EOPNOTSUPP];

/// An option that MPTCP does not have.
const UNKNOWN: c_int = 999;

/// The calls, the first of which is a request for `option` that reports `subflows` if it succeeds.
pub fn calls(socket: BorrowedFd<'static>, option: Choice, subflows: usize) -> [Call; 4] {
    [
        Box::new(move || request(socket, option, subflows)),
        Box::new(move || get(socket, abi::MPTCP_INFO, MPTCP_INFO_SIZE)),
        Box::new(move || get(socket, abi::MPTCP_INFO, 0)),
        Box::new(move || get(socket, UNKNOWN, MPTCP_INFO_SIZE)),
    ]
}

/// Makes a request for `option`, which reports `subflows` if it succeeds.
pub fn request(socket: BorrowedFd<'_>, option: Choice, subflows: usize) -> Result<c_int> {
    let answer = Request::new(option, subflows).ask(socket, 0);
    let num = match option {
        Choice::FullInfo => answer.full_info().num_subflows,
        _ => answer.subflow_data().num_subflows,
    };
    ensure!(
        answer.ret != 0 || num as usize == subflows,
        "{num} subflows are reported"
    );
    Ok(answer.ret)
}

/// getsockopt(2) of the level `SOL_MPTCP` with a buffer of `len` bytes.
fn get(socket: BorrowedFd<'_>, option: c_int, len: usize) -> Result<c_int> {
    let mut info = [0; MPTCP_INFO_SIZE];
    Ok(abi::get(socket, abi::SOL_MPTCP, option, &mut info[..len]).0)
}

/// The calls, in a thread each.
pub struct Beside([Witness<Result<c_int>>; 4]);

impl Beside {
    /// Begins them.
    pub fn begin(socket: BorrowedFd<'static>, option: Choice, subflows: usize) -> Self {
        Self(calls(socket, option, subflows).map(Witness::begin))
    }

    /// Returns which of them wait for the socket, once all others have returned.
    pub fn waits(&self) -> Result<[bool; 4]> {
        wait_for("every call to return or wait", || {
            let mut calls = self.0.iter();
            let settled = calls.all(|call| call.has_returned() || call.waits_in_getsockopt());
            Ok(settled.then(|| self.0.each_ref().map(|call| !call.has_returned())))
        })
    }

    /// Returns what they return.
    pub fn end(self) -> Result<[c_int; 4]> {
        wait_for("every call to return", || {
            Ok(self.0.iter().all(Witness::has_returned).then_some(()))
        })?;
        let mut returned = [0; 4];
        for (to, call) in returned.iter_mut().zip(self.0) {
            *to = call.end()??;
        }
        Ok(returned)
    }
}
