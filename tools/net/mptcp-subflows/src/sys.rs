// SPDX-License-Identifier: GPL-2.0

//! The one system call, and the seam at which the unit tests put a kernel of their own.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A socket whose options can be read.
pub(crate) trait SocketOptions {
    /// getsockopt(2): hands `buffer` over as it is and returns the length that came back.
    fn get(&self, level: c_int, option: c_int, buffer: &mut [u8]) -> io::Result<usize>;
}

impl SocketOptions for BorrowedFd<'_> {
    #[expect(unsafe_code, reason = "libc offers no safe getsockopt")]
    fn get(&self, level: c_int, option: c_int, buffer: &mut [u8]) -> io::Result<usize> {
        let mut len = libc::socklen_t::try_from(buffer.len())
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;

        // SAFETY: `buffer` is writable for `len` bytes, `len` is writable, and both outlive the
        // call. For the options that this crate reads the kernel keeps no pointer and writes no
        // more than `len` bytes, of which any value is a valid `u8`.
        let ret = unsafe {
            libc::getsockopt(
                self.as_raw_fd(),
                level,
                option,
                buffer.as_mut_ptr().cast(),
                &mut len,
            )
        };

        if ret < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(len as usize)
    }
}
