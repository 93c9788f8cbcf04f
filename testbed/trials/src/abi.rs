// SPDX-License-Identifier: GPL-2.0

//! The options as they are in `include/uapi/linux/mptcp.h`, and the bare system call.

use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd};

use bytemuck::{Pod, Zeroable, pod_read_unaligned};

/// The level of the options.
pub const SOL_MPTCP: c_int = 284;
/// Counters of the connection.
pub const MPTCP_INFO: c_int = 1;
/// [`SubflowData`], then an array of `struct tcp_info`.
pub const MPTCP_TCPINFO: c_int = 2;
/// [`SubflowData`], then an array of `struct mptcp_subflow_addrs`.
pub const MPTCP_SUBFLOW_ADDRS: c_int = 3;
/// [`FullInfo`], which points to an array of `struct mptcp_subflow_info` and one of `struct tcp_info`.
pub const MPTCP_FULL_INFO: c_int = 4;

/// `tcpi_state` of a subflow that is established, as in `include/net/tcp_states.h`.
pub const TCP_ESTABLISHED: u8 = 1;
/// `tcpi_state` of a closed one.
pub const TCP_CLOSE: u8 = 7;

/// Size of `struct tcp_info`.
pub const TCP_INFO_SIZE: usize = 280;
/// Size of `struct mptcp_info`.
pub const MPTCP_INFO_SIZE: usize = size_of::<MptcpInfo>();
/// Size of `struct mptcp_subflow_addrs`: two of `struct sockaddr_storage`.
pub const SUBFLOW_ADDRS_SIZE: usize = 2 * 128;
/// Whether the kernel is a 32-bit one. A 32-bit program for x86 runs on a 64-bit kernel here.
pub const KERNEL_HAS_32_BITS: bool = cfg!(target_arch = "arm");
/// Offset of the addresses in `struct mptcp_subflow_info`, behind the subflow's id. The kernel's own:
/// a 32-bit compiler has 4.
pub const SUBFLOW_INFO_ADDRS: usize = if KERNEL_HAS_32_BITS { 4 } else { 8 };
/// Size of `struct mptcp_subflow_info`.
pub const SUBFLOW_INFO_SIZE: usize = SUBFLOW_INFO_ADDRS + SUBFLOW_ADDRS_SIZE;

/// `struct mptcp_subflow_data`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct SubflowData {
    /// Size of this structure in user space.
    pub size_subflow_data: u32,
    /// 0, set by the kernel.
    pub num_subflows: u32,
    /// 0, set by the kernel.
    pub size_kernel: u32,
    /// Size of one element.
    pub size_user: u32,
}

/// `struct mptcp_full_info`, without the `struct mptcp_info` at its end.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct FullInfo {
    /// 0, set by the kernel.
    pub size_tcpinfo_kernel: u32,
    /// Size of an element at `tcp_info`.
    pub size_tcpinfo_user: u32,
    /// 0, set by the kernel.
    pub size_sfinfo_kernel: u32,
    /// Size of an element at `subflow_info`.
    pub size_sfinfo_user: u32,
    /// 0, set by the kernel.
    pub num_subflows: u32,
    /// How many elements there is room for in each array.
    pub size_arrays_user: u32,
    /// User pointer to the array of `struct mptcp_subflow_info`.
    pub subflow_info: u64,
    /// User pointer to the array of `struct tcp_info`.
    pub tcp_info: u64,
}

/// `struct mptcp_info`, for the offsets of some fields.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MptcpInfo {
    counts: [u8; 8],
    flags: u32,
    /// A random number that identifies the connection.
    pub token: u32,
    /// The next byte to be sent. From here to `local_addr_used`, the numbers begin with a random one.
    pub write_seq: u64,
    /// The next byte to be acknowledged.
    pub snd_una: u64,
    rcv_nxt: u64,
    /// Endpoints that are used.
    pub local_addr_used: u8,
    more: [u8; 3],
    /// Retransmissions. The next field has their bytes.
    pub retransmits: u32,
    bytes_retrans: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    even_more: [u8; 20],
    /// Milliseconds since data was last sent. Two more fields of this kind follow.
    pub last_data_sent: u32,
    last_data_recv: u32,
    last_ack_recv: u32,
    /// The end of the last field.
    pub end: [u32; 0],
}

const _: () = assert!(MPTCP_INFO_SIZE == 96);

/// A field of 32 bits.
pub fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    pod_read_unaligned(&bytes[offset..][..4])
}

/// Calls getsockopt(2) with a buffer. Returns 0 or a negative error number, and `optlen` afterwards.
///
/// # Safety
///
/// If the kernel writes to where the buffer points, no reference may exist to that memory.
pub unsafe fn get(
    socket: impl AsFd,
    level: c_int,
    option: c_int,
    buffer: &mut [u8],
) -> (c_int, u32) {
    let mut len = buffer.len() as u32;
    let optval = buffer.as_mut_ptr().expose_provenance();
    let optlen = (&raw mut len).expose_provenance();
    // SAFETY: The buffer and its length are borrowed, and for the rest, the caller promises.
    let ret = unsafe { getsockopt(socket, level, option, optval, optlen) };
    (ret, len)
}

/// The name of an option.
pub fn name(option: c_int) -> Option<&'static str> {
    match option {
        MPTCP_INFO => Some("MPTCP_INFO"),
        MPTCP_TCPINFO => Some("MPTCP_TCPINFO"),
        MPTCP_SUBFLOW_ADDRS => Some("MPTCP_SUBFLOW_ADDRS"),
        MPTCP_FULL_INFO => Some("MPTCP_FULL_INFO"),
        _ => None,
    }
}

/// Calls getsockopt(2) with any arguments. Returns 0 or a negative error number; with a BPF program, any number.
///
/// # Safety
///
/// The kernel writes to where the arguments point, and to where the pointers in that memory point. No
/// reference may exist to any of it.
pub unsafe fn getsockopt(
    socket: impl AsFd,
    level: c_int,
    option: c_int,
    optval: usize,
    optlen: usize,
) -> c_int {
    let fd = socket.as_fd().as_raw_fd();
    // Not libc's function, which may look at the pointers itself.
    // SAFETY: As the caller promises; the system call checks everything else.
    let ret = unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, option, optval, optlen) };

    match ret {
        -1 => -std::io::Error::last_os_error().raw_os_error().unwrap_or(0),
        ret => ret as c_int,
    }
}
