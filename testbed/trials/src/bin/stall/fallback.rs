// SPDX-License-Identifier: GPL-2.0

//! A connection that falls back to TCP while calls wait for its socket.

use std::ffi::c_int;
use std::fs;
use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};
use mptcp_trials::net::{self, Family, wait_for};
use mptcp_trials::request::Choice;
use socket2::{Protocol, Socket};

use crate::calls::Beside;
use crate::stalled::{Access, Stalled};

/// Returns what the [`calls`](crate::calls::NAMES) return that waited during the fallback, beside a
/// stalled request; `None` for those that did not wait.
pub fn race(family: Family, option: Choice) -> Result<[Option<c_int>; 4]> {
    // However often a SYN is sent again, it remains one of MPTCP.
    fs::write("/proc/sys/net/mptcp/syn_retrans_before_tcp_fallback", "128")?;
    let listener = net::listen(family, Protocol::TCP, 0)?;
    let client: &'static Socket = Box::leak(Box::new(net::socket(family, Protocol::MPTCP)?));
    client.set_nonblocking(true)?;
    let fallbacks = count_fallbacks()?;

    let (stalled, beside, waits) = net::impaired("loss 100%", || {
        let error = client.connect(&listener.local_addr()?).err();
        ensure!(
            error.as_ref().and_then(|error| error.raw_os_error()) == Some(libc::EINPROGRESS),
            "connect: {error:?}"
        );
        let stalled = Stalled::begin(client.as_fd(), option, 1, Access::Array)?;
        let beside = Beside::begin(client.as_fd(), option, 1);
        let waits = beside.waits()?;
        ensure!(count_fallbacks()? == fallbacks, "an early fallback");
        Ok((stalled, beside, waits))
    })?;
    // The next SYN arrives, and a SYN/ACK of TCP comes back.
    wait_for("the connection to fall back", || {
        Ok((count_fallbacks()? > fallbacks).then_some(()))
    })?;
    stalled.end()?;

    let returned = beside.end()?;
    Ok(std::array::from_fn(|n| waits[n].then_some(returned[n])))
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
