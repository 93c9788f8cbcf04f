// SPDX-License-Identifier: GPL-2.0

//! Requests to sockets that are not connected: a listener, and a client that falls back to TCP while
//! calls wait for its socket.

use std::fs;
use std::os::fd::AsFd;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use mptcp_trials::net::{self, Family, wait_for};
use mptcp_trials::request::SockOpt;
use socket2::{Protocol, Socket};

use crate::calls::Calls;
use crate::stalled::{Access, Stalled};

/// Returns the calls of getsockopt(2) that wait for the end of a stall of a listener.
pub fn listener(option: SockOpt) -> Result<Vec<&'static str>> {
    let listener: &'static Socket =
        Box::leak(Box::new(net::listen(Family::V4, Protocol::MPTCP, 0)?));
    let stalled = Stalled::begin(listener.as_fd(), option, 1, Access::Array)?;
    let calls = Calls::getsockopt(listener.as_fd(), option, 1);
    let waiting = calls.waiting(Instant::now())?;
    stalled.end()?;
    calls.end_as_usual()?;
    Ok(waiting)
}

/// Returns each call of getsockopt(2) that is made during the fallback, beside a stalled request, with
/// the error that it returns if it waited.
pub fn fallback(family: Family, option: SockOpt) -> Result<Vec<String>> {
    // However often a SYN is sent again, it does not become one of TCP.
    fs::write("/proc/sys/net/mptcp/syn_retrans_before_tcp_fallback", "128")?;
    let listener = net::listen(family, Protocol::TCP, 0)?;
    let client: &'static Socket = Box::leak(Box::new(net::socket(family, Protocol::MPTCP)?));
    client.set_nonblocking(true)?;
    let fallbacks = count_fallbacks()?;

    let (stalled, calls, waiting) = net::impaired("loss 100%", || {
        let error = client.connect(&listener.local_addr()?).err();
        ensure!(
            error.as_ref().and_then(|error| error.raw_os_error()) == Some(libc::EINPROGRESS),
            "connect: {error:?}"
        );
        let stalled = Stalled::begin(client.as_fd(), option, 1, Access::Array)?;
        let calls = Calls::getsockopt(client.as_fd(), option, 1);
        let waiting = calls.waiting(Instant::now())?;
        ensure!(count_fallbacks()? == fallbacks, "an early fallback");
        Ok((stalled, calls, waiting))
    })?;
    // The next SYN arrives, and a SYN/ACK of TCP comes back.
    wait_for("the connection to fall back", || {
        Ok((count_fallbacks()? > fallbacks).then_some(()))
    })?;
    stalled.end()?;

    let returned = calls.end()?.into_iter();
    let cells = returned.map(|(name, ret)| match -ret {
        _ if !waiting.contains(&name) => format!("{name} does not wait"),
        libc::EOPNOTSUPP => format!("{name} EOPNOTSUPP"),
        libc::ENOPROTOOPT => format!("{name} ENOPROTOOPT"),
        _ => format!("{name} {ret}"),
    });
    Ok(cells.collect())
}

/// How many connections of this network fell back because of their SYN/ACK.
fn count_fallbacks() -> Result<u64> {
    let counters = fs::read_to_string("/proc/thread-self/net/netstat")?;
    // A line of names, and a line of values.
    let mut lines = counters
        .lines()
        .filter_map(|line| line.strip_prefix("MPTcpExt:"))
        .map(str::split_whitespace);
    let (names, mut values) = lines.next().zip(lines.next()).context("no MPTcpExt")?;
    let value = names
        .zip(&mut values)
        .find_map(|(name, value)| (name == "MPCapableFallbackSYNACK").then_some(value));
    Ok(value.context("no MPCapableFallbackSYNACK")?.parse()?)
}
