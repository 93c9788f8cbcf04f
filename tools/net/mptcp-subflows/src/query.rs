// SPDX-License-Identifier: GPL-2.0

//! How the kernel is asked, and its answer checked.
//!
//! `snapshot()` is the one place that knows which options the picture is made of.

use std::ffi::c_int;
use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::sys::{FullInfo, Plain, SUBFLOW_ADDRS, SUBFLOW_INFO, SocketOptions};
use crate::{Error, Subflow, Subflows, TcpInfo};

const MPTCP_FULL_INFO: &str = "MPTCP_FULL_INFO";

/// Room for this many subflows at first, and this many more than the kernel said it needs.
const ROOM: usize = 8;
/// Far more subflows than any connection has: a larger count is not believed.
const ROOM_MAX: usize = 1 << 16;
/// How often to try again when the connection changes meanwhile.
const ATTEMPTS: u32 = 16;

fn malformed(option: &'static str, reason: &'static str) -> Error {
    Error::Malformed { option, reason }
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

/// Something of which there is one for every subflow.
struct Element {
    /// Its size as this crate knows it.
    size: usize,
    /// With less from a kernel nothing can be done.
    least: usize,
}

const TCP_INFO: Element = Element {
    size: TcpInfo::SIZE,
    least: 1,
};
const ADDRS: Element = Element {
    size: SUBFLOW_ADDRS,
    least: SUBFLOW_ADDRS,
};
/// A kernel of 32 bits has no padding behind the number.
const ID_AND_ADDRS: Element = Element {
    size: SUBFLOW_INFO,
    least: SUBFLOW_INFO - 4,
};

/// The elements of one answer.
#[derive(PartialEq)]
struct Elements {
    option: &'static str,
    bytes: Vec<u8>,
    size: usize,
    size_kernel: usize,
}

impl Elements {
    /// Those of all `num_subflows` if there are as many in `bytes`.
    fn new(
        option: &'static str,
        element: &Element,
        [size_kernel, size_user]: [u32; 2],
        num_subflows: usize,
        mut bytes: Vec<u8>,
    ) -> Result<Self, Error> {
        let (size_kernel, size) = (size_kernel as usize, size_user as usize);
        if size != element.size.min(size_kernel) || size < element.least {
            return Err(malformed(option, "size of an element"));
        }
        bytes.truncate(num_subflows.saturating_mul(size));
        Ok(Self {
            option,
            bytes,
            size,
            size_kernel,
        })
    }

    fn iter(&self) -> std::slice::ChunksExact<'_, u8> {
        self.bytes.chunks_exact(self.size)
    }
}

/// Addresses and TCP state, of the same subflows.
pub(crate) fn snapshot(socket: &impl SocketOptions) -> Result<Subflows, Error> {
    match full_info(socket) {
        // Not so after a fallback to TCP, although the error number is the same.
        Err(Error::Unsupported(_)) => addrs_and_tcp_info(socket),
        answer => answer,
    }
}

/// All in one answer, as of Linux 6.5.
fn full_info(socket: &impl SocketOptions) -> Result<Subflows, Error> {
    let option = MPTCP_FULL_INFO;
    let (addrs, info) = until_all_fit(option, |room| {
        let mut addrs = vec![[0; SUBFLOW_INFO]; room];
        let mut info = vec![[0; TcpInfo::SIZE]; room];
        let (full, len) = socket
            .full_info(&mut addrs, &mut info)
            .map_err(|error| explain(socket, option, error))?;
        if len != FullInfo::SIZE {
            return Err(malformed(option, "length"));
        }

        let num = full.num_subflows as usize;
        let sizes = [full.size_sfinfo_kernel, full.size_sfinfo_user];
        let addrs = Elements::new(option, &ID_AND_ADDRS, sizes, num, addrs.into_flattened())?;
        let sizes = [full.size_tcpinfo_kernel, full.size_tcpinfo_user];
        let info = Elements::new(option, &TCP_INFO, sizes, num, info.into_flattened())?;
        Ok((num, (addrs, info)))
    })?;
    join(&addrs, &info)
}

/// One after the other, without ids, until the addresses were the same before and after.
fn addrs_and_tcp_info(socket: &impl SocketOptions) -> Result<Subflows, Error> {
    let mut before = fetch(socket, &Plain::MPTCP_SUBFLOW_ADDRS, &ADDRS)?;

    for _ in 0..ATTEMPTS {
        let info = fetch(socket, &Plain::MPTCP_TCPINFO, &TCP_INFO)?;
        let after = fetch(socket, &Plain::MPTCP_SUBFLOW_ADDRS, &ADDRS)?;
        if before == after && info.iter().len() == before.iter().len() {
            return join(&before, &info);
        }
        before = after;
    }
    Err(Error::Unstable(ATTEMPTS))
}

