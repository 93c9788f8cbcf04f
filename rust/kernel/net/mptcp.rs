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
        inet,
        sock::{
            AsSock,
            Locked, //
        },
        tcp, //
    },
    num::casts::usize_into_u32,
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    },
    types::Opaque,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

use core::{
    mem::{
        offset_of,
        MaybeUninit, //
    },
    ops::Deref, //
};

// The layouts are as in C.
static_assert!(size_of::<bindings::mptcp_sock>() == bindings::SIZEOF_MPTCP_SOCK);
static_assert!(
    size_of::<bindings::mptcp_subflow_context>() == bindings::SIZEOF_MPTCP_SUBFLOW_CONTEXT
);

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

    /// Writes a snapshot of the connection's state and counters to `info`.
    #[doc(alias = "mptcp_diag_fill_info")]
    #[inline]
    pub fn get_info(&self, info: &mut FullInfo) {
        // SAFETY: The socket is valid by the type invariants of `Sock`, and locked by those of
        // `Locked`.
        //
        // INVARIANT: The function zeroes the structure before it fills in the fields.
        unsafe { bindings::mptcp_diag_fill_info_locked(self.0.get(), &mut info.0.mptcp_info) };
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

    /// Returns the number of the subflow, which no other of the same connection ever has.
    #[inline]
    pub fn subflow_id(&self) -> u32 {
        // SAFETY: The subflow is initialized by the type invariants. The union is but two names for
        // the same fields.
        unsafe { (*self.0.get()).__bindgen_anon_1.__bindgen_anon_1.subflow_id }
    }

    /// Writes the addresses of the subflow to `addrs`.
    #[inline]
    pub fn get_addrs<'a>(&self, addrs: &'a mut MaybeUninit<SubflowAddrs>) -> &'a SubflowAddrs {
        let this = zeroed(addrs);

        this.set(self);
        this
    }

    /// Writes number and addresses of the subflow to `info`.
    #[inline]
    pub fn get_info<'i>(&self, info: &'i mut MaybeUninit<SubflowInfo>) -> &'i SubflowInfo {
        let this = zeroed(info);

        this.id = self.subflow_id();
        this.addrs.set(self);
        this
    }
}

/// Returns a reference to a value whose bytes are all zero, padding included.
#[inline]
fn zeroed<T: Zeroable>(slot: &mut MaybeUninit<T>) -> &mut T {
    // SAFETY: `slot` is valid for writes of a `T`.
    unsafe { slot.as_mut_ptr().write_bytes(0, 1) };

    // SAFETY: The value with all bytes zero is a valid one for `T: Zeroable`.
    unsafe { slot.assume_init_mut() }
}

/// The addresses of a subflow, as an array element for user space.
///
/// C header: [`include/uapi/linux/mptcp.h`](srctree/include/uapi/linux/mptcp.h)
///
/// # Invariants
///
/// Every byte is initialized, padding included.
#[derive(Zeroable)]
#[repr(transparent)]
pub struct SubflowAddrs(bindings::mptcp_subflow_addrs);

impl SubflowAddrs {
    /// Sets the addresses in a value that is all zeroes.
    fn set(&mut self, subflow: &SubflowContext) {
        // INVARIANT: Writes whole structures without padding only.
        match subflow.tcp_sock().inet().addrs() {
            Some(inet::Addrs::V4(local, remote)) => {
                self.0.__bindgen_anon_1.sin_local = local;
                self.0.__bindgen_anon_2.sin_remote = remote;
            }
            #[cfg(CONFIG_IPV6)]
            Some(inet::Addrs::V6(local, remote)) => {
                self.0.__bindgen_anon_1.sin6_local = local;
                self.0.__bindgen_anon_2.sin6_remote = remote;
            }
            None => (),
        }
    }
}

// SAFETY: There are no uninitialized bytes by the type invariants, and no interior mutability.
unsafe impl AsBytes for SubflowAddrs {}

