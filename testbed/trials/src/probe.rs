// SPDX-License-Identifier: GPL-2.0

//! Requests that may be invalid in any way, and the writes of the kernel that they lead to.

use std::fmt;
use std::io;
use std::os::fd::AsFd;

use bytemuck::{cast, pod_read_unaligned};

use crate::abi::{self, FullInfo, SubflowData};
use crate::space::{self, Space};

/// A request: bytes in user memory, and pointers to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// The option's number.
    pub option: i32,
    /// The first pointer.
    pub optval: usize,
    /// The second pointer.
    pub optlen: usize,
    /// What the first points to, if memory is there.
    pub header: Vec<u8>,
    /// What the second points to, if memory is there. It overwrites the header where both overlap.
    pub len: i32,
    /// The byte that fills all other memory.
    pub fill: u8,
    /// Whether the first access to each page faults, and the kernel has to map it.
    pub evict: bool,
}

impl Probe {
    /// Fills the user memory with `fill`, and puts the request into it.
    pub fn put(&self, space: &mut Space, fill: u8) -> io::Result<()> {
        space.fill(fill);
        self.put_alone(space);
        if self.evict {
            space.evict()?;
        }
        Ok(())
    }

    /// Puts the request into user memory, and leaves the rest as it is.
    pub fn put_alone(&self, space: &mut Space) {
        space.put(self.optval, &self.header);
        space.put(self.optlen, &self.len.to_ne_bytes());
    }

    /// Makes the request. Fails if a pointer, as it is in `space` now, is to where the program may have
    /// memory.
    pub fn make(&self, space: &mut Space, socket: impl AsFd) -> io::Result<i32> {
        let (optval, optlen) = (self.optval, self.optlen);
        // Of an array, the first element is enough: the next ones are close.
        let first = planned(self, space, Some(1)).unwrap_or_default();
        let arrays = first.iter().filter(|write| write.len > 0);
        let mut pointers = arrays.map(|write| write.address).chain([optval, optlen]);
        if let Some(pointer) = pointers.find(|pointer| space::is_program(*pointer)) {
            return Err(io::Error::other(format!(
                "the program itself may have memory at {pointer:#x}: {self}"
            )));
        }

        // SAFETY: The kernel writes to no page but those of `space`, to which nothing has a reference
        // but this function: other pointers are to where no program has memory, as was seen above.
        Ok(unsafe { abi::getsockopt(socket, abi::SOL_MPTCP, self.option, optval, optlen) })
    }

    /// The option's name, or number.
    pub fn name(&self) -> String {
        match abi::name(self.option) {
            Some(name) => name.into(),
            None => format!("option {}", self.option),
        }
    }

    /// The byte of the request at `address`.
    pub fn byte(&self, address: usize) -> Option<u8> {
        let len = self.len.to_ne_bytes();
        let len = len.get(address.wrapping_sub(self.optlen));
        len.or_else(|| self.header.get(address.wrapping_sub(self.optval)))
            .copied()
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (optval, optlen, len) = (self.optval, self.optlen, self.len);
        write!(
            f,
            "{}, optlen {optlen:#x} holds {len}, optval {optval:#x}",
            self.name()
        )?;
        match self.header.len() {
            0 => (),
            16 => write!(f, " {:?}", pod_read_unaligned::<SubflowData>(&self.header))?,
            _ => write!(f, " {:x?}", pod_read_unaligned::<FullInfo>(&self.header))?,
        }
        if self.evict {
            write!(f, ", pages absent")?;
        }
        Ok(())
    }
}

/// What the kernel writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The length of the result.
    Optlen,
    /// The header, and behind it `struct mptcp_info`.
    Header,
    /// `struct mptcp_info` alone.
    Info,
    /// `struct tcp_info` of a subflow.
    TcpInfo(usize),
    /// `struct mptcp_subflow_addrs` of a subflow.
    Addrs(usize),
    /// `struct mptcp_subflow_info` of a subflow.
    SubflowInfo(usize),
}

/// A write of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// What is written.
    pub what: What,
    /// Where to.
    pub address: usize,
    /// How much of it.
    pub len: usize,
}

/// The writes of the kernel for `probe`, which is in `space`, in their order. If one faults, it is the
/// last, and as long as the kernel gets. A socket that refuses the options has no number of subflows.
pub fn writes(probe: &Probe, space: &Space, subflows: Option<usize>) -> Vec<Write> {
    let mut writes = planned(probe, space, subflows).unwrap_or_default();
    for (n, write) in writes.iter_mut().enumerate() {
        let len = space.writable(write.address, write.len);
        if len < write.len {
            // optlen is written with one store: all of it, or nothing.
            write.len = if write.what == What::Optlen { 0 } else { len };
            writes.truncate(n + 1);
            break;
        }
    }
    writes
}