/// The subflows from their addresses, with an id in front or without, and their TCP state.
fn join(addrs: &Elements, info: &Elements) -> Result<Subflows, Error> {
    let list = addrs.iter().zip(info.iter()).map(|(addrs_of, info_of)| {
        let (id, pair) = addrs_of.split_at(addrs_of.len() - SUBFLOW_ADDRS);
        let (local, remote) = pair.split_at(SUBFLOW_ADDRS / 2);
        let address =
            |bytes| address(bytes).ok_or_else(|| malformed(addrs.option, "address family"));
        Ok(Subflow {
            id: id.first_chunk().copied().map(u32::from_ne_bytes),
            local: address(local)?,
            remote: address(remote)?,
            tcp_info: TcpInfo::new(info_of),
        })
    });
    Ok(Subflows {
        list: list.collect::<Result<_, Error>>()?,
        kernel_tcp_info_size: info.size_kernel,
    })
}

/// The distance from `mptcpi_snd_una` to `mptcpi_write_seq` in `struct mptcp_info`.
pub(crate) fn unacknowledged(socket: &impl SocketOptions) -> Result<u64, Error> {
    let option = Plain::MPTCP_INFO;
    let mut bytes = [0; 32]; // as far as it is needed here
    let len = socket
        .get(&option, &mut bytes)
        .map_err(|error| explain(socket, option.name, error))?;
    let number = |at: usize| bytes[at..].first_chunk().copied().map(u64::from_ne_bytes);
    match (number(16), number(24)) {
        (Some(write_seq), Some(snd_una)) if len == bytes.len() => {
            Ok(write_seq.wrapping_sub(snd_una))
        }
        _ => Err(malformed(option.name, "length")),
    }
}

/// All elements that `option` returns behind its header.
fn fetch(
    socket: &impl SocketOptions,
    option: &Plain,
    element: &Element,
) -> Result<Elements, Error> {
    let malformed = |reason| malformed(option.name, reason);
    until_all_fit(option.name, |room| {
        let mut bytes = vec![0; Header::SIZE + room * element.size];
        bytes[..Header::SIZE].copy_from_slice(&Header::request(element.size));
        let len = socket
            .get(option, &mut bytes)
            .map_err(|error| explain(socket, option.name, error))?;

        let elements = bytes.split_off(Header::SIZE);
        let header = bytes
            .first_chunk()
            .map(Header::parse)
            .ok_or_else(|| malformed("no header"))?;
        if header.size_subflow_data as usize != Header::SIZE {
            return Err(malformed("size of the header"));
        }
        let num = header.num_subflows as usize;
        let sizes = [header.size_kernel, header.size_user];
        let elements = Elements::new(option.name, element, sizes, num, elements)?;
        if len != Header::SIZE + elements.iter().len() * elements.size {
            return Err(malformed("length"));
        }
        Ok((num, elements))
    })
}

/// Calls `ask` with the number of subflows to make room for. It returns their real number and an
/// answer, which is complete if that many fit.
fn until_all_fit<T>(
    option: &'static str,
    ask: impl Fn(usize) -> Result<(usize, T), Error>,
) -> Result<T, Error> {
    let mut room = ROOM;

    for _ in 0..ATTEMPTS {
        let (num_subflows, answer) = ask(room)?;
        if num_subflows <= room {
            return Ok(answer);
        }
        if num_subflows > ROOM_MAX {
            return Err(malformed(option, "number of subflows"));
        }
        room = num_subflows + ROOM;
    }
    Err(Error::Unstable(ATTEMPTS))
}

/// A `struct sockaddr_storage` that holds an IP address.
fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    let ip = match c_int::from(u16::from_ne_bytes([bytes[0], bytes[1]])) {
        libc::AF_INET => bytes[4..].first_chunk::<4>().copied().map(IpAddr::from),
        libc::AF_INET6 => bytes[8..].first_chunk::<16>().copied().map(IpAddr::from),
        _ => None,
    };
    Some(SocketAddr::new(ip?, port))
}

/// Tells apart why the kernel refused.
fn explain(socket: &impl SocketOptions, option: &'static str, error: io::Error) -> Error {
    let int = |option| -> Option<c_int> {
        let mut bytes = [0; size_of::<c_int>()];
        socket.get(&option, &mut bytes).ok()?;
        Some(c_int::from_ne_bytes(bytes))
    };
    match error.raw_os_error() {
        Some(libc::ENOTSOCK) => Error::NotMptcp,
        // Which of the two only tells IPv4 from IPv6, or nothing.
        Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP) => {
            if int(Plain::SO_PROTOCOL) != Some(libc::IPPROTO_MPTCP) {
                Error::NotMptcp
            } else if int(Plain::TCP_USER_TIMEOUT).is_some() {
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
