// SPDX-License-Identifier: GPL-2.0

//! A request that stalls at one access of the kernel to the request's memory.

use std::os::fd::BorrowedFd;
use std::ptr;

use anyhow::{Context, Result, ensure};
use mptcp_trials::net::wait_for;
use mptcp_trials::request::{CANARY, Reply, Request, SockOpt};
use mptcp_trials::space::PAGE;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use crate::calls::Call;
use crate::trap::{Kind, Trap};

/// An access of the kernel to user memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// By MPTCP. For 64-bit programs, the socket layer reads `optlen` as well, and earlier.
    OptlenRead,
    HeaderRead,
    /// The array behind the header, or else of `struct mptcp_subflow_info`.
    Array,
    /// The array of `struct tcp_info` of `MPTCP_FULL_INFO`.
    TcpInfo,
    OptlenWrite,
    HeaderWrite,
}

impl Access {
    const ALL: [Self; 6] = [
        Self::OptlenRead,
        Self::HeaderRead,
        Self::Array,
        Self::TcpInfo,
        Self::OptlenWrite,
        Self::HeaderWrite,
    ];

    /// The accesses that a request for `option` makes.
    pub fn of(option: SockOpt) -> impl Iterator<Item = Self> {
        let full = option == SockOpt::FullInfo;
        let all = Self::ALL.into_iter();
        all.filter(move |access| full || *access != Self::TcpInfo)
    }

    /// The page that is accessed, of those in [`Layout`].
    fn page(self) -> usize {
        match self {
            Self::OptlenRead | Self::OptlenWrite => 0,
            Self::HeaderRead | Self::HeaderWrite => 1,
            Self::Array => 2,
            Self::TcpInfo => 3,
        }
    }

    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::OptlenRead => "optlen is read",
            Self::HeaderRead => "header is read",
            Self::Array => "array is written",
            Self::TcpInfo => "tcp_info is written",
            Self::OptlenWrite => "optlen is written",
            Self::HeaderWrite => "header is written",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::OptlenWrite | Self::HeaderWrite => Kind::Write,
            _ => Kind::Any,
        }
    }
}

/// A request in memory of four pages: `optlen`, header, and two arrays. The header ends where the
/// third page begins, since the array of two of the options follows it.
struct Layout {
    request: Request,
    pages: *mut u8,
}

impl Layout {
    fn new(option: SockOpt, room: usize) -> Result<Self> {
        let flags = MapFlags::PRIVATE;
        let all = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: The kernel chooses the place. It stays mapped until the process ends.
        let pages = unsafe { mmap_anonymous(ptr::null_mut(), 4 * PAGE, all, flags) }?;
        let layout = Self {
            request: Request::new(option, room),
            pages: pages.cast(),
        };
        // SAFETY: Just mapped, and nothing else has the address.
        let bytes = unsafe { std::slice::from_raw_parts_mut(layout.pages, 4 * PAGE) };
        bytes.fill(CANARY);
        bytes[..4].copy_from_slice(&(layout.request.optlen() as u32).to_ne_bytes());
        let arrays = layout.arrays();
        let header = &mut bytes[layout.header()..];
        layout.request.write_header(header, arrays[0], arrays[1]);
        Ok(layout)
    }

    /// Offset of the header.
    fn header(&self) -> usize {
        let array = self.request.room * self.request.element();
        2 * PAGE - (self.request.optlen() - array)
    }

    fn page(&self, n: usize) -> *mut u8 {
        self.pages.wrapping_add(n * PAGE)
    }

    fn address(&self, offset: usize) -> usize {
        self.pages.wrapping_add(offset).expose_provenance()
    }

    fn arrays(&self) -> [usize; 2] {
        [2, 3].map(|page| self.address(page * PAGE))
    }

    /// Starts a thread that makes the request.
    fn make(&self, socket: BorrowedFd<'static>) -> Call<i32> {
        let option = self.request.option;
        let (optval, optlen) = (self.address(self.header()), self.address(0));
        // SAFETY: The request lets the kernel write to the layout only.
        Call::begin(move || unsafe { option.call(socket, optval, optlen) })
    }

    /// The result of the request.
    fn reply(&self, ret: i32) -> Reply {
        // SAFETY: The request has returned, so nothing else accesses it.
        let bytes = unsafe { std::slice::from_raw_parts(self.pages, 4 * PAGE) };
        let full = self.request.option == SockOpt::FullInfo;
        let end = if full { 2 * PAGE } else { 3 * PAGE };
        Reply {
            ret,
            optlen: u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            optval: bytes[self.header()..end].to_vec(),
            subflow_info: bytes[2 * PAGE..3 * PAGE].to_vec(),
            tcp_info: bytes[3 * PAGE..].to_vec(),
            arrays: self.arrays(),
        }
    }
}

/// A request that stalls.
pub struct Stalled {
    layout: Layout,
    trap: Trap,
    thread: Call<i32>,
}

impl Stalled {
    /// Makes a request for `option` with room for `room` subflows, and waits until it stalls.
    pub fn begin(
        socket: BorrowedFd<'static>,
        option: SockOpt,
        room: usize,
        access: Access,
    ) -> Result<Self> {
        let layout = Layout::new(option, room)?;
        // SAFETY: It is a page of the layout, which is a private mapping without references.
        let set = || unsafe { Trap::set(layout.page(access.page()), access.kind()) };

        let (trap, thread) = if access == Access::OptlenRead {
            // The socket layer must find the page, and MPTCP must not. In between, MPTCP takes the
            // lock: another stalled request makes it wait there, until the page is gone.
            let holder = Self::begin(socket, option, room, Access::Array)?;
            let thread = layout.make(socket);
            wait_for("a request to wait for the lock", || {
                Ok(thread.sleeps().then_some(()))
            })?;
            let trap = set()?;
            holder.end()?;
            (trap, thread)
        } else {
            (set()?, layout.make(socket))
        };
        trap.wait().context("the access does not stall")?;

        Ok(Self {
            layout,
            trap,
            thread,
        })
    }

    /// Ends the stall, and returns the request with its result.
    pub fn end(self) -> Result<(Request, Reply)> {
        self.trap.release()?;
        let ret = self.thread.end()?;
        ensure!(ret == 0, "the stalled request returned {ret}");
        Ok((self.layout.request, self.layout.reply(ret)))
    }
}