/// Number and addresses of a subflow, as an array element for user space.
///
/// It can be had by reference only, since a move need not preserve padding.
///
/// C header: [`include/uapi/linux/mptcp.h`](srctree/include/uapi/linux/mptcp.h)
///
/// # Invariants
///
/// Every byte is initialized, padding included.
#[derive(Zeroable)]
#[repr(C)]
pub struct SubflowInfo {
    id: u32,
    addrs: SubflowAddrs,
}

// SAFETY: There are no uninitialized bytes by the type invariants, and no interior mutability.
unsafe impl AsBytes for SubflowInfo {}

// The layout is the one that user space expects.
static_assert!(size_of::<SubflowInfo>() == size_of::<bindings::mptcp_subflow_info>());
static_assert!(offset_of!(SubflowInfo, addrs) == offset_of!(bindings::mptcp_subflow_info, addrs));

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

/// Request and answer of the socket option `MPTCP_FULL_INFO`.
///
/// It can be had by reference only, since a move need not preserve padding.
///
/// C header: [`include/uapi/linux/mptcp.h`](srctree/include/uapi/linux/mptcp.h)
///
/// # Invariants
///
/// Every byte is initialized, padding included.
#[derive(Zeroable)]
#[repr(transparent)]
pub struct FullInfo(bindings::mptcp_full_info);

impl FullInfo {
    /// Size of what precedes the `struct mptcp_info`: the request.
    pub const HEADER_SIZE: usize = offset_of!(bindings::mptcp_full_info, mptcp_info);

    /// Reads the header of a request from `optval`, and zeroes the rest.
    #[inline]
    pub fn read<'i>(optval: UserPtr, slot: &'i mut MaybeUninit<Self>) -> Result<&'i mut Self> {
        let this = zeroed(slot);

        // SAFETY: The structure starts with the header, which is as long as that, and made of
        // integers: any bytes are valid values. It is borrowed exclusively, as `this` is.
        let header = unsafe { &mut *(&raw mut this.0).cast::<[u8; Self::HEADER_SIZE]>() };

        UserSlice::new(optval, Self::HEADER_SIZE)
            .reader()
            .read_slice(header)?;

        Ok(this)
    }

    /// Sets the header of the answer, given the sizes of the arrays' elements in user memory.
    #[inline]
    pub fn set_header(&mut self, num_subflows: u32, size_tcpinfo_user: u32, size_sfinfo_user: u32) {
        self.0.size_tcpinfo_kernel = usize_into_u32::<{ size_of::<tcp::Info>() }>();
        self.0.size_tcpinfo_user = size_tcpinfo_user;
        self.0.size_sfinfo_kernel = usize_into_u32::<{ size_of::<SubflowInfo>() }>();
        self.0.size_sfinfo_user = size_sfinfo_user;
        self.0.num_subflows = num_subflows;
    }

    /// Returns the array of [`SubflowInfo`]s in user memory.
    #[inline]
    pub fn subflow_info(&self) -> UserPtr {
        u64_to_user_ptr(self.0.subflow_info)
    }

    /// Returns the array of [`tcp::Info`]s in user memory.
    #[inline]
    pub fn tcp_info(&self) -> UserPtr {
        u64_to_user_ptr(self.0.tcp_info)
    }
}

// SAFETY: There are no uninitialized bytes by the type invariants, and no interior mutability.
unsafe impl AsBytes for FullInfo {}

impl Deref for FullInfo {
    type Target = bindings::mptcp_full_info;

    #[inline]
    fn deref(&self) -> &bindings::mptcp_full_info {
        &self.0
    }
}

/// Returns the pointer that user space has passed as a 64-bit integer, also on 32-bit kernels.
#[inline]
fn u64_to_user_ptr(addr: u64) -> UserPtr {
    // CAST: The upper half is ignored on 32-bit kernels, as in C.
    UserPtr::from_addr(addr as usize)
}
