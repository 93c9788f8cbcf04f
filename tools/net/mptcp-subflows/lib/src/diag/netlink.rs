// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! A request to sock_diag, its answer in many datagrams, and the seam at which the unit tests put a
//! kernel of their own.

use std::io;

use netlink_packet_core::{
    DefaultNla, Emitable, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use super::message::malformed;
use crate::Error;

/// include/uapi/linux/sock_diag.h and inet_diag.h
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_REQ_PROTOCOL: u16 = 3;
const INET_DIAG_INFO_BIT: u8 = 1 << (2 - 1);
/// The size of `struct inet_diag_req_v2`.
const INET_DIAG_REQ_V2: usize = 56;

/// The size of `struct nlmsghdr`.
const NLMSG_HDR: usize = 16;

/// The kernel fills datagrams of at most this size.
const DATAGRAM: usize = 1 << 16;

/// To the kernel and back, datagram by datagram.
pub(super) trait Transport {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// Puts the next datagram into `buffer`, which is empty.
    fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<()>;
}

/// The running kernel.
#[derive(Debug)]
pub(super) struct Kernel(Socket);

impl Kernel {
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }
}

impl Transport for Kernel {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.0.send(datagram, 0).map(drop)
    }

    fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        loop {
            match self.0.recv(buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(drop),
            }
        }
    }
}

/// Which sockets to list.
#[derive(Clone, Copy)]
pub(super) struct Request {
    pub name: &'static str,
    family: i32,
    /// `IPPROTO_MPTCP` has more than eight bits.
    protocol: i32,
}

impl Request {
    pub const MPTCP: [Self; 2] = Self::both("sock_diag of MPTCP", libc::IPPROTO_MPTCP);
    pub const TCP: [Self; 2] = Self::both("sock_diag of TCP", libc::IPPROTO_TCP);

    const fn both(name: &'static str, protocol: i32) -> [Self; 2] {
        let [ipv4, ipv6] = [libc::AF_INET, libc::AF_INET6];
        [
            Self {
                name,
                family: ipv4,
                protocol,
            },
            Self {
                name,
                family: ipv6,
                protocol,
            },
        ]
    }

    fn datagram(&self, states: u32) -> Vec<u8> {
        let protocol = self.protocol.to_ne_bytes().to_vec();
        let protocol = DefaultNla::new(INET_DIAG_REQ_PROTOCOL, protocol);
        let len = NLMSG_HDR + INET_DIAG_REQ_V2 + protocol.buffer_len();

        let mut bytes = vec![0; len];
        let mut header = NetlinkBuffer::new(&mut bytes);
        header.set_length(len as u32);
        header.set_message_type(SOCK_DIAG_BY_FAMILY);
        header.set_flags(NLM_F_REQUEST | NLM_F_DUMP);

        let (request, attribute) = bytes[NLMSG_HDR..].split_at_mut(INET_DIAG_REQ_V2);
        request[0] = self.family as u8;
        // The protocol that follows is none, so that a kernel that does not know the attribute has
        // nothing to list.
        request[2] = INET_DIAG_INFO_BIT;
        request[4..8].copy_from_slice(&states.to_ne_bytes());
        protocol.emit(attribute);
        bytes
    }
}

/// Calls `each` with every message that answers `request`, for sockets in one of the `states`.
pub(super) fn dump(
    transport: &mut impl Transport,
    request: &Request,
    states: u32,
    mut each: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let os = |source| Error::Os {
        call: request.name,
        source,
    };
    transport.send(&request.datagram(states)).map_err(os)?;

    let mut datagram = Vec::with_capacity(DATAGRAM);
    loop {
        datagram.clear();
        transport.receive(&mut datagram).map_err(os)?;
        let mut rest = &datagram[..];
        if rest.is_empty() {
            return Err(malformed("empty datagram"));
        }
        while !rest.is_empty() {
            let message =
                NetlinkBuffer::new_checked(rest).map_err(|_| malformed("netlink header"))?;
            let payload = message.payload();
            match message.message_type() {
                SOCK_DIAG_BY_FAMILY => each(payload)?,
                // Both begin with an error number, which is negative, or zero.
                NLMSG_DONE | NLMSG_ERROR => {
                    let number = payload.first_chunk().copied().map(i32::from_ne_bytes);
                    return match number {
                        Some(0) => Ok(()),
                        Some(number) if number == -libc::ENOENT => Err(Error::NoDiag),
                        Some(number) if number < 0 => {
                            Err(os(io::Error::from_raw_os_error(-number)))
                        }
                        _ => Err(malformed("end")),
                    };
                }
                _ => {}
            }
            // Each message starts at a multiple of four.
            let len = (message.length() as usize).next_multiple_of(4);
            rest = rest.get(len..).unwrap_or_default();
        }
    }
}
