// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! How the kernel is asked, and its answer checked.
//!
//! `snapshot()` is the one place that knows which options the picture is made of.

use std::ffi::c_int;
use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::sys::{
    FullInfo, Plain, SOCKADDR_STORAGE, SUBFLOW_ADDRS, SUBFLOW_INFO, SocketOptions, Whose,
};
use crate::{Error, MptcpInfo, Subflow, Subflows, TcpInfo};

const MPTCP_FULL_INFO: &str = "MPTCP_FULL_INFO";

/// Room for this many subflows at first, and this many more than the kernel said it needs.
const ROOM: usize = 8;
/// Far more subflows than any connection has: a larger count is not believed.
const ROOM_MAX: usize = 1 << 16;
/// How often to try again when the connection changes meanwhile.
const ATTEMPTS: u32 = 16;

fn malformed(call: &'static str, reason: &'static str) -> Error {
    Error::Malformed { call, reason }
}

fn os(call: &'static str, source: io::Error) -> Error {
    Error::Os { call, source }
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

/// The elements of one answer, in a buffer that is used again for the next one.
#[derive(Debug, Clone, Default)]
struct Elements {
    bytes: Vec<u8>,
    /// Where they begin.
    start: usize,
    size: usize,
    size_kernel: usize,
    number: usize,
}

impl Elements {
    /// Room for `start` bytes and this many elements.
    fn room(&mut self, start: usize, room: usize, element: &Element) -> &mut [u8] {
        self.start = start;
        self.bytes.clear();
        self.bytes.resize(start + room * element.size, 0);
        &mut self.bytes
    }

    /// Takes over the kernel's numbers; `number` of elements are there, if there was room for them.
    fn filled(
        &mut self,
        call: &'static str,
        element: &Element,
        [size_kernel, size_user]: [u32; 2],
        number: usize,
    ) -> Result<(), Error> {
        let (size_kernel, size) = (size_kernel as usize, size_user as usize);
        if size != element.size.min(size_kernel) || size < element.least {
            return Err(malformed(call, "size of an element"));
        }
        let room = (self.bytes.len() - self.start) / size;
        (self.size, self.size_kernel, self.number) = (size, size_kernel, number.min(room));
        Ok(())
    }

    fn iter(&self) -> std::slice::ChunksExact<'_, u8> {
        self.bytes[self.start..][..self.number * self.size].chunks_exact(self.size)
    }

    fn same(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// What the answers of the kernel are read into.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers {
    addrs: Elements,
    info: Elements,
    again: Elements,
}

/// Addresses and TCP state, of the same subflows.
pub(crate) fn snapshot(
    socket: &impl SocketOptions,
    buffers: &mut Buffers,
    subflows: &mut Subflows,
) -> Result<(), Error> {
    subflows.list.clear();
    let call = match full_info(socket, buffers) {
        Ok(()) => MPTCP_FULL_INFO,
        // Not so after a fallback to TCP, although the error number is the same.
        Err(Error::Unsupported(_)) => {
            addrs_and_tcp_info(socket, buffers)?;
            Plain::MPTCP_SUBFLOW_ADDRS.name
        }
        Err(error) => return Err(error),
    };
    join(call, buffers, subflows)
}

/// All in one answer, as of Linux 6.5.
fn full_info(socket: &impl SocketOptions, buffers: &mut Buffers) -> Result<(), Error> {
    let call = MPTCP_FULL_INFO;
    let Buffers { addrs, info, .. } = buffers;
    until_all_fit(call, |room| {
        let addrs_room = addrs.room(0, room, &ID_AND_ADDRS);
        let info_room = info.room(0, room, &TCP_INFO);
        let (full, len) = socket
            .full_info(addrs_room, info_room)
            .map_err(|error| explain(socket, call, error))?;
        if len != FullInfo::SIZE {
            return Err(malformed(call, "length"));
        }

        let number = full.num_subflows as usize;
        let sizes = [full.size_sfinfo_kernel, full.size_sfinfo_user];
        addrs.filled(call, &ID_AND_ADDRS, sizes, number)?;
        let sizes = [full.size_tcpinfo_kernel, full.size_tcpinfo_user];
        info.filled(call, &TCP_INFO, sizes, number)?;
        Ok(number)
    })
}

/// One after the other, without ids, until the addresses were the same before and after.
fn addrs_and_tcp_info(socket: &impl SocketOptions, buffers: &mut Buffers) -> Result<(), Error> {
    let Buffers { addrs, info, again } = buffers;
    fetch(socket, &Plain::MPTCP_SUBFLOW_ADDRS, &ADDRS, addrs)?;

    for _ in 0..ATTEMPTS {
        fetch(socket, &Plain::MPTCP_TCPINFO, &TCP_INFO, info)?;
        fetch(socket, &Plain::MPTCP_SUBFLOW_ADDRS, &ADDRS, again)?;
        if addrs.same(again) && info.number == addrs.number {
            return Ok(());
        }
        std::mem::swap(addrs, again);
    }
    Err(Error::Unstable(ATTEMPTS))
}

/// The subflows from their addresses, with an id in front or without, and their TCP state.
fn join(call: &'static str, buffers: &Buffers, subflows: &mut Subflows) -> Result<(), Error> {
    let Buffers { addrs, info, .. } = buffers;
    subflows.kernel_tcp_info_size = info.size_kernel;
    for (addrs_of, info_of) in addrs.iter().zip(info.iter()) {
        let (id, pair) = addrs_of.split_at(addrs_of.len() - SUBFLOW_ADDRS);
        let (local, remote) = pair.split_at(SOCKADDR_STORAGE);
        let address = |bytes| address(bytes).ok_or_else(|| malformed(call, "address family"));
        let info = TcpInfo::from_bytes(info_of);
        let subflow = Subflow::new(address(local)?, address(remote)?, info);
        subflows.list.push(match id.first_chunk().copied() {
            Some(id) => subflow.with_id(u32::from_ne_bytes(id)),
            None => subflow,
        });
    }
    Ok(())
}

/// `struct mptcp_info` of the whole connection.
pub(crate) fn mptcp_info(socket: &impl SocketOptions) -> Result<MptcpInfo, Error> {
    let option = Plain::MPTCP_INFO;
    let mut bytes = [0; MptcpInfo::SIZE];
    let len = socket
        .get(&option, &mut bytes)
        .map_err(|error| explain(socket, option.name, error))?;
    let filled = bytes.get(..len).filter(|filled| !filled.is_empty());
    let filled = filled.ok_or_else(|| malformed(option.name, "length"))?;
    Ok(MptcpInfo::from_bytes(filled))
}

/// The one TCP connection that is left after a fallback.
pub(crate) fn fallback(socket: &impl SocketOptions) -> Result<Option<Subflow>, Error> {
    match mptcp_info(socket) {
        Ok(_) => return Ok(None),
        Err(Error::Fallback) => {}
        Err(error) => return Err(error),
    }
    let option = Plain::TCP_INFO;
    let mut bytes = [0; TcpInfo::SIZE];
    let len = socket
        .get(&option, &mut bytes)
        .map_err(|source| os(option.name, source))?;
    let name = |whose, call| {
        let bytes = socket.name(whose).map_err(|source| os(call, source))?;
        address(&bytes).ok_or_else(|| malformed(call, "address family"))
    };
    Ok(Some(Subflow::new(
        name(Whose::Own, "the local address")?,
        name(Whose::Peers, "the peer's address")?,
        TcpInfo::from_bytes(&bytes[..len.min(TcpInfo::SIZE)]),
    )))
}

/// All elements that `option` returns behind its header.
fn fetch(
    socket: &impl SocketOptions,
    option: &Plain,
    element: &Element,
    elements: &mut Elements,
) -> Result<(), Error> {
    let malformed = |reason| malformed(option.name, reason);
    until_all_fit(option.name, |room| {
        let bytes = elements.room(Header::SIZE, room, element);
        bytes[..Header::SIZE].copy_from_slice(&Header::request(element.size));
        let len = socket
            .get(option, bytes)
            .map_err(|error| explain(socket, option.name, error))?;

        let header = bytes
            .first_chunk()
            .map(Header::parse)
            .ok_or_else(|| malformed("no header"))?;
        if header.size_subflow_data as usize != Header::SIZE {
            return Err(malformed("size of the header"));
        }
        let number = header.num_subflows as usize;
        let sizes = [header.size_kernel, header.size_user];
        elements.filled(option.name, element, sizes, number)?;
        if len != Header::SIZE + elements.iter().len() * elements.size {
            return Err(malformed("length"));
        }
        Ok(number)
    })
}

/// Calls `read` with the number of subflows to make room for. It returns their real number; the
/// answer is complete if that many fit.
fn until_all_fit(
    call: &'static str,
    mut read: impl FnMut(usize) -> Result<usize, Error>,
) -> Result<(), Error> {
    let mut room = ROOM;

    for _ in 0..ATTEMPTS {
        let number = read(room)?;
        if number <= room {
            return Ok(());
        }
        if number > ROOM_MAX {
            return Err(malformed(call, "number of subflows"));
        }
        room = number + ROOM;
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
        _ => os(option, error),
    }
}

#[cfg(test)]
mod tests;
