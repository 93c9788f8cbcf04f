// SPDX-License-Identifier: GPL-2.0

//! A request to a connection stalls, while everything else is done with the connection.

use std::ffi::c_int;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mptcp_trials::check::check;
use mptcp_trials::net::{Connection, Family, PATIENCE, wait_for};
use mptcp_trials::request::SockOpt;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::calls::Calls;
use crate::stalled::{Access, Stalled};

/// Subflows of the connection.
pub const SUBFLOWS: usize = 2;

/// Returns the calls that wait for the end of a stall of at least `hold`: of getsockopt(2), and of
/// send(2) and recv(2); that the connection acknowledges what the peer sends; a request of the peer's;
/// close(2).
pub fn stall(option: SockOpt, access: Access, hold: Duration) -> Result<Vec<&'static str>> {
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
    let mut calls = Calls::getsockopt(client, option, SUBFLOWS);
    calls.begin("send", move || {
        ensure!(send(client, b"from", SendFlags::empty())? == 4);
        Ok(0)
    });
    calls.begin("recv", move || {
        ensure!(recv(client, &mut [0; 2], RecvFlags::WAITALL)?.0 == 2);
        Ok(0)
    });
    calls.begin("DATA_ACK", move || acked(peer));
    calls.request("peer's request", peer, option, SUBFLOWS);
    calls.waiting(began + hold)?;
    calls.begin("close", move || {
        // SAFETY: The only close. Every other call that uses it is in the kernel already.
        unsafe { rustix::io::close(client.as_raw_fd()) };
        Ok(0)
    });
    let waiting = calls.waiting(began)?;

    let length = began.elapsed();
    let (request, reply) = stalled.end()?;
    calls.end_as_usual()?;
    println!(
        "# stalled for {:.1} s, everything has returned {:.1} ms later",
        length.as_secs_f64(),
        (began.elapsed() - length).as_secs_f64() * 1e3
    );
    check(&request, &reply).context("the result of the stalled request")?;
    // What was sent meanwhile has arrived, and then the connection ends.
    server.set_read_timeout(Some(PATIENCE))?;
    let mut received = Vec::new();
    (&server).read_to_end(&mut received)?;
    ensure!(received == b"from", "the peer has received {received:?}");
    Ok(waiting)
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
