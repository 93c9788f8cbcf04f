// SPDX-License-Identifier: GPL-2.0

//! A page of which the next access stalls, by userfaultfd(2).

use std::ffi::c_void;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use linux_raw_sys::general::{
    UFFD_API, UFFD_EVENT_PAGEFAULT, UFFD_FEATURE_PAGEFAULT_FLAG_WP, UFFDIO_REGISTER_MODE_MISSING,
    UFFDIO_REGISTER_MODE_WP, uffd_msg, uffdio_api, uffdio_copy, uffdio_range, uffdio_register,
    uffdio_writeprotect,
};
use linux_raw_sys::ioctl::{UFFDIO_API, UFFDIO_COPY, UFFDIO_REGISTER, UFFDIO_WRITEPROTECT};
use mptcp_trials::net::wait_readable;
use mptcp_trials::space::PAGE;
use rustix::mm::{Advice, UserfaultfdFlags, madvise, userfaultfd};

/// `UFFDIO_WRITEPROTECT_MODE_WP`, which linux-raw-sys lacks.
const WRITE_PROTECT: u64 = 1;

/// Which accesses stall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first one of any kind, since the page is missing.
    Any,
    /// The first write, since the page is write-protected.
    Write,
}

/// A page of which an access stalls.
#[derive(Debug)]
pub struct Trap {
    uffd: OwnedFd,
    page: *mut u8,
    kind: Kind,
    content: [u8; PAGE],
}

impl Trap {
    /// Lets the next access stall.
    ///
    /// # Safety
    ///
    /// `page` must be a private, anonymous page, to which no reference exists. From here until
    /// [`release`](Self::release), the caller's own accesses stall as well.
    pub unsafe fn set(page: *mut u8, kind: Kind) -> Result<Self> {
        // If reads block, poll(2) returns an error at once.
        let flags = UserfaultfdFlags::CLOEXEC | UserfaultfdFlags::NONBLOCK;
        // SAFETY: Only the page, to which no reference exists, is registered.
        let uffd = unsafe { userfaultfd(flags) }.context("userfaultfd")?;
        // SAFETY: It is a page, as the caller promises.
        let content = unsafe { page.cast::<[u8; PAGE]>().read() };
        let trap = Self {
            uffd,
            page,
            kind,
            content,
        };

        trap.ioctl(
            UFFDIO_API,
            &mut uffdio_api {
                api: UFFD_API.into(),
                features: UFFD_FEATURE_PAGEFAULT_FLAG_WP.into(),
                ioctls: 0,
            },
        )?;
        trap.ioctl(
            UFFDIO_REGISTER,
            &mut uffdio_register {
                range: trap.range(),
                mode: match kind {
                    Kind::Any => UFFDIO_REGISTER_MODE_MISSING.into(),
                    Kind::Write => UFFDIO_REGISTER_MODE_WP.into(),
                },
                ioctls: 0,
            },
        )?;
        match kind {
            // SAFETY: It is a page to which no reference exists, and its content is kept.
            Kind::Any => unsafe { madvise(page.cast(), PAGE, Advice::LinuxDontNeed) }?,
            Kind::Write => trap.protect(WRITE_PROTECT)?,
        }
        Ok(trap)
    }

    /// Waits until an access stalls.
    pub fn wait(&self) -> Result<()> {
        wait_readable(&self.uffd)?;
        let mut message = [0; size_of::<uffd_msg>()];
        let len = rustix::io::read(&self.uffd, &mut message)?;
        ensure!(len == message.len() && u32::from(message[0]) == UFFD_EVENT_PAGEFAULT);
        Ok(())
    }

    /// Lets the access go on, and all others.
    pub fn release(&self) -> Result<()> {
        match self.kind {
            Kind::Any => self.ioctl(
                UFFDIO_COPY,
                &mut uffdio_copy {
                    dst: self.range().start,
                    src: self.content.as_ptr().expose_provenance() as u64,
                    len: PAGE as u64,
                    mode: 0,
                    copy: 0,
                },
            ),
            Kind::Write => self.protect(0),
        }
    }

    fn protect(&self, mode: u64) -> Result<()> {
        let range = self.range();
        self.ioctl(
            UFFDIO_WRITEPROTECT,
            &mut uffdio_writeprotect { range, mode },
        )
    }

    fn range(&self) -> uffdio_range {
        uffdio_range {
            start: self.page.expose_provenance() as u64,
            len: PAGE as u64,
        }
    }

    fn ioctl<T>(&self, request: u32, argument: &mut T) -> Result<()> {
        let argument = (&raw mut *argument).cast::<c_void>();
        // SAFETY: The argument is the one that the request wants, and is about our own page only.
        let ret = unsafe { libc::ioctl(self.uffd.as_fd().as_raw_fd(), request.into(), argument) };
        ensure!(
            ret == 0,
            "userfaultfd: {request:#x}: {}",
            std::io::Error::last_os_error()
        );
        Ok(())
    }
}
