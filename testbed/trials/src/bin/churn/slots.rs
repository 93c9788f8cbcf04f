// SPDX-License-Identifier: GPL-2.0

//! Where readers find the connections, which are closed and replaced while requests are made.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use socket2::{Protocol, Socket};

/// What the connections of a slot are.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Whether they are of IPv6.
    pub v6: bool,
    /// The protocol of the client's end, and of the server's.
    pub protocols: [Protocol; 2],
}

impl Kind {
    /// Whether both ends support MPTCP.
    pub fn is_mptcp(self) -> bool {
        self.protocols == [Protocol::MPTCP; 2]
    }
}

/// Both ends of a connection, the client's first.
pub type Pair = [Socket; 2];

/// A place for one connection after the other.
#[derive(Debug)]
pub struct Slot {
    /// What they are.
    pub kind: Kind,
    /// How often a connection was added or removed: even while there is one.
    generation: AtomicUsize,
    ends: [AtomicI32; 2],
}

/// A socket as a reader sees it.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Different for each connection of a slot.
    pub generation: usize,
    fd: RawFd,
}

impl View {
    /// The socket, as it was: it may be closed, or the number may be that of another file by now.
    /// It may only be used for what is allowed with any file, such as getsockopt(2).
    pub fn socket(&self) -> BorrowedFd<'_> {
        // SAFETY: As described.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

impl Slot {
    /// An empty place.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            generation: AtomicUsize::new(1),
            ends: Default::default(),
        }
    }

    /// Removes the connection.
    pub fn clear(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Adds another one.
    pub fn fill(&self, pair: &Pair) {
        for (end, socket) in self.ends.iter().zip(pair) {
            end.store(socket.as_raw_fd(), Ordering::SeqCst);
        }
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// One end of the connection, if there is one.
    pub fn view(&self, end: usize) -> Option<View> {
        let generation = self.generation.load(Ordering::SeqCst);
        let fd = self.ends[end].load(Ordering::SeqCst);
        let view = View { generation, fd };
        (generation.is_multiple_of(2) && self.is_current(&view)).then_some(view)
    }

    /// Whether it is still the same connection.
    pub fn is_current(&self, view: &View) -> bool {
        self.generation.load(Ordering::SeqCst) == view.generation
    }
}