fn planned(probe: &Probe, space: &Space, subflows: Option<usize>) -> Option<Vec<Write>> {
    let len = i32::from_ne_bytes(space.read(probe.optlen)?);
    let num = subflows?;
    let optlen = Write {
        what: What::Optlen,
        address: probe.optlen,
        len: size_of_val(&len),
    };
    let header = |what, len| Write {
        what,
        address: probe.optval,
        len,
    };
    let array = |what: fn(usize) -> What, begin: u64, size: usize, room: usize| {
        (0..num.min(room)).map(move |n| {
            let address = begin.wrapping_add((n * size) as u64);
            Write {
                what: what(n),
                address: match usize::try_from(address) {
                    Ok(address) => address,
                    Err(_) if abi::KERNEL_HAS_32_BITS => address as usize,
                    // A 32-bit program has no memory at a larger address.
                    Err(_) => 0,
                },
                len: size,
            }
        })
    };

    match probe.option {
        abi::MPTCP_INFO if len != 0 => {
            let len = (len as usize).min(abi::MPTCP_INFO_SIZE);
            Some(vec![optlen, header(What::Info, len)])
        }
        abi::MPTCP_TCPINFO | abi::MPTCP_SUBFLOW_ADDRS => {
            let room = usize::try_from(len).ok()?;
            let data: SubflowData = cast(space.read::<{ size_of::<SubflowData>() }>(probe.optval)?);
            let (what, size): (fn(usize) -> What, _) = match probe.option {
                abi::MPTCP_TCPINFO => (What::TcpInfo, abi::TCP_INFO_SIZE),
                _ => (What::Addrs, abi::SUBFLOW_ADDRS_SIZE),
            };
            let begin = int(data.size_subflow_data)?;
            let size = int(data.size_user)?.min(size);
            if data.num_subflows != 0 || data.size_kernel != 0 || begin < size_of_val(&data) {
                return None;
            }
            let room = room.checked_sub(begin)?.checked_div(size).unwrap_or(0);
            let elements = array(
                what,
                (probe.optval as u64).wrapping_add(begin as u64),
                size,
                room,
            );
            let end = [optlen, header(What::Header, size_of_val(&data))];
            Some(elements.chain(end).collect())
        }
        abi::MPTCP_FULL_INFO => {
            let len = usize::try_from(len).ok()?;
            let full: FullInfo = cast(space.read::<{ size_of::<FullInfo>() }>(probe.optval)?);
            let tcp_info = int(full.size_tcpinfo_user)?.min(abi::TCP_INFO_SIZE);
            let subflow_info = int(full.size_sfinfo_user)?.min(abi::SUBFLOW_INFO_SIZE);
            let kernels = full.num_subflows | full.size_tcpinfo_kernel | full.size_sfinfo_kernel;
            if kernels != 0 || len < size_of_val(&full) {
                return None;
            }
            let room = full.size_arrays_user as usize;
            let subflow_info = array(What::SubflowInfo, full.subflow_info, subflow_info, room);
            let tcp_info = array(What::TcpInfo, full.tcp_info, tcp_info, room);
            let elements = subflow_info.zip(tcp_info).flat_map(|(a, b)| [a, b]);
            let len = len.min(size_of_val(&full) + abi::MPTCP_INFO_SIZE);
            let end = [optlen, header(What::Header, len)];
            Some(elements.chain(end).collect())
        }
        _ => None,
    }
}

/// A size, which the kernel stores as an `int`.
fn int(size: u32) -> Option<usize> {
    i32::try_from(size).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use bytemuck::bytes_of;

    use super::*;
    use crate::space::near;

    /// Where 32-bit programs are.
    const PROGRAM: usize = 0x5655_5000;

    #[test]
    fn no_pointer_is_to_the_program() {
        let mut space = Space::new().unwrap();
        let mut make = |optval, optlen, subflow_info, tcp_info| {
            let header = FullInfo {
                size_tcpinfo_user: 8,
                size_sfinfo_user: 8,
                size_arrays_user: 1,
                subflow_info: subflow_info as u64,
                tcp_info: tcp_info as u64,
                ..Default::default()
            };
            let probe = Probe {
                option: abi::MPTCP_FULL_INFO,
                optval,
                optlen,
                header: bytes_of(&header).to_vec(),
                len: 40,
                ..Default::default()
            };
            probe.put(&mut space, 0).unwrap();
            probe.make(&mut space, File::open("/dev/null").unwrap())
        };

        assert_eq!(make(near(0), near(1), 0, near(3)).unwrap(), -libc::ENOTSOCK);
        assert!(make(PROGRAM, near(1), 0, near(3)).is_err());
        assert!(make(near(0), PROGRAM, 0, near(3)).is_err());
        assert!(make(near(0), near(1), PROGRAM, near(3)).is_err());
        assert!(make(near(0), near(1), 0, PROGRAM).is_err());
    }
}
