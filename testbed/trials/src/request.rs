// SPDX-License-Identifier: GPL-2.0

//! Valid requests, in buffers of their own, and their results.

use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;

use bytemuck::{bytes_of, pod_read_unaligned};

use crate::abi::{self, FullInfo, SubflowData};
use crate::check;
use crate::net;

/// What the buffers hold before a request.
pub const CANARY: u8 = 0xa5;

/// A per-subflow option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SockOpt {
    /// [`abi::MPTCP_TCPINFO`].
    TcpInfo,
    /// [`abi::MPTCP_SUBFLOW_ADDRS`].
    SubflowAddrs,
    /// [`abi::MPTCP_FULL_INFO`].
    FullInfo,
}

impl SockOpt {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::TcpInfo, Self::SubflowAddrs, Self::FullInfo];

    /// The number for getsockopt(2).
    pub fn number(self) -> c_int {
        match self {
            Self::TcpInfo => abi::MPTCP_TCPINFO,
            Self::SubflowAddrs => abi::MPTCP_SUBFLOW_ADDRS,
            Self::FullInfo => abi::MPTCP_FULL_INFO,
        }
    }

    /// The name in `include/uapi/linux/mptcp.h`.
    pub fn name(self) -> &'static str {
        abi::name(self.number()).expect("a known option")
    }

    /// getsockopt(2).
    ///
    /// # Safety
    ///
    /// As that of [`abi::getsockopt`].
    pub unsafe fn call(self, socket: impl AsFd, optval: usize, optlen: usize) -> c_int {
        // SAFETY: As the caller promises.
        unsafe { abi::getsockopt(socket, abi::SOL_MPTCP, self.number(), optval, optlen) }
    }

    /// Sizes of the kernel's elements in the arrays `tcp_info` and `subflow` of a [`Reply`].
    pub fn sizes(self) -> (usize, usize) {
        match self {
            Self::TcpInfo => (abi::TCP_INFO_SIZE, 0),
            Self::SubflowAddrs => (0, abi::SUBFLOW_ADDRS_SIZE),
            Self::FullInfo => (abi::TCP_INFO_SIZE, abi::SUBFLOW_INFO_SIZE),
        }
    }
}

/// A request that the kernel does not refuse.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The option.
    pub option: SockOpt,
    /// Elements that there is room for.
    pub room: usize,
    /// Size of an element of `struct tcp_info`.
    pub tcp_info: usize,
    /// Size of an element of the other structure, which has the addresses.
    pub subflow: usize,
    /// Bytes of the buffer behind the header and, unless it is [`SockOpt::FullInfo`], the array.
    pub rest: usize,
}

impl Request {
    /// A request for everything about `room` subflows.
    pub fn new(option: SockOpt, room: usize) -> Self {
        let (tcp_info, subflow) = option.sizes();
        let rest = match option {
            SockOpt::FullInfo => abi::MPTCP_INFO_SIZE,
            _ => 0,
        };
        Self {
            option,
            room,
            tcp_info,
            subflow,
            rest,
        }
    }

    /// Size of the header.
    pub fn header(&self) -> usize {
        match self.option {
            SockOpt::FullInfo => size_of::<FullInfo>(),
            _ => size_of::<SubflowData>(),
        }
    }

    /// Size of an element of the array behind the header, which [`SockOpt::FullInfo`] does not have.
    pub fn element(&self) -> usize {
        match self.option {
            SockOpt::TcpInfo => self.tcp_info,
            SockOpt::SubflowAddrs => self.subflow,
            SockOpt::FullInfo => 0,
        }
    }

    /// Size of the buffer.
    pub fn optlen(&self) -> usize {
        self.header() + self.room * self.element() + self.rest
    }

    /// The header for arrays at these addresses, which only [`SockOpt::FullInfo`] has.
    pub fn write_header(&self, optval: &mut [u8], subflow_info: usize, tcp_info: usize) {
        let data = SubflowData {
            size_subflow_data: self.header() as u32,
            size_user: self.element() as u32,
            ..Default::default()
        };
        let full = FullInfo {
            size_tcpinfo_user: self.tcp_info as u32,
            size_sfinfo_user: self.subflow as u32,
            size_arrays_user: self.room as u32,
            subflow_info: subflow_info as u64,
            tcp_info: tcp_info as u64,
            ..Default::default()
        };
        optval[..self.header()].copy_from_slice(match self.option {
            SockOpt::FullInfo => bytes_of(&full),
            _ => bytes_of(&data),
        });
    }

    /// Buffers for the result, with `spare` bytes behind each.
    pub fn buffers(&self, spare: usize) -> Reply {
        let full = usize::from(self.option == SockOpt::FullInfo);
        let mut reply = Reply {
            ret: 0,
            optlen: 0,
            optval: vec![CANARY; self.optlen() + spare],
            tcp_info: vec![CANARY; full * (self.room * self.tcp_info + spare)],
            subflow_info: vec![CANARY; full * (self.room * self.subflow + spare)],
            arrays: [0, 0],
        };
        reply.arrays = [&mut reply.subflow_info, &mut reply.tcp_info].map(|array| expose(array));
        reply
    }

