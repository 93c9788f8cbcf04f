// SPDX-License-Identifier: GPL-2.0

//! How the kernel is asked, and its answer checked.
//!
//! `snapshot()` is the one place that knows which options the picture is made of: MPTCP_FULL_INFO,
//! which newer kernels have, can be used there without any change to what callers see.

use std::ffi::c_int;
use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::sys::SocketOptions;
use crate::{Error, Subflow, Subflows, TcpInfo};

// include/uapi/linux/mptcp.h and include/linux/socket.h
const SOL_MPTCP: c_int = 284;
const MPTCP_INFO: (c_int, &str) = (1, "MPTCP_INFO");
const MPTCP_TCPINFO: Array = Array {
    option: 2,
    name: "MPTCP_TCPINFO",
    element: TcpInfo::SIZE,
};
const MPTCP_SUBFLOW_ADDRS: Array = Array {
    option: 3,
    name: "MPTCP_SUBFLOW_ADDRS",
    element: 2 * SOCKADDR_STORAGE,
};
const SOCKADDR_STORAGE: usize = 128;

/// Room for this many subflows at first, and this many more than the kernel said it needs.
const ROOM: usize = 8;
/// Far more subflows than any connection has: a larger count is not believed.
const ROOM_MAX: usize = 1 << 16;
/// How often to try again when the connection changes meanwhile.
const ATTEMPTS: u32 = 16;

/// A socket option that returns a header and one element per subflow.
struct Array {
    option: c_int,
    name: &'static str,
    /// The size of an element as this crate knows it.
    element: usize,
}

impl Array {
    fn malformed(&self, reason: &'static str) -> Error {
        Error::Malformed {
            option: self.name,
            reason,
        }
    }
}

/// `struct mptcp_subflow_data`, which precedes the elements.
///
/// The kernel writes no more of its own header than this size, and puts the elements right behind
/// it, also should its header have grown.
struct Header {
    size_subflow_data: u32,
    num_subflows: u32,
    size_kernel: u32,
    size_user: u32,
}

impl Header {
    const SIZE: usize = 16;

    fn request(element: usize) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0..4].copy_from_slice(&(Self::SIZE as u32).to_ne_bytes());
        bytes[12..16].copy_from_slice(&(element as u32).to_ne_bytes());
        bytes
    }

    fn parse(bytes: &[u8; Self::SIZE]) -> Self {
        let [a, b, c, d] = [0, 4, 8, 12]
            .map(|at| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        Self {
            size_subflow_data: a,
            num_subflows: b,
            size_kernel: c,
            size_user: d,
        }
    }
}

/// One complete answer.
#[derive(PartialEq)]
struct Elements {
    bytes: Vec<u8>,
    size: usize,
    size_kernel: usize,
}

impl Elements {
    fn iter(&self) -> std::slice::ChunksExact<'_, u8> {
        self.bytes.chunks_exact(self.size)
    }
}

/// Addresses and TCP state, of the same subflows.
pub(crate) fn snapshot(socket: &impl SocketOptions) -> Result<Subflows, Error> {
    let mut before = fetch(socket, &MPTCP_SUBFLOW_ADDRS)?;

    for _ in 0..ATTEMPTS {
        let info = fetch(socket, &MPTCP_TCPINFO)?;
        let after = fetch(socket, &MPTCP_SUBFLOW_ADDRS)?;
        if before == after && info.iter().len() == before.iter().len() {
            let list = before.iter().zip(info.iter()).map(|(addrs, info)| {
                Ok(Subflow {
                    local: address(&addrs[..SOCKADDR_STORAGE])?,
                    remote: address(&addrs[SOCKADDR_STORAGE..])?,
                    tcp_info: TcpInfo::new(info),
                })
            });
            return Ok(Subflows {
                list: list.collect::<Result<_, Error>>()?,
                kernel_tcp_info_size: info.size_kernel,
            });
        }
        before = after;
    }
    Err(Error::Unstable(ATTEMPTS))
}

