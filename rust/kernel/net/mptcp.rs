// SPDX-License-Identifier: GPL-2.0

//! Multipath TCP (MPTCP) sockets and their subflows.
//!
//! An MPTCP connection uses one or more TCP connections, its subflows, at the same time. The
//! protocol is described in [RFC 8684](https://datatracker.ietf.org/doc/html/rfc8684).
//!
//! Structures for user space have no padding, and so no uninitialized bytes to leak. Those that C
//! fills in are opaque to Rust.
//!
//! C headers: [`net/mptcp/protocol.h`](srctree/net/mptcp/protocol.h),
//! [`include/uapi/linux/mptcp.h`](srctree/include/uapi/linux/mptcp.h)

use crate::{
    bindings,
    interop::list::clist_create,
    prelude::*,
    types::Opaque, //
};

use core::mem::{
    offset_of,
    MaybeUninit, //
};

use zerocopy_derive::Immutable;

type CSock = bindings::mptcp_sock;
type CSubflow = bindings::mptcp_subflow_context;

// `bindgen` must place the fields that are read here where the C compiler does.
static_assert!(size_of::<CSock>() == bindings::SIZEOF_MPTCP_SOCK);
static_assert!(offset_of!(CSock, conn_list) == bindings::OFFSETOF_MPTCP_SOCK_CONN_LIST);
static_assert!(size_of::<CSubflow>() == bindings::SIZEOF_MPTCP_SUBFLOW);
static_assert!(offset_of!(CSubflow, node) == bindings::OFFSETOF_MPTCP_SUBFLOW_NODE);
static_assert!(offset_of!(CSubflow, tcp_sock) == bindings::OFFSETOF_MPTCP_SUBFLOW_TCP_SOCK);
static_assert!(
    offset_of!(CSubflow, __bindgen_anon_1.__bindgen_anon_1.subflow_id)
        == bindings::OFFSETOF_MPTCP_SUBFLOW_ID
);

/// Asserts that a structure has the size and the alignment of its C counterpart, and its offsets.
macro_rules! assert_layout {
    ($rust:ident == $c:ident $(: $($field:ident)*)?) => {
        static_assert!(size_of::<$rust>() == size_of::<bindings::$c>());
        static_assert!(align_of::<$rust>() == align_of::<bindings::$c>());
        $(assert_offsets! { $rust == $c: $($field)* })?
    };
}

/// Asserts that fields have the same offset in a structure and in its C counterpart.
macro_rules! assert_offsets {
    ($rust:ident == $c:ident: $($field:ident)*) => {
        $(static_assert!(offset_of!($rust, $field) == offset_of!(bindings::$c, $field));)*
    };
}

/// Marks a value that Rust code has written as initialized, which KMSAN does not see by itself.
#[inline]
pub fn kmsan_unpoison<T: IntoBytes>(value: &T) -> &T {
    #[cfg(CONFIG_KMSAN)]
    // SAFETY: `value` is valid, and has no uninitialized byte, since `T` implements `IntoBytes`.
    unsafe {
        bindings::kmsan_unpoison_memory((&raw const *value).cast(), size_of::<T>())
    };
    value
}

/// An MPTCP socket, either a connection or a listener, whose lock the current task holds.
///
/// Code that accesses what this lock protects, but does not hold it, does not compile.
///
/// # Invariants
///
/// - The underlying [`struct mptcp_sock`](srctree/net/mptcp/protocol.h) is initialized.
/// - The current task owns its socket lock, and does not release it while `self` is borrowed.
/// - The socket is in no accept queue: `socket()` created it, or `accept()` returned it.
#[repr(transparent)]
pub struct LockedSock(Opaque<CSock>);

impl LockedSock {
    /// Creates a reference to a [`LockedSock`] from a raw pointer.
    ///
    /// # Safety
    ///
    /// - `ptr` must point to an initialized `struct mptcp_sock` that stays valid for `'a`.
    /// - The current task must own its socket lock for all of `'a`.
    /// - `socket()` must have created the socket, or `accept()` returned it.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut CSock) -> &'a Self {
        // SAFETY: `Self` is transparent over `struct mptcp_sock`, and `ptr` is valid for `'a` by
        // the safety requirements of this function.
        //
        // INVARIANT: The same requirements provide all type invariants.
        unsafe { &*ptr.cast() }
    }

    /// Returns an iterator over the subflows of the connection, of which there may be none.
    #[doc(alias = "mptcp_for_each_subflow")]
    #[inline]
    pub fn subflows(&self) -> impl Iterator<Item = &SubflowContext> {
        let msk = self.0.get();

        // SAFETY:
        // - `msk` and its list are valid and initialized by the type invariants.
        // - The list contains `struct mptcp_subflow_context`s, linked by `node`.
        // - The list is only changed by the owner of the socket lock or, while the lock has no
        //   owner, under the socket's spinlock. By the type invariants, the current task owns the
        //   lock while `self` is borrowed. No method here changes the list: if `tcp_get_info()`
        //   processes the backlog of a subflow, new subflows go to `join_list`.
        // - `SubflowContext` is transparent over `struct mptcp_subflow_context`.
        //
        // INVARIANT: Subflows are zeroed at allocation, and are unlinked before they are freed. The
        // current task owns the lock for as long as `self`, and so each subflow, is borrowed.
        let conn_list =
            unsafe { clist_create!(&raw mut (*msk).conn_list, SubflowContext, CSubflow, node) };

        conn_list.iter()
    }
}

