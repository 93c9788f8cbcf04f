// SPDX-License-Identifier: GPL-2.0

//! Multipath TCP (MPTCP) sockets and their subflows.
//!
//! An MPTCP connection uses any number of TCP connections, its subflows, at the same time. The
//! protocol is described in [RFC 8684].
//!
//! C header: [`net/mptcp/protocol.h`](srctree/net/mptcp/protocol.h)
//!
//! [RFC 8684]: https://datatracker.ietf.org/doc/html/rfc8684

use crate::{
    bindings,
    interop::list::clist_create,
    net::{
        sock::{
            AsSock,
            Locked, //
        },
        tcp, //
    },
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    },
    types::Opaque, //
};

/// An MPTCP socket: one connection, or a listener.
///
/// # Invariants
///
/// The underlying [`struct mptcp_sock`] is initialized.
///
/// [`struct mptcp_sock`]: srctree/net/mptcp/protocol.h
#[repr(transparent)]
pub struct Sock(Opaque<bindings::mptcp_sock>);

impl Sock {
    /// Creates a reference to a [`Sock`] from a raw pointer.
    ///
    /// # Safety
    ///
    /// `ptr` must point to an initialized `struct mptcp_sock` that stays valid for `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::mptcp_sock) -> &'a Self {
        // SAFETY: `Self` is transparent over `struct mptcp_sock`, and `ptr` is valid for `'a` by
        // the safety requirements of this function.
        //
        // INVARIANT: The pointee is initialized by the same requirements.
        unsafe { &*ptr.cast() }
    }
}

// SAFETY: A `struct mptcp_sock` starts with a `struct sock`, which is initialized by the type
// invariants and lives as long as `self`.
unsafe impl AsSock for Sock {
    #[inline]
    fn as_sock(&self) -> *mut bindings::sock {
        // SAFETY: `self` is valid, and only the address of the field is taken.
        unsafe { &raw mut (*self.0.get()).sk.icsk_inet.sk }
    }
}

impl Locked<'_, Sock> {
    /// Returns an iterator over the connection's subflows.
    ///
    /// A socket that is not, or no longer, connected may have none.
    #[doc(alias = "mptcp_for_each_subflow")]
    #[inline]
    pub fn subflows(&self) -> impl Iterator<Item = &SubflowContext> {
        let msk = self.0.get();

        // SAFETY:
        // - `msk` is valid and initialized by the type invariants of `Sock`, and so is the list.
        // - The list holds `struct mptcp_subflow_context`s, linked by their `node`.
        // - The owner of the msk lock may change the list, or else who has the msk's spinlock while
        //   the msk lock has no owner. The current task is the owner for as long as `self` is
        //   borrowed by the type invariants of `Locked`, and does not change it.
        // - `SubflowContext` is transparent over `struct mptcp_subflow_context`.
        //
        // INVARIANT: The subflows are initialized before they are linked, and are unlinked before
        // they are freed.
        let conn_list = unsafe {
            clist_create!(
                &raw mut (*msk).conn_list,
                SubflowContext,
                bindings::mptcp_subflow_context,
                node
            )
        };

        conn_list.iter()
    }
}

/// A subflow of an MPTCP connection.
///
/// # Invariants
///
/// The underlying [`struct mptcp_subflow_context`] is initialized and is on the `conn_list` of an
/// MPTCP socket that stays locked for as long as `self` is borrowed.
///
/// [`struct mptcp_subflow_context`]: srctree/net/mptcp/protocol.h
#[repr(transparent)]
pub struct SubflowContext(Opaque<bindings::mptcp_subflow_context>);

impl SubflowContext {
    /// Returns the TCP socket of the subflow.
    #[doc(alias = "mptcp_subflow_tcp_sock")]
    #[inline]
    pub fn tcp_sock(&self) -> &tcp::Sock {
        // SAFETY: The subflow is initialized by the type invariants, and so is its `tcp_sock`,
        // which is set once, before the subflow is added to a connection.
        let ssk = unsafe { (*self.0.get()).tcp_sock };

        // SAFETY: The subflows of an MPTCP socket are TCP sockets, each of which it holds a
        // reference to while the subflow is on its list.
        unsafe { tcp::Sock::from_raw(ssk.cast()) }
    }
}

/// The header of a request for an array with one element for each subflow, and of the answer.
///
/// C header: [`include/uapi/linux/mptcp.h`](srctree/include/uapi/linux/mptcp.h)
pub type SubflowData = bindings::mptcp_subflow_data;

// No padding, neither between the four fields nor behind them, where the alignment may call for it.
static_assert!(size_of::<SubflowData>() == 4 * size_of::<u32>());

// SAFETY: The structure is made of integers only, of which any bit pattern is a valid value, and
// has no interior mutability.
unsafe impl FromBytes for SubflowData {}

// SAFETY: The structure has no padding, as asserted above, and no interior mutability.
unsafe impl AsBytes for SubflowData {}
