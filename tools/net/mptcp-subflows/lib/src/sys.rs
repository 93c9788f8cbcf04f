// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! The system calls, and the seam at which the unit tests put a kernel of their own.

#![expect(unsafe_code, reason = "libc offers no safe getsockopt and getsockname")]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::TcpInfo;

const SOL_MPTCP: c_int = 284; // include/linux/socket.h

/// A socket option that the kernel answers within the buffer: it follows no pointer from there.
///
/// [`SocketOptions::get`] is safe because nobody else can make one.
#[derive(PartialEq, Eq)]
pub(crate) struct Plain {
    level: c_int,
    number: c_int,
    pub name: &'static str,
}

impl Plain {
    pub const SO_PROTOCOL: Self = Self {
        level: libc::SOL_SOCKET,
        number: libc::SO_PROTOCOL,
        name: "SO_PROTOCOL",
    };
    pub const TCP_USER_TIMEOUT: Self = Self {
        level: libc::SOL_TCP,
        number: libc::TCP_USER_TIMEOUT,
        name: "TCP_USER_TIMEOUT",
    };
    pub const TCP_INFO: Self = Self {
        level: libc::SOL_TCP,
        number: libc::TCP_INFO,
        name: "TCP_INFO",
    };
    pub const MPTCP_INFO: Self = Self::mptcp(1, "MPTCP_INFO");
    pub const MPTCP_TCPINFO: Self = Self::mptcp(2, "MPTCP_TCPINFO");
    pub const MPTCP_SUBFLOW_ADDRS: Self = Self::mptcp(3, "MPTCP_SUBFLOW_ADDRS");

    const fn mptcp(number: c_int, name: &'static str) -> Self {
        Self {
            level: SOL_MPTCP,
            number,
            name,
        }
    }
}

/// The one with pointers, which is why it is no [`Plain`].
const MPTCP_FULL_INFO: c_int = 4;

/// `struct mptcp_full_info`, without the `mptcp_info` at its end.
#[repr(C)]
#[derive(Default)]
pub(crate) struct FullInfo {
    pub size_tcpinfo_kernel: u32,
    pub size_tcpinfo_user: u32,
    pub size_sfinfo_kernel: u32,
    pub size_sfinfo_user: u32,
    pub num_subflows: u32,
    pub size_arrays_user: u32,
    pub subflow_info: u64,
    pub tcp_info: u64,
}

impl FullInfo {
    pub const SIZE: usize = size_of::<Self>();
}

const _: () = assert!(FullInfo::SIZE == 40);

pub(crate) const SOCKADDR_STORAGE: usize = size_of::<libc::sockaddr_storage>();
/// `struct mptcp_subflow_addrs`: two of `struct sockaddr_storage`.
pub(crate) const SUBFLOW_ADDRS: usize = 2 * SOCKADDR_STORAGE;
/// `struct mptcp_subflow_info`: a number of 32 bits and, at the next pointer's place, the addresses.
pub(crate) const SUBFLOW_INFO: usize = 8 + SUBFLOW_ADDRS;

/// A socket whose options can be read.
pub(crate) trait SocketOptions {
    /// Hands `buffer` over as it is and returns the length that came back.
    fn get(&self, option: &Plain, buffer: &mut [u8]) -> io::Result<usize>;

    /// Reads MPTCP_FULL_INFO, into room for as many elements of [`SUBFLOW_INFO`] and
    /// [`TcpInfo::SIZE`] bytes as fit. Returns the structure as it came back, and how much of it did.
    ///
    /// A kernel with shorter elements puts them side by side.
    fn full_info(
        &self,
        subflow_info: &mut [u8],
        tcp_info: &mut [u8],
    ) -> io::Result<(FullInfo, usize)>;

    /// The socket's own address, or its peer's, as a `struct sockaddr_storage`.
    fn name(&self, whose: Whose) -> io::Result<[u8; SOCKADDR_STORAGE]>;
}

/// Whose address of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Own,
    Peers,
}

impl SocketOptions for BorrowedFd<'_> {
    fn get(&self, option: &Plain, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: The kernel follows no pointer within a `Plain` option's buffer, and any byte is a
        // valid `u8`.
        unsafe { getsockopt(*self, option.level, option.number, buffer) }
    }

    fn full_info(
        &self,
        subflow_info: &mut [u8],
        tcp_info: &mut [u8],
    ) -> io::Result<(FullInfo, usize)> {
        let room = (subflow_info.len() / SUBFLOW_INFO).min(tcp_info.len() / TcpInfo::SIZE);
        let mut info = FullInfo {
            size_tcpinfo_user: TcpInfo::SIZE as u32,
            size_sfinfo_user: SUBFLOW_INFO as u32,
            size_arrays_user: u32::try_from(room).unwrap_or(u32::MAX),
            // Exposed, because the kernel's writes are made through the numbers.
            subflow_info: subflow_info.as_mut_ptr().expose_provenance() as u64,
            tcp_info: tcp_info.as_mut_ptr().expose_provenance() as u64,
            ..FullInfo::default()
        };

        // SAFETY: Behind each pointer the kernel writes at most `size_arrays_user` elements, none
        // longer than the size given for them: no more than the array there, which is borrowed for
        // the whole call and of which any byte is a valid `u8`. `FullInfo` is made of integers.
        let len = unsafe { getsockopt(*self, SOL_MPTCP, MPTCP_FULL_INFO, &mut info) }?;
        Ok((info, len))
    }

    fn name(&self, whose: Whose) -> io::Result<[u8; SOCKADDR_STORAGE]> {
        let mut bytes = [0; SOCKADDR_STORAGE];
        let mut len = SOCKADDR_STORAGE as libc::socklen_t;
        let call = match whose {
            Whose::Own => libc::getsockname,
            Whose::Peers => libc::getpeername,
        };
        // SAFETY: `bytes` is writable for `len` bytes, of which any is a valid `u8`, `len` is
        // writable, and the kernel keeps no pointer to either.
        let ret = unsafe { call(self.as_raw_fd(), bytes.as_mut_ptr().cast(), &mut len) };
        match ret {
            0 => Ok(bytes),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// getsockopt(2): hands `value` over as it is and returns the length that came back.
///
/// # Safety
///
/// Any bytes must be valid in `value`, and wherever else the kernel writes for this option, through
/// pointers that it finds in `value`. It must be allowed to write there.
unsafe fn getsockopt<T: ?Sized>(
    fd: BorrowedFd<'_>,
    level: c_int,
    number: c_int,
    value: &mut T,
) -> io::Result<usize> {
    let mut len = libc::socklen_t::try_from(size_of_val(value))
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;

    // SAFETY: `value` is writable for `len` bytes, `len` is writable, and both outlive the call, of
    // which the kernel keeps no pointer. The caller answers for everything else.
    let ret = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            number,
            std::ptr::from_mut(value).cast(),
            &mut len,
        )
    };

    if ret < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(len as usize)
}