    /// Makes the request, with buffers that [`buffers`](Self::buffers) returned.
    pub fn repeat(&self, socket: impl AsFd, reply: &mut Reply) {
        self.repeat_with(socket, reply, self.optlen());
    }

    /// Makes the request with another `optlen`, which may include the spare bytes.
    pub fn repeat_with(&self, socket: impl AsFd, reply: &mut Reply, optlen: usize) {
        assert!(optlen <= reply.optval.len());
        self.write_header(&mut reply.optval, reply.arrays[0], reply.arrays[1]);
        reply.optlen = optlen as u32;
        let optval = expose(&mut reply.optval);
        let optlen = (&raw mut reply.optlen).expose_provenance();
        // SAFETY: The buffers are as large as the request says.
        reply.ret = unsafe { self.option.call(socket, optval, optlen) };
    }

    /// Makes the request, with `spare` bytes behind each buffer.
    pub fn make(&self, socket: impl AsFd, spare: usize) -> Reply {
        let mut reply = self.buffers(spare);
        self.repeat(socket, &mut reply);
        reply
    }
}

fn expose(bytes: &mut [u8]) -> usize {
    bytes.as_mut_ptr().expose_provenance()
}

/// The result of a request. The buffers include what the kernel has not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 0, or a negative error number.
    pub ret: c_int,
    /// `optlen` afterwards.
    pub optlen: u32,
    /// The buffer.
    pub optval: Vec<u8>,
    /// The array of [`SockOpt::FullInfo`].
    pub tcp_info: Vec<u8>,
    /// The other array of [`SockOpt::FullInfo`].
    pub subflow_info: Vec<u8>,
    /// Where the two arrays were, `subflow_info` first.
    pub arrays: [usize; 2],
}

impl Reply {
    /// What was written of each buffer: `optval`, `subflow_info` and `tcp_info`.
    pub fn written(&self) -> [&[u8]; 3] {
        [&self.optval, &self.subflow_info, &self.tcp_info].map(|buffer| {
            let len = buffer
                .iter()
                .rposition(|byte| *byte != CANARY)
                .map_or(0, |last| last + 1);
            &buffer[..len]
        })
    }

    /// The return value, `optlen`, and how many bytes of each buffer were written.
    pub fn summary(&self) -> String {
        let lens = self.written().map(<[u8]>::len);
        format!("{}, optlen {}, written {lens:?}", self.ret, self.optlen)
    }

    /// The header of a reply to [`SockOpt::FullInfo`].
    pub fn full_info(&self) -> FullInfo {
        pod_read_unaligned(&self.optval[..size_of::<FullInfo>()])
    }

    /// The header of a reply to any other option.
    pub fn subflow_data(&self) -> SubflowData {
        pod_read_unaligned(&self.optval[..size_of::<SubflowData>()])
    }

    /// How many subflows the kernel reports.
    pub fn num_subflows(&self, option: SockOpt) -> usize {
        let num = match option {
            SockOpt::FullInfo => self.full_info().num_subflows,
            _ => self.subflow_data().num_subflows,
        };
        num as usize
    }
}

/// What [`SockOpt::FullInfo`] reports of a socket when there is room for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// `struct mptcp_info`.
    pub info: Vec<u8>,
    /// A `struct mptcp_subflow_info` for each subflow.
    pub subflow_info: Vec<Vec<u8>>,
    /// A `struct tcp_info` for each subflow.
    pub tcp_info: Vec<Vec<u8>>,
}

impl Snapshot {
    /// Takes it.
    pub fn take(socket: impl AsFd) -> io::Result<Self> {
        let request = Request::new(SockOpt::FullInfo, 2 * net::MAX_SUBFLOWS);
        let reply = request.make(socket, 0);
        if reply.ret != 0 {
            return Err(io::Error::from_raw_os_error(-reply.ret));
        }
        let (num, tcp_info, subflow_info) =
            check::full_info(&request, &reply).map_err(io::Error::other)?;
        if num > request.room {
            return Err(io::Error::other(format!("{num} subflows")));
        }
        let elements = |array| check::elements(array).map(Vec::from).collect();
        Ok(Self {
            info: reply.optval[request.header()..].to_vec(),
            subflow_info: elements(subflow_info),
            tcp_info: elements(tcp_info),
        })
    }

    /// How many subflows are in `state`.
    pub fn in_state(&self, state: u8) -> usize {
        let states = self.tcp_info.iter().map(|info| info[0]);
        states.filter(|of_subflow| *of_subflow == state).count()
    }
}
