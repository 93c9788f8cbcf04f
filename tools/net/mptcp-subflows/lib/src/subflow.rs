// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! A subflow, and all of a connection.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use crate::TcpInfo;

/// One subflow: a TCP connection that carries a part of an MPTCP connection.
///
/// The addresses are those of the subflow's own socket. Of an IPv6 socket that carries IPv4 they are
/// v4-mapped, `::ffff:192.0.2.1`: [`IpAddr::to_canonical()`](std::net::IpAddr::to_canonical) has the
/// IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Subflow {
    pub(crate) id: Option<u32>,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) tcp_info: TcpInfo,
    pub(crate) details: Option<Details>,
}

impl Subflow {
    /// One without id and details, for example for a test of what is made of it.
    pub fn new(local: SocketAddr, remote: SocketAddr, tcp_info: TcpInfo) -> Self {
        Self {
            id: None,
            local,
            remote,
            tcp_info,
            details: None,
        }
    }

    /// The same with an id.
    pub fn with_id(self, id: u32) -> Self {
        Self {
            id: Some(id),
            ..self
        }
    }

    /// The same with details.
    pub fn with_details(self, details: Details) -> Self {
        Self {
            details: Some(details),
            ..self
        }
    }

    /// The kernel's number for this subflow, unique within the connection, also among subflows that
    /// are gone. `None` on a kernel without `MPTCP_FULL_INFO`.
    ///
    /// The kernel resets it to 0 when the connect() of the connection's first subflow fails, and when
    /// that subflow is closed before the connection is.
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

    /// What only sock_diag reports: `None` unless the subflow comes from there (feature `diag`).
    pub fn details(&self) -> Option<&Details> {
        self.details.as_ref()
    }
}

/// What sock_diag reports about a subflow, besides what a socket option does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Details {
    pub(crate) cookie: u64,
    pub(crate) interface: Option<NonZeroU32>,
    pub(crate) local_id: Option<u8>,
    pub(crate) remote_id: Option<u8>,
    pub(crate) flags: Option<SubflowFlags>,
}

impl Details {
    /// With nothing but the number of the socket.
    pub fn new(cookie: u64) -> Self {
        Self {
            cookie,
            interface: None,
            local_id: None,
            remote_id: None,
            flags: None,
        }
    }

    /// The same with flags.
    pub fn with_flags(self, flags: SubflowFlags) -> Self {
        Self {
            flags: Some(flags),
            ..self
        }
    }

    /// The kernel's number for the subflow's socket, unique among all sockets since boot.
    pub fn cookie(&self) -> u64 {
        self.cookie
    }

    /// The index of the interface that the subflow is bound to, as a path manager's endpoint or a
    /// link-local address makes it. Most are not bound to one.
    pub fn interface(&self) -> Option<NonZeroU32> {
        self.interface
    }

    /// The id of the local address within the connection.
    pub fn local_id(&self) -> Option<u8> {
        self.local_id
    }

    /// The id of the peer's address within the connection.
    pub fn remote_id(&self) -> Option<u8> {
        self.remote_id
    }

    /// How the subflow came to be, and what it is for. `None`, as the ids, on a kernel that reports
    /// them to `CAP_NET_ADMIN` only.
    pub fn flags(&self) -> Option<SubflowFlags> {
        self.flags
    }
}

/// A set of `MPTCP_SUBFLOW_FLAG_*` bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SubflowFlags(pub(crate) u32);

impl SubflowFlags {
    /// From the kernel's bits.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The kernel's bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    fn has(self, bit: u32) -> bool {
        self.0 & (1 << bit) != 0
    }

    /// This side requested MPTCP in the handshake of the first subflow.
    pub fn capable_local(self) -> bool {
        self.has(1)
    }

    /// The peer agreed to MPTCP in the handshake of the first subflow.
    pub fn capable_remote(self) -> bool {
        self.has(0)
    }

    /// The subflow joined an existing connection.
    pub fn is_join(self) -> bool {
        self.has(2) || self.has(3)
    }

    /// This side wants it to carry data only when no other subflow can.
    pub fn backup_local(self) -> bool {
        self.has(5)
    }

    /// The peer wants it to carry data only when no other subflow can.
    pub fn backup_remote(self) -> bool {
        self.has(4)
    }

    /// Its handshake is complete on the level of MPTCP.
    pub fn is_fully_established(self) -> bool {
        self.has(6)
    }
}

/// The subflows of one connection at one moment, in the kernel's order: the oldest first.
///
/// It is a slice of [`Subflow`] with one more fact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Subflows {
    pub(crate) list: Vec<Subflow>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) kernel_tcp_info_size: usize,
}

impl Subflows {
    /// The size in bytes of the running kernel's `struct tcp_info`.
    ///
    /// Larger than [`TcpInfo::SIZE`] means that the kernel knows fields that this crate does not,
    /// smaller that the last fields of every [`TcpInfo`] are `None`.
    pub fn kernel_tcp_info_size(&self) -> usize {
        self.kernel_tcp_info_size
    }
}

impl std::ops::Deref for Subflows {
    type Target = [Subflow];

    fn deref(&self) -> &[Subflow] {
        &self.list
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

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn subflows_serialize() {
        let [local, remote] = ["192.0.2.1:1", "192.0.2.2:2"].map(|text| text.parse().unwrap());
        let flags = SubflowFlags::from_bits(1 << 5);
        let subflow = Subflow::new(local, remote, TcpInfo::from_bytes(&[1; 4]))
            .with_id(7)
            .with_details(Details::new(8).with_flags(flags));
        let subflows = Subflows {
            list: vec![subflow],
            kernel_tcp_info_size: 4,
        };
        let value = serde_json::to_value(&subflows).unwrap();
        assert_eq!(value[0]["id"], 7);
        assert_eq!(value[0]["local"], "192.0.2.1:1");
        assert_eq!(value[0]["details"]["flags"], 32);
        assert_eq!(value[0]["tcp_info"]["tcpi_state"], 1);
        assert!(value[0]["tcp_info"]["tcpi_rtt"].is_null());
    }
}
