// SPDX-License-Identifier: GPL-2.0

//! The options as they are in `include/uapi/linux/mptcp.h`, and the bare system call.

use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd};

use bytemuck::{Pod, Zeroable};

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
/// Offset of the addresses in `struct mptcp_subflow_info`, behind the subflow's id. The kernel's own:
/// a 32-bit compiler has 4.
pub const SUBFLOW_INFO_ADDRS: usize = 8;
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

/// `struct mptcp_info`, as far as it matters what is where.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MptcpInfo {
    counts: [u8; 8],
    flags: u32,
    /// What identifies the connection in a host: a random number.
    pub token: u32,
    /// The next byte to be sent: from here the numbers begin with a random one.
    pub write_seq: u64,
    /// The next byte to be acknowledged.
    pub snd_una: u64,
    rcv_nxt: u64,
    /// Here the numbers end that begin with a random one.
    pub local_addr_used: u8,
    more: [u8; 3],
    /// With the next, what was sent again.
    pub retransmits: u32,
    bytes_retrans: u64,
    /// Here that ends.
    pub bytes_sent: u64,
    even_more: [u8; 20],
    /// Milliseconds that have passed since then: these are the last three.
    pub last_data_sent: u32,
    last_data_recv: u32,
    last_ack_recv: u32,
    /// Behind the last.
    pub end: [u32; 0],
}

const _: () = assert!(MPTCP_INFO_SIZE == 96);

/// getsockopt(2), which returns 0 or a negative error number.
///
/// # Safety
///
/// The kernel writes wherever the arguments, and what they point to, tell it to, if it is mapped:
/// that must be memory which no reference of Rust's has borrowed.
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
        0 => 0,
        _ => -std::io::Error::last_os_error().raw_os_error().unwrap_or(0),
    }
}

/// What [`MPTCP_FULL_INFO`] says of a socket when there is room for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The header.
    pub header: FullInfo,
    /// `struct mptcp_info`.
    pub info: Vec<u8>,
    /// A `struct mptcp_subflow_info` for each subflow.
    pub subflow_info: Vec<[u8; SUBFLOW_INFO_SIZE]>,
    /// A `struct tcp_info` for each subflow.
    pub tcp_info: Vec<[u8; TCP_INFO_SIZE]>,
}

impl Snapshot {
    /// Subflows that there is room for.
    const ROOM: usize = 16;

    /// Asks for everything.
    ///
    /// # Errors
    ///
    /// What the kernel returns, and more subflows than expected.
    pub fn take(socket: impl AsFd) -> std::io::Result<Self> {
        #[repr(C)]
        #[derive(Clone, Copy, Pod, Zeroable)]
        struct Answer {
            header: FullInfo,
            info: [u8; MPTCP_INFO_SIZE],
        }
        let mut subflow_info = vec![[0; SUBFLOW_INFO_SIZE]; Self::ROOM];
        let mut tcp_info = vec![[0; TCP_INFO_SIZE]; Self::ROOM];
        let mut answer = Answer {
            header: FullInfo {
                size_tcpinfo_user: TCP_INFO_SIZE as u32,
                size_sfinfo_user: SUBFLOW_INFO_SIZE as u32,
                size_arrays_user: Self::ROOM as u32,
                subflow_info: subflow_info.as_mut_ptr().expose_provenance() as u64,
                tcp_info: tcp_info.as_mut_ptr().expose_provenance() as u64,
                ..Default::default()
            },
            info: [0; _],
        };
        let mut len = size_of_val(&answer) as libc::socklen_t;
        let optval = (&raw mut answer).expose_provenance();
        let optlen = (&raw mut len).expose_provenance();

        // SAFETY: All of it is ours, and as large as the request says.
        match unsafe { getsockopt(socket, SOL_MPTCP, MPTCP_FULL_INFO, optval, optlen) } {
            0 => (),
            error => return Err(std::io::Error::from_raw_os_error(-error)),
        }
        let num = answer.header.num_subflows as usize;
        if num > Self::ROOM {
            return Err(std::io::Error::other(format!("{num} subflows")));
        }
        subflow_info.truncate(num);
        tcp_info.truncate(num);
        Ok(Self {
            header: answer.header,
            info: answer.info.to_vec(),
            subflow_info,
            tcp_info,
        })
    }

    /// How many subflows are in `state`.
    pub fn in_state(&self, state: u8) -> usize {
        let states = self.tcp_info.iter().map(|info| info[0]);
        states.filter(|of_subflow| *of_subflow == state).count()
    }
}
