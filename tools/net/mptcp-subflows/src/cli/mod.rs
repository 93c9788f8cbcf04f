// SPDX-License-Identifier: GPL-2.0

//! The commands, and what they share.

pub mod report;
pub mod screen;
pub mod send;
pub mod serve;
pub mod show;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::anyhow;
use socket2::{Domain, Protocol, Socket, Type};

/// A new MPTCP socket for connections to or from `address`.
fn mptcp_socket(address: SocketAddr) -> anyhow::Result<Socket> {
    let new = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::MPTCP),
    );
    new.map_err(|error| match error.raw_os_error() {
        Some(libc::EPROTONOSUPPORT | libc::EINVAL) => {
            anyhow!("this kernel has no MPTCP: it needs CONFIG_MPTCP=y")
        }
        Some(libc::ENOPROTOOPT) => {
            anyhow!("MPTCP is switched off here: sysctl -w net.mptcp.enabled=1")
        }
        _ => anyhow!("new MPTCP socket: {error}"),
    })
}

/// Whether `error` only says that there is nothing to do yet.
fn is_retry(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, WouldBlock};
    matches!(error.kind(), Interrupted | WouldBlock)
}

/// A command-line argument in seconds, possibly a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    // Within these limits no sum of such times overflows, and none is without effect.
    match text.parse() {
        Ok(number) if (1e-3..=1e9).contains(&number) => Ok(Duration::from_secs_f64(number)),
        _ => Err("not a number of seconds from 0.001 to 1e9".into()),
    }
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
