// SPDX-License-Identifier: GPL-2.0

//! Memory at fixed addresses, that faults where it should.

use std::io;
use std::ptr;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

/// Size of a page.
pub const PAGE: usize = 4096;

/// What the kernel, on behalf of the process, may do with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Read and write.
    Open,
    /// Read.
    ReadOnly,
}

/// Pages at a fixed address, so that every run has the same pointers, and a second view of them that
/// never faults, through which the process fills them and sees what the kernel wrote.
#[derive(Debug)]
pub struct Memory {
    view: *mut u8,
    alias: *mut u8,
    pages: Vec<Page>,
}

impl Memory {
    /// Maps `pages` at `address`, where nothing may be yet.
    ///
    /// # Errors
    ///
    /// As those of the system calls.
    pub fn new(address: usize, pages: &[Page]) -> io::Result<Self> {
        let len = pages.len() * PAGE;
        let file = memfd_create("trials", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, len as u64)?;

        let all = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: The kernel chooses the place.
        let alias = unsafe { mmap(ptr::null_mut(), len, all, flags, &file, 0) }?;
        let memory = Self {
            view: ptr::with_exposed_provenance_mut(address),
            alias: alias.cast(),
            pages: pages.to_vec(),
        };

        for (n, page) in pages.iter().enumerate() {
            let prot = match page {
                Page::Open => all,
                Page::ReadOnly => ProtFlags::READ,
            };
            let place = memory.view.wrapping_add(n * PAGE).cast();
            let flags = MapFlags::SHARED | MapFlags::FIXED_NOREPLACE;
            // SAFETY: Nothing is replaced.
            unsafe { mmap(place, PAGE, prot, flags, &file, (n * PAGE) as u64) }?;
        }
        Ok(memory)
    }

    /// Where the kernel sees it.
    pub fn address(&self) -> usize {
        self.view.addr()
    }

    /// What the kernel may do at `address`, if it sees any of these pages there.
    pub fn page(&self, address: usize) -> Option<Page> {
        let offset = address.wrapping_sub(self.address());
        self.pages.get(offset / PAGE).copied()
    }

    /// The bytes of all pages.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: Mapped until the drop. The kernel writes through the view, but only during a system
        // call that is unsafe for that reason; for anything else there is `bytes_mut()`.
        unsafe { std::slice::from_raw_parts(self.alias, self.pages.len() * PAGE) }
    }

    /// The bytes of all pages.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: As in `bytes()`.
        unsafe { std::slice::from_raw_parts_mut(self.alias, self.pages.len() * PAGE) }
    }

    /// The next access of the kernel to any page will have to fetch it.
    ///
    /// # Errors
    ///
    /// As those of madvise(2).
    pub fn evict(&self) -> io::Result<()> {
        let len = self.pages.len() * PAGE;
        // SAFETY: A shared mapping of a file keeps its content.
        unsafe { madvise(self.view.cast(), len, Advice::LinuxDontNeed) }?;
        Ok(())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let len = self.pages.len() * PAGE;
        for place in [self.view, self.alias] {
            // SAFETY: Ours, and nothing borrows it any more. What can fail is a wrong argument.
            let _ = unsafe { munmap(place.cast(), len) };
        }
    }
}