/// A subflow of an MPTCP connection.
///
/// # Invariants
///
/// - The underlying [`struct mptcp_subflow_context`](srctree/net/mptcp/protocol.h) is initialized.
/// - It is on the `conn_list` of the MPTCP socket of a [`LockedSock`], whose lock the current task
///   owns for as long as `self` is borrowed.
#[repr(transparent)]
pub struct SubflowContext(Opaque<CSubflow>);

impl SubflowContext {
    /// Returns a pointer to the TCP socket of the subflow, which is valid while `self` is borrowed.
    #[inline]
    fn as_ssk(&self) -> *mut bindings::sock {
        // SAFETY: The subflow is initialized by the type invariants. `tcp_sock` is set before the
        // subflow is linked, and does not change. The connection holds a reference to the socket
        // for as long as the subflow is on the list.
        unsafe { (*self.0.get()).tcp_sock }
    }

    /// Returns the identifier of the subflow, which is unique in the connection unless it is 0.
    ///
    /// A rejected incoming subflow has 0, and a first one that has failed or closed may have it.
    #[inline]
    pub fn subflow_id(&self) -> u32 {
        // SAFETY: The subflow is initialized by the type invariants. Once it is linked, only the
        // owner of the socket lock, which is the current task, writes the field. That of the first
        // subflow of an incoming connection is also written without the lock, but before `accept()`
        // can return the connection. Both members of the union have the same layout.
        unsafe { (*self.0.get()).__bindgen_anon_1.__bindgen_anon_1.subflow_id }
    }

    /// Writes the state and the counters of the subflow's TCP socket to `info`.
    ///
    /// Takes the lock of that socket, and may sleep.
    #[doc(alias = "tcp_get_info")]
    #[inline]
    pub fn get_tcp_info<'i>(&self, info: &'i mut MaybeUninit<TcpInfo>) -> &'i TcpInfo {
        // SAFETY: `as_ssk()` returns a valid TCP socket. `info` is valid for writes of a
        // `struct tcp_info`: `TcpInfo` has the same size and alignment.
        unsafe { bindings::tcp_get_info(self.as_ssk(), info.as_mut_ptr().cast()) };

        // SAFETY: `tcp_get_info()` zeroes the structure first, so its bytes are initialized.
        unsafe { info.assume_init_ref() }
    }
}

/// The state and the counters of a TCP socket, a `struct tcp_info`.
#[derive(IntoBytes, Immutable)]
#[repr(transparent)]
pub struct TcpInfo([u64; bindings::SIZEOF_TCP_INFO / size_of::<u64>()]);

assert_layout!(TcpInfo == tcp_info);

/// The header of `MPTCP_TCPINFO` and `MPTCP_SUBFLOW_ADDRS`, a `struct mptcp_subflow_data`.
///
/// An array with one element for each subflow follows, at offset `size_subflow_data`.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct SubflowData {
    /// Size of this structure in user space, in bytes.
    pub size_subflow_data: u32,
    /// Number of subflows. User space sets it to 0.
    pub num_subflows: u32,
    /// Size of an element in the kernel, in bytes. User space sets it to 0.
    pub size_kernel: u32,
    /// Size of an element in user space, in bytes.
    pub size_user: u32,
}

assert_layout! {
    SubflowData == mptcp_subflow_data: size_subflow_data num_subflows size_kernel size_user
}

/// The header of the socket option `MPTCP_FULL_INFO`, the first part of a `struct mptcp_full_info`.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct FullInfoHeader {
    /// Size of a `struct tcp_info` in the kernel, in bytes. User space sets it to 0.
    pub size_tcpinfo_kernel: u32,
    /// Size of a `struct tcp_info` in user space, in bytes.
    pub size_tcpinfo_user: u32,
    /// Size of a `struct mptcp_subflow_info` in the kernel, in bytes. User space sets it to 0.
    pub size_sfinfo_kernel: u32,
    /// Size of a `struct mptcp_subflow_info` in user space, in bytes.
    pub size_sfinfo_user: u32,
    /// Number of subflows. User space sets it to 0.
    pub num_subflows: u32,
    /// Capacity of each array, in elements.
    pub size_arrays_user: u32,
    /// User space address of an array of `struct mptcp_subflow_info`.
    pub subflow_info: u64,
    /// User space address of an array of `struct tcp_info`.
    pub tcp_info: u64,
}

