// SPDX-License-Identifier: GPL-2.0

//! Every subflow of an MPTCP connection, in one typed call.
//!
//! An MPTCP connection ([RFC 8684]) spreads one byte stream over several TCP connections, its
//! *subflows*. [`subflows()`] asks the kernel for all of them: the id and the addresses of each, and
//! its state as TCP knows it, `struct tcp_info`. One socket option has it all, `MPTCP_FULL_INFO`,
//! since Linux 6.5. An older kernel is asked for the addresses (`MPTCP_SUBFLOW_ADDRS`) and the state
//! (`MPTCP_TCPINFO`) one after the other, without ids; it has these since 5.16.
//!
//! ```no_run
//! use socket2::{Domain, Protocol, Socket, Type};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP))?;
//!     socket.connect(&"192.0.2.1:80".parse::<std::net::SocketAddr>()?.into())?;
//!
//!     for subflow in &mptcp_subflows::subflows(&socket)? {
//!         let tcp = subflow.tcp_info();
//!         print!("{} -> {}", subflow.local(), subflow.remote());
//!         if let (Some(rtt), Some(acked)) = (tcp.rtt(), tcp.bytes_acked()) {
//!             print!(": {rtt:?}, {acked} bytes acked");
//!         }
//!         println!();
//!     }
//!     Ok(())
//! }
//! ```
//!
//! What the call takes care of:
//!
//! * the arrays grow until every subflow fits;
//! * a kernel older than this crate fills fewer fields: those it left out are `None`, not zero. A
//!   newer one knows more fields, which are not fetched; [`Subflows::kernel_tcp_info_size`] tells;
//! * without `MPTCP_FULL_INFO`, addresses and TCP state come from two system calls. They are repeated
//!   until the list of subflows was the same before and after, so that a row never mixes two subflows.
//!
//! The layouts are those of `include/uapi/linux/mptcp.h` and `include/uapi/linux/tcp.h`.
//!
//! [RFC 8684]: https://www.rfc-editor.org/rfc/rfc8684

mod error;
mod query;
mod sys;
mod tcp_info;

use std::net::SocketAddr;
use std::os::fd::AsFd;

pub use error::Error;
pub use tcp_info::{TcpInfo, TcpState};

/// Asks the kernel for every subflow of the MPTCP socket `fd`.
///
/// The connection needs no preparation and is not disturbed: any descriptor will do, also one
/// that came from another process.
///
/// A socket that is not connected yet has no subflow, or one that is closed or listening.
///
/// # Errors
///
/// See [`Error`]: most often the socket is not an MPTCP one, or the connection fell back to TCP.
pub fn subflows(fd: impl AsFd) -> Result<Subflows, Error> {
    query::snapshot(&fd.as_fd())
}

/// How many bytes that were written to the MPTCP socket `fd` the peer has not acknowledged yet, over
/// whatever subflow (`MPTCP_INFO`).
///
/// # Errors
///
/// As those of [`subflows()`].
pub fn unacknowledged(fd: impl AsFd) -> Result<u64, Error> {
    query::unacknowledged(&fd.as_fd())
}

/// The subflows of one connection at one moment, in the kernel's order: the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subflows {
    list: Vec<Subflow>,
    kernel_tcp_info_size: usize,
}

impl Subflows {
    /// The number of subflows.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is no subflow at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The subflows, one after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Subflow> {
        self.list.iter()
    }

    /// The size in bytes of the running kernel's `struct tcp_info`.
    ///
    /// Larger than [`TcpInfo::SIZE`] means that the kernel knows fields that this crate does not,
    /// smaller that the last fields of every [`TcpInfo`] are `None`.
    pub fn kernel_tcp_info_size(&self) -> usize {
        self.kernel_tcp_info_size
    }
}

impl IntoIterator for Subflows {
    type Item = Subflow;
    type IntoIter = std::vec::IntoIter<Subflow>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Subflows {
    type Item = &'a Subflow;
    type IntoIter = std::slice::Iter<'a, Subflow>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

/// One subflow: a TCP connection that carries a part of an MPTCP connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subflow {
    id: Option<u32>,
    local: SocketAddr,
    remote: SocketAddr,
    tcp_info: TcpInfo,
}

impl Subflow {
    /// The kernel's number for this subflow, unique within the connection, also among subflows that
    /// are gone. `None` on a kernel without `MPTCP_FULL_INFO`.
    pub fn id(&self) -> Option<u32> {
        self.id
    }

    /// The address on this side.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The address on the peer's side.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// What TCP knows about this subflow.
    pub fn tcp_info(&self) -> &TcpInfo {
        &self.tcp_info
    }
}
