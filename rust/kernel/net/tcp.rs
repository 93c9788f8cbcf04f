// SPDX-License-Identifier: GPL-2.0

//! TCP sockets.
//!
//! C header: [`include/net/tcp.h`](srctree/include/net/tcp.h)

use crate::{
    bindings,
    net::inet,
    transmute::AsBytes,
    types::Opaque, //
};

use core::mem::MaybeUninit;

/// A TCP socket.
///
/// # Invariants
///
/// The underlying [`struct tcp_sock`] is initialized.
///
/// [`struct tcp_sock`]: srctree/include/linux/tcp.h
#[repr(transparent)]
pub struct Sock(Opaque<bindings::tcp_sock>);

impl Sock {
    /// Creates a reference to a [`Sock`] from a raw pointer.
    ///
    /// # Safety
    ///
    /// `ptr` must point to an initialized `struct tcp_sock` that stays valid for `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::tcp_sock) -> &'a Self {
        // SAFETY: `Self` is transparent over `struct tcp_sock`, and `ptr` is valid for `'a` by the
        // safety requirements of this function.
        //
        // INVARIANT: The pointee is initialized by the same requirements.
        unsafe { &*ptr.cast() }
    }

    /// Returns the socket as what it is for the layer below.
    #[doc(alias = "inet_sk")]
    #[inline]
    pub fn inet(&self) -> &inet::Sock {
        // SAFETY: A `struct tcp_sock` starts with a `struct inet_sock`, which is initialized by the
        // type invariants and lives as long as `self`.
        unsafe { inet::Sock::from_raw(&raw mut (*self.0.get()).inet_conn.icsk_inet) }
    }

    /// Writes a snapshot of the socket's state and counters to `info`.
    ///
    /// The socket's own lock is taken for a moment, which may sleep: the caller must be in process
    /// context and must not hold it.
    #[doc(alias = "tcp_get_info")]
    #[inline]
    pub fn get_info<'i>(&self, info: &'i mut MaybeUninit<Info>) -> &'i Info {
        // SAFETY: `self` is a valid TCP socket by the type invariants, and starts with a
        // `struct sock`. `info` is valid for writes of a `struct tcp_info`, over which `Info` is
        // transparent.
        unsafe { bindings::tcp_get_info(self.0.get().cast(), info.as_mut_ptr().cast()) };

        // SAFETY: `tcp_get_info()` zeroes the whole structure before it fills in the fields.
        //
        // INVARIANT: Hence padding is initialized, too. C copies the structure to user space on
        // the same ground.
        unsafe { info.assume_init_ref() }
    }
}

/// What TCP tells about a connection, as returned by the socket option `TCP_INFO`.
///
/// It can be had by reference only, since a move need not preserve padding.
///
/// C header: [`include/uapi/linux/tcp.h`](srctree/include/uapi/linux/tcp.h)
///
/// # Invariants
///
/// Every byte is initialized, padding included.
#[repr(transparent)]
pub struct Info(bindings::tcp_info);

// SAFETY: There are no uninitialized bytes by the type invariants, and no interior mutability.
unsafe impl AsBytes for Info {}