/// The distance from `mptcpi_snd_una` to `mptcpi_write_seq` in `struct mptcp_info`.
pub(crate) fn unacknowledged(socket: &impl SocketOptions) -> Result<u64, Error> {
    let (option, name) = MPTCP_INFO;
    let mut bytes = [0; 32]; // as far as it is needed here
    let len = socket
        .get(SOL_MPTCP, option, &mut bytes)
        .map_err(|error| explain(socket, name, error))?;
    let number = |at: usize| bytes[at..].first_chunk().copied().map(u64::from_ne_bytes);
    match (number(16), number(24)) {
        (Some(write_seq), Some(snd_una)) if len == bytes.len() => {
            Ok(write_seq.wrapping_sub(snd_una))
        }
        _ => Err(Error::Malformed {
            option: name,
            reason: "length",
        }),
    }
}

/// All elements of `array`, however many there are.
fn fetch(socket: &impl SocketOptions, array: &Array) -> Result<Elements, Error> {
    let mut room = ROOM;

    for _ in 0..ATTEMPTS {
        let mut bytes = vec![0; Header::SIZE + room * array.element];
        bytes[..Header::SIZE].copy_from_slice(&Header::request(array.element));
        let len = socket
            .get(SOL_MPTCP, array.option, &mut bytes)
            .map_err(|error| explain(socket, array.name, error))?;

        let header = bytes
            .first_chunk()
            .map(Header::parse)
            .ok_or_else(|| array.malformed("no header"))?;
        let (size, size_kernel) = (header.size_user as usize, header.size_kernel as usize);
        let num_subflows = header.num_subflows as usize;

        if header.size_subflow_data as usize != Header::SIZE {
            return Err(array.malformed("size of the header"));
        }
        if size != array.element.min(size_kernel) || size == 0 {
            return Err(array.malformed("size of an element"));
        }
        if array.option == MPTCP_SUBFLOW_ADDRS.option && size != array.element {
            return Err(array.malformed("size of an address"));
        }
        if num_subflows > ROOM_MAX {
            return Err(array.malformed("number of subflows"));
        }
        let fit = num_subflows.min((bytes.len() - Header::SIZE) / size);
        if len != Header::SIZE + fit * size {
            return Err(array.malformed("length"));
        }

        if fit == num_subflows {
            bytes.truncate(len);
            bytes.drain(..Header::SIZE);
            return Ok(Elements {
                bytes,
                size,
                size_kernel,
            });
        }
        room = num_subflows + ROOM;
    }
    Err(Error::Unstable(ATTEMPTS))
}

/// A `struct sockaddr_storage` that holds an IP address.
fn address(bytes: &[u8]) -> Result<SocketAddr, Error> {
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    let ip = match c_int::from(u16::from_ne_bytes([bytes[0], bytes[1]])) {
        libc::AF_INET => bytes[4..].first_chunk::<4>().copied().map(IpAddr::from),
        libc::AF_INET6 => bytes[8..].first_chunk::<16>().copied().map(IpAddr::from),
        _ => None,
    };
    ip.map(|ip| SocketAddr::new(ip, port))
        .ok_or_else(|| MPTCP_SUBFLOW_ADDRS.malformed("address family"))
}

/// Tells apart why the kernel refused.
fn explain(socket: &impl SocketOptions, option: &'static str, error: io::Error) -> Error {
    let int = |level, option| -> Option<c_int> {
        let mut bytes = [0; size_of::<c_int>()];
        socket.get(level, option, &mut bytes).ok()?;
        Some(c_int::from_ne_bytes(bytes))
    };
    match error.raw_os_error() {
        Some(libc::ENOTSOCK) => Error::NotMptcp,
        // Which of the two only tells IPv4 from IPv6, or nothing.
        Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP) => {
            if int(libc::SOL_SOCKET, libc::SO_PROTOCOL) != Some(libc::IPPROTO_MPTCP) {
                Error::NotMptcp
            } else if int(libc::SOL_TCP, libc::TCP_USER_TIMEOUT).is_some() {
                // An MPTCP socket passes everything on to TCP once it fell back. Otherwise no
                // kernel that lacks our option answers this one.
                Error::Fallback
            } else {
                Error::Unsupported(option)
            }
        }
        _ => Error::Os {
            option,
            source: error,
        },
    }
}

#[cfg(test)]
mod tests;
