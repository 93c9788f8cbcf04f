// SPDX-License-Identifier: GPL-2.0

//! Sockets.
//!
//! C header: [`include/net/sock.h`](srctree/include/net/sock.h)

use crate::{
    bindings,
    prelude::*,
    types::NotThreadSafe,
    uaccess::UserPtr, //
};

use core::ops::Deref;

/// A type that wraps a protocol's socket, which starts with a [`struct sock`].
///
/// # Safety
///
/// [`AsSock::as_sock`] must always return the pointer to the [`struct sock`] that `self` starts
/// with, which must be initialized, and valid for as long as `self` is borrowed.
///
/// [`struct sock`]: srctree/include/net/sock.h
pub unsafe trait AsSock {
    /// Returns a raw pointer to the underlying [`struct sock`].
    ///
    /// [`struct sock`]: srctree/include/net/sock.h
    fn as_sock(&self) -> *mut bindings::sock;
}

/// A socket whose lock is held, for as long as this guard lives.
///
/// What the lock protects is reached through this type, so that "the caller holds the lock" is
/// checked by the compiler wherever a [`Locked`] is asked for.
///
/// # Invariants
///
/// The current task owns the lock of the socket `sock.as_sock()`, as taken by `lock_sock()`.
pub struct Locked<'a, T: AsSock> {
    sock: &'a T,
    // Another task must not take itself for the owner of the lock.
    _not_send: NotThreadSafe,
}

impl<'a, T: AsSock> Locked<'a, T> {
    /// Takes the lock of `sock`, which may sleep: the caller must be in process context.
    #[doc(alias = "lock_sock")]
    #[inline]
    pub fn new(sock: &'a T) -> Self {
        // SAFETY: `as_sock()` returns a valid pointer by the safety requirements of `AsSock`.
        unsafe { bindings::lock_sock_nested(sock.as_sock(), 0) };

        // INVARIANT: The lock has just been taken.
        Self {
            sock,
            _not_send: NotThreadSafe,
        }
    }
}

impl<T: AsSock> Drop for Locked<'_, T> {
    #[doc(alias = "release_sock")]
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `as_sock()` returns a valid pointer by the safety requirements of `AsSock`, and
        // the current task owns the lock by the type invariants.
        unsafe { bindings::release_sock(self.sock.as_sock()) };
    }
}

impl<T: AsSock> Deref for Locked<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.sock
    }
}

/// The user's side of a `getsockopt()` call: a buffer, and where its size is.
///
/// As with [`UserSlice`], every method is safe, and fails with [`EFAULT`] on a bad address.
///
/// [`UserSlice`]: crate::uaccess::UserSlice
pub struct SockOpt {
    optval: UserPtr,
    optlen: UserPtr,
}

impl SockOpt {
    /// Creates a [`SockOpt`] from the pointers that user space has passed.
    #[inline]
    pub fn new(optval: UserPtr, optlen: UserPtr) -> Self {
        Self { optval, optlen }
    }

    /// Returns the address of the buffer.
    #[inline]
    pub fn optval(&self) -> UserPtr {
        self.optval
    }

    /// Reads the size of the buffer in bytes.
    ///
    /// User space may change it between two reads. For the kernel it is an `int`, so sizes above
    /// [`c_int::MAX`] are negative ones.
    #[doc(alias = "get_user")]
    #[inline]
    pub fn get_optlen(&self) -> Result<u32> {
        let mut len = 0;

        // SAFETY: `len` is valid for writes, and `get_user()` takes any user pointer.
        let res = unsafe { bindings::get_user_u32(&mut len, self.optlen.as_const_ptr().cast()) };
        if res != 0 {
            return Err(EFAULT);
        }

        Ok(len)
    }

    /// Writes the size of the answer in bytes.
    #[doc(alias = "put_user")]
    #[inline]
    pub fn put_optlen(&self, len: u32) -> Result {
        // SAFETY: `put_user()` takes any user pointer.
        let res = unsafe { bindings::put_user_u32(len, self.optlen.as_mut_ptr().cast()) };
        if res != 0 {
            return Err(EFAULT);
        }

        Ok(())
    }
}
