// SPDX-License-Identifier: GPL-2.0

//! Sockets.
//!
//! C header: [`include/net/sock.h`](srctree/include/net/sock.h)

use crate::{
    bindings,
    types::NotThreadSafe, //
};

use core::ops::Deref;

/// A type that wraps a protocol's socket, which starts with a [`struct sock`].
///
/// # Safety
///
/// [`AsSock::as_sock`] must return a pointer to an initialized [`struct sock`] that stays valid for
/// as long as `self` is borrowed.
///
/// [`struct sock`]: srctree/include/net/sock.h
pub unsafe trait AsSock {
    /// Returns a raw pointer to the underlying [`struct sock`].
    ///
    /// [`struct sock`]: srctree/include/net/sock.h
    fn as_sock(&self) -> *mut bindings::sock;
}

/// A socket whose lock is held, as taken by `lock_sock()`.
///
/// What the lock protects is reached through this type, so that "the caller holds the lock" is
/// checked by the compiler wherever a [`Locked`] is asked for.
///
/// # Invariants
///
/// The current context owns the socket lock of `sock` and does not release it during `'a`.
pub struct Locked<'a, T: AsSock> {
    sock: &'a T,
    // The lock is owned by a task.
    _not_send: NotThreadSafe,
}

impl<'a, T: AsSock> Locked<'a, T> {
    /// Creates a [`Locked`] for a socket that was locked by other means, i.e. in C.
    ///
    /// With `CONFIG_LOCKDEP`, warns if the lock is not held.
    ///
    /// # Safety
    ///
    /// The current context must own the socket lock of `sock` and must not release it during `'a`.
    #[doc(alias = "sock_owned_by_me")]
    #[inline]
    pub unsafe fn assume(sock: &'a T) -> Self {
        if cfg!(CONFIG_LOCKDEP) {
            // SAFETY: `as_sock()` returns a valid pointer by the safety requirements of `AsSock`.
            unsafe { bindings::sock_owned_by_me(sock.as_sock()) };
        }

        // INVARIANT: The lock is owned during `'a` by the safety requirements of this function.
        Self {
            sock,
            _not_send: NotThreadSafe,
        }
    }
}

impl<T: AsSock> Deref for Locked<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.sock
    }
}
