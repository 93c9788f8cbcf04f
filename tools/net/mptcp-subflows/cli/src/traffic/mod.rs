// SPDX-License-Identifier: GPL-2.0

//! Test traffic, with assertions about the paths that it takes.

pub mod send;
pub mod serve;

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use anyhow::{Context, anyhow};
use socket2::{Domain, Protocol, Socket, Type};

/// A host, by name or address, and a port.
#[derive(Debug, Clone)]
pub struct Host(String);

impl FromStr for Host {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "not HOST:PORT; an IPv6 address needs brackets, as in [::1]:5000";
        let (host, port) = text.rsplit_once(':').ok_or(wrong)?;
        let bare_ipv6 = host.contains(':') && !host.starts_with('[');
        if host.is_empty() || bare_ipv6 || port.parse::<u16>().is_err() {
            return Err(wrong);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Host {
    /// Its addresses, of which there is at least one.
    fn resolve(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let addresses = self
            .0
            .to_socket_addrs()
            .with_context(|| format!("resolve {self}"))?;
        let addresses: Vec<_> = addresses.collect();
        match addresses.is_empty() {
            true => Err(anyhow!("{self} has no address")),
            false => Ok(addresses),
        }
    }
}

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
        _ => anyhow::Error::from(error).context("new MPTCP socket"),
    })
}

/// Whether `error` only says that there is nothing to do yet.
fn is_retry(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, WouldBlock};
    matches!(error.kind(), Interrupted | WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn hosts_have_a_port() {
        for right in ["localhost:5000", "10.0.0.1:0", "[::1]:80", "a.example:1"] {
            assert!(right.parse::<Host>().is_ok(), "{right}");
        }
        for wrong in ["localhost", ":5000", "::1:80", "host:x", "host:70000", ""] {
            assert!(wrong.parse::<Host>().is_err(), "{wrong}");
        }
    }
}
