// SPDX-License-Identifier: GPL-2.0

//! A stalled request of a connection, while everything else is done with the connection.

use std::ffi::c_int;
use std::io::Read;
use std::iter;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd};
use std::slice;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mptcp_trials::check::check;
use mptcp_trials::net::{Connection, Family, PATIENCE, wait_for};
use mptcp_trials::request::Choice;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::calls::{self, Call, calls};
use crate::stalled::{Access, Stalled};
use crate::witness::Witness;

/// Subflows of the connection.
pub const SUBFLOWS: usize = 2;

/// What may wait: getsockopt(2), and what it sends and receives; that it acknowledges what the peer
/// sends; a request of the peer's; close(2).
pub const WITNESSES: [&str; 9] = {
    let [request, info, empty, unknown] = calls::NAMES;
    [
        request,
        info,
        empty,
        unknown,
        "send",
        "recv",
        "DATA_ACK",
        "peer's request",
        "close",
    ]
};

/// Returns which of the [`WITNESSES`] wait for the end of a stall of at least `hold`, and times.
pub fn stall(option: Choice, access: Access, hold: Duration) -> Result<([bool; 9], String)> {
    let Connection { client, server } = Connection::with_subflows(Family::V4, SUBFLOWS)?;
    // SAFETY: Each is closed once, and from then on used by none but calls that have begun before.
    let [client, peer] =
        [client.into_raw_fd(), server.as_raw_fd()].map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });

    let stalled = Stalled::begin(client, option, SUBFLOWS, access)?;
    let began = Instant::now();

    ensure!(
        send(peer, b"to", SendFlags::empty())? == 2,
        "the peer sends in part"
    );
    let [request, info, empty, unknown] = calls(client, option, SUBFLOWS);
    let calls: [Call; 8] = [
        request,
        info,
        empty,
        unknown,
        Box::new(move || {
            ensure!(send(client, b"from", SendFlags::empty())? == 4);
            Ok(0)
        }),
        Box::new(move || {
            ensure!(recv(client, &mut [0; 2], RecvFlags::WAITALL)?.0 == 2);
            Ok(0)
        }),
        Box::new(move || acked(peer)),
        Box::new(move || calls::request(peer, option, SUBFLOWS)),
    ];
    let mut witnesses = calls.map(Witness::begin).into_iter().collect::<Vec<_>>();
    let settle = |witnesses: &[Witness<_>]| {
        wait_for("every call to return or sleep", || {
            let settled = witnesses.iter().all(Witness::is_settled);
            Ok((settled && began.elapsed() >= hold).then_some(()))
        })
    };
    settle(&witnesses)?;
    let close = Witness::begin(move || {
        // SAFETY: The only close. Every other call that uses it is in the kernel already.
        unsafe { rustix::io::close(client.as_raw_fd()) };
        Ok(0)
    });
    settle(slice::from_ref(&close))?;
    witnesses.push(close);
    let waits = std::array::from_fn(|n| !witnesses[n].has_returned());

    let length = began.elapsed();
    let (request, answer) = stalled.end()?;
    wait_for("every call to return", || {
        Ok(witnesses.iter().all(Witness::has_returned).then_some(()))
    })?;
    let after = began.elapsed() - length;
    let returns = calls::RETURNS.into_iter().chain(iter::repeat(0));
    for ((witness, name), expected) in witnesses.into_iter().zip(WITNESSES).zip(returns) {
        let returned = witness.end()?;
        let ret = returned.with_context(|| format!("{name}, after the stall"))?;
        ensure!(ret == expected, "{name} returned {ret}");
    }
    check(&request, &answer).context("what the stalled request came back with")?;
    // What was sent meanwhile has arrived, and then the connection ends.
    server.set_read_timeout(Some(PATIENCE))?;
    let mut received = Vec::new();
    (&server).read_to_end(&mut received)?;
    ensure!(received == b"from", "the peer has received {received:?}");

    let times = format!(
        "stalled for {:.1} s, everything has returned {:.1} ms later",
        length.as_secs_f64(),
        after.as_secs_f64() * 1e3
    );
    Ok((waits, times))
}

/// Waits until the other side has acknowledged everything.
fn acked(socket: BorrowedFd<'_>) -> Result<c_int> {
    wait_for("acknowledgements", || {
        let mut pending: c_int = 0;
        // SAFETY: The request writes an integer.
        let ret = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut pending) };
        ensure!(ret == 0, "{}", std::io::Error::last_os_error());
        Ok((pending == 0).then_some(0))
    })
}
