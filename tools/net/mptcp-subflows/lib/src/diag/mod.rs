// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! All MPTCP connections of a network namespace, with their subflows, as `ss -M` and `ss -t` list them.
//!
//! They come through sock_diag netlink, which takes no privileges and does not touch the processes
//! that own the connections. A connection is listed from its first SYN on, also before it is accepted
//! and after its process has ended.
//!
//! ```no_run
//! use mptcp_subflows::diag::{CONNECTED, Diag};
//!
//! fn main() -> Result<(), mptcp_subflows::Error> {
//!     for connection in &Diag::new()?.connections(&CONNECTED)?.list {
//!         println!("{} -> {}", connection.local, connection.remote);
//!         for subflow in &connection.subflows {
//!             let tcp = subflow.tcp_info();
//!             println!("    {} -> {}: {:?}", subflow.local(), subflow.remote(), tcp.rtt());
//!         }
//!     }
//!     Ok(())
//! }
//! ```

mod group;
mod message;
mod netlink;

use std::net::SocketAddr;

use crate::{Error, MptcpInfo, Subflow, TcpInfo, TcpState};

use message::Message;
use netlink::{Kernel, Request, Transport};

/// The states of a connection, from the first SYN to the last ACK.
pub const CONNECTED: [TcpState; 8] = [
    TcpState::Established,
    TcpState::SynSent,
    TcpState::FinWait1,
    TcpState::FinWait2,
    TcpState::CloseWait,
    TcpState::LastAck,
    TcpState::Closing,
    TcpState::SynRecv,
];

/// One MPTCP socket, with its subflows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Connection {
    /// The address on this side, of the first subflow. Of an IPv6 socket that carries IPv4 it is
    /// v4-mapped.
    pub local: SocketAddr,
    /// The address on the peer's side, of the first subflow. Unspecified for a listening socket.
    pub remote: SocketAddr,
    /// The state of the connection as a whole.
    pub state: TcpState,
    /// The kernel's number for the socket, unique among all sockets since boot.
    pub cookie: u64,
    /// The socket's inode, by which `/proc/PID/fd` names it. 0 when no process has a descriptor of it:
    /// before it is accepted, and after it was closed.
    pub inode: u32,
    /// The user who created the socket.
    pub uid: u32,
    /// Bytes that wait to be read. For a listening socket: connections that wait to be accepted.
    pub receive_queue: u32,
    /// Bytes that wait to be sent or acknowledged. For a listening socket: its backlog.
    pub send_queue: u32,
    /// Token, totals and limits.
    pub info: MptcpInfo,
    /// The subflows, the first one of the connection in front while it lasts.
    pub subflows: Vec<Subflow>,
}

/// Why a connection fell back to plain TCP, as far as the kernel reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Fallback {
    /// The peer's SYN-ACK did not agree to MPTCP: it does not support MPTCP, or something on the path
    /// strips its options.
    Handshake,
    /// MPTCP was agreed on, and then data came without its options, or damaged.
    Later,
    /// This side did not request MPTCP, for example because it failed on this path before.
    NotRequested,
    /// The kernel does not report it.
    Unknown,
}

impl Connection {
    /// Why the connection fell back to plain TCP, or `None` if it did not.
    pub fn fallback(&self) -> Option<Fallback> {
        if self.info.is_fallback() != Some(true) {
            return None;
        }
        let flags = self.subflows.iter().find_map(|s| s.details()?.flags());
        Some(match flags {
            None => Fallback::Unknown,
            Some(flags) if flags.capable_remote() => Fallback::Later,
            Some(flags) if flags.capable_local() => Fallback::Handshake,
            Some(_) => Fallback::NotRequested,
        })
    }
}

/// What [`Diag::connections()`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connections {
    /// The connections, in no particular order.
    pub list: Vec<Connection>,
    /// The kernel did not report which connection a subflow belongs to. Each connection then has at most
    /// its first subflow, which has the connection's addresses. Before Linux 6.15, this is what a
    /// caller without `CAP_NET_ADMIN` gets.
    pub limited: bool,
}

/// A netlink socket to list connections with.
#[derive(Debug)]
pub struct Diag {
    kernel: Kernel,
}

impl Diag {
    /// Opens one in the calling thread's network namespace, which it keeps to.
    ///
    /// # Errors
    ///
    /// [`Error::Os`] when the system refuses.
    pub fn new() -> Result<Self, Error> {
        let kernel = Kernel::open().map_err(|source| Error::Os {
            call: "sock_diag",
            source,
        })?;
        Ok(Self { kernel })
    }

    /// Lists the MPTCP sockets in one of these states, for example [`CONNECTED`]. Their subflows can
    /// be in any state.
    ///
    /// # Errors
    ///
    /// [`Error::NoDiag`] when the kernel cannot list MPTCP connections, and [`Error::Os`] or
    /// [`Error::Malformed`].
    pub fn connections(&mut self, states: &[TcpState]) -> Result<Connections, Error> {
        connections(&mut self.kernel, states)
    }
}

fn connections(transport: &mut impl Transport, states: &[TcpState]) -> Result<Connections, Error> {
    let mut list = Vec::new();
    for request in Request::MPTCP {
        netlink::dump(transport, &request, bits(states), |payload| {
            list.push(connection(Message::parse(payload, MptcpInfo::from_bytes)?));
            Ok(())
        })?;
    }
    // Connections first: those that are opened meanwhile are not listed, rather than without subflows.
    let mut subflows = Vec::new();
    for request in Request::TCP {
        netlink::dump(transport, &request, bits(&CONNECTED), |payload| {
            subflows.push(Message::parse(payload, TcpInfo::from_bytes)?);
            Ok(())
        })?;
    }
    let limited = group::join(&mut list, subflows);
    Ok(Connections { list, limited })
}

fn bits(states: &[TcpState]) -> u32 {
    states
        .iter()
        .filter_map(|state| 1u32.checked_shl(u8::from(*state).into()))
        .fold(0, |all, bit| all | bit)
}

fn connection(message: Message<MptcpInfo>) -> Connection {
    Connection {
        local: message.local,
        remote: message.remote,
        state: message.state,
        cookie: message.cookie,
        inode: message.inode,
        uid: message.uid,
        receive_queue: message.receive_queue,
        send_queue: message.send_queue,
        info: message.info,
        subflows: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
