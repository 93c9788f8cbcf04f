// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! One socket as sock_diag reports it: `struct inet_diag_msg` and the attributes behind it.
//!
//! By hand, because netlink-packet-sock-diag does not know what MPTCP adds: a protocol number of more than
//! eight bits, `struct mptcp_info`, and the attributes of a TCP socket that is a subflow. It also needs a
//! newer Rust.

use std::ffi::c_int;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;

use netlink_packet_core::NlasIterator;

use crate::{Error, SubflowFlags, TcpState};

/// include/uapi/linux/inet_diag.h
const INET_DIAG_MSG: usize = 72;
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_ULP_INFO: u16 = 19;
const INET_ULP_INFO_MPTCP: u16 = 3;

/// include/uapi/linux/mptcp_pm.h
const MPTCP_SUBFLOW_ATTR_TOKEN_LOC: u16 = 2;
const MPTCP_SUBFLOW_ATTR_FLAGS: u16 = 8;
const MPTCP_SUBFLOW_ATTR_ID_REM: u16 = 9;
const MPTCP_SUBFLOW_ATTR_ID_LOC: u16 = 10;

/// One socket.
#[derive(Debug)]
pub(super) struct Message<T> {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub state: TcpState,
    pub cookie: u64,
    pub interface: Option<NonZeroU32>,
    pub inode: u32,
    pub uid: u32,
    pub receive_queue: u32,
    pub send_queue: u32,
    pub info: T,
    /// There if the socket is a subflow, and the kernel tells.
    pub ulp: Option<Ulp>,
}

/// What MPTCP reports about a subflow.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ulp {
    pub token: Option<u32>,
    pub flags: Option<SubflowFlags>,
    pub local_id: Option<u8>,
    pub remote_id: Option<u8>,
}

pub(super) fn malformed(reason: &'static str) -> Error {
    Error::Malformed {
        call: "sock_diag",
        reason,
    }
}

impl<T> Message<T> {
    /// `info` makes the socket's own information from its bytes, of which there can be none.
    pub fn parse(payload: &[u8], info: impl Fn(&[u8]) -> T) -> Result<Self, Error> {
        let (header, attributes) = payload
            .split_first_chunk()
            .ok_or_else(|| malformed("length"))?;
        let header = Header(header);
        let interface = header.word(40);
        let local = header.address(4, 8, interface);
        let remote = header.address(6, 24, interface);
        let (Some(local), Some(remote)) = (local, remote) else {
            return Err(malformed("address family"));
        };

        let mut message = Self {
            local,
            remote,
            state: header.0[1].into(),
            cookie: u64::from(header.word(44)) | (u64::from(header.word(48)) << 32),
            interface: NonZeroU32::new(interface),
            receive_queue: header.word(56),
            send_queue: header.word(60),
            uid: header.word(64),
            inode: header.word(68),
            info: info(&[]),
            ulp: None,
        };
        for attribute in NlasIterator::new(attributes) {
            let attribute = attribute.map_err(|_| malformed("attribute"))?;
            match attribute.kind() {
                INET_DIAG_INFO => message.info = info(attribute.value()),
                INET_DIAG_ULP_INFO => message.ulp = ulp(attribute.value())?,
                _ => {}
            }
        }
        Ok(message)
    }
}

/// `struct inet_diag_msg`.
struct Header<'a>(&'a [u8; INET_DIAG_MSG]);

impl Header<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        std::array::from_fn(|n| self.0[at + n])
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.bytes(at))
    }

    /// From the offsets of the port and of the address.
    fn address(&self, port: usize, ip: usize, interface: u32) -> Option<SocketAddr> {
        let port = u16::from_be_bytes(self.bytes(port));
        let ip = match c_int::from(self.0[0]) {
            libc::AF_INET => IpAddr::from(self.bytes::<4>(ip)),
            libc::AF_INET6 => IpAddr::from(self.bytes::<16>(ip)),
            _ => return None,
        };
        Some(match ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                SocketAddrV6::new(ip, port, 0, interface).into()
            }
            _ => SocketAddr::new(ip, port),
        })
    }
}

/// `None` when another protocol than MPTCP sits on top of the socket.
fn ulp(attributes: &[u8]) -> Result<Option<Ulp>, Error> {
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|_| malformed("attribute of the ULP"))?;
        if attribute.kind() == INET_ULP_INFO_MPTCP {
            return subflow(attribute.value()).map(Some);
        }
    }
    Ok(None)
}

fn subflow(attributes: &[u8]) -> Result<Ulp, Error> {
    let mut ulp = Ulp::default();
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|_| malformed("attribute of the subflow"))?;
        let value = attribute.value();
        let number = value.first_chunk().copied().map(u32::from_ne_bytes);
        match attribute.kind() {
            MPTCP_SUBFLOW_ATTR_TOKEN_LOC => ulp.token = number,
            MPTCP_SUBFLOW_ATTR_FLAGS => ulp.flags = number.map(SubflowFlags),
            MPTCP_SUBFLOW_ATTR_ID_LOC => ulp.local_id = value.first().copied(),
            MPTCP_SUBFLOW_ATTR_ID_REM => ulp.remote_id = value.first().copied(),
            _ => {}
        }
    }
    Ok(ulp)
}