assert_offsets! {
    FullInfoHeader == mptcp_full_info: size_tcpinfo_kernel size_tcpinfo_user size_sfinfo_kernel
        size_sfinfo_user num_subflows size_arrays_user subflow_info tcp_info
}

/// The reply to the socket option `MPTCP_FULL_INFO`, a `struct mptcp_full_info`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
pub struct FullInfo {
    /// The request, which becomes the header of the reply.
    pub header: FullInfoHeader,
    /// State and counters of the connection.
    pub mptcp_info: MptcpInfo,
}

assert_layout!(FullInfo == mptcp_full_info: mptcp_info);

/// The state and the counters of an MPTCP connection, a `struct mptcp_info`.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
pub struct MptcpInfo([u64; bindings::SIZEOF_MPTCP_INFO / size_of::<u64>()]);

assert_layout!(MptcpInfo == mptcp_info);

// `#[inline(never)]`: a module could not call these C functions, since they are not exported.

impl LockedSock {
    /// Writes the state and the counters of the connection to `info`.
    #[doc(alias = "mptcp_diag_fill_info")]
    #[inline(never)]
    pub fn fill_info(&self, info: &mut MptcpInfo) {
        // SAFETY: By the type invariants, the socket is valid, and the current task owns its lock.
        // `info` is valid for writes: `MptcpInfo` has the size and alignment of `mptcp_info`.
        unsafe { bindings::mptcp_diag_fill_info_locked(self.0.get(), (&raw mut *info).cast()) };
    }
}

impl SubflowContext {
    #[inline(never)]
    fn write_addrs(&self, addrs: &mut MaybeUninit<SubflowAddrs>) {
        // SAFETY: `as_ssk()` returns a valid TCP socket. `addrs` is valid for writes of a
        // `struct mptcp_subflow_addrs`: `SubflowAddrs` has the same size and alignment.
        unsafe { bindings::mptcp_get_sub_addrs(self.as_ssk(), addrs.as_mut_ptr().cast()) };
    }

    /// Writes the addresses of the subflow to `addrs`.
    #[doc(alias = "mptcp_get_sub_addrs")]
    #[inline]
    pub fn get_addrs<'a>(&self, addrs: &'a mut MaybeUninit<SubflowAddrs>) -> &'a SubflowAddrs {
        self.write_addrs(addrs);
        // SAFETY: `mptcp_get_sub_addrs()` zeroes the structure first, so its bytes are initialized.
        unsafe { addrs.assume_init_ref() }
    }

    /// Writes the identifier and the addresses of the subflow to `info`.
    #[inline]
    pub fn get_subflow_info<'i>(&self, info: &'i mut MaybeUninit<SubflowInfo>) -> &'i SubflowInfo {
        let ptr = info.as_mut_ptr();
        // SAFETY: `ptr` is valid for writes of a `SubflowInfo`, so each field can be written, and
        // then borrowed. `addrs` may be borrowed as `MaybeUninit`.
        let addrs = unsafe {
            (&raw mut (*ptr).id).write(self.subflow_id());
            (&raw mut (*ptr)._padding).write_bytes(0, 1);
            kmsan_unpoison(&(*ptr).id);
            kmsan_unpoison(&(*ptr)._padding);
            &mut *(&raw mut (*ptr).addrs).cast::<MaybeUninit<SubflowAddrs>>()
        };
        self.get_addrs(addrs);

        // SAFETY: All fields have been written.
        unsafe { info.assume_init_ref() }
    }
}

/// The local and the remote address of a subflow, a `struct mptcp_subflow_addrs`.
#[derive(IntoBytes, Immutable)]
#[repr(transparent)]
pub struct SubflowAddrs([usize; bindings::SIZEOF_MPTCP_SUBFLOW_ADDRS / size_of::<usize>()]);

assert_layout!(SubflowAddrs == mptcp_subflow_addrs);

/// The identifier and the addresses of a subflow, a `struct mptcp_subflow_info`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
pub struct SubflowInfo {
    id: u32,
    /// Explicit, so that these bytes are initialized before they are copied to user space.
    _padding: [u8; offset_of!(bindings::mptcp_subflow_info, addrs) - size_of::<u32>()],
    addrs: SubflowAddrs,
}

assert_layout!(SubflowInfo == mptcp_subflow_info: id addrs);
