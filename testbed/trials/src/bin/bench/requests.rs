// SPDX-License-Identifier: GPL-2.0

//! The requests that are measured, and the user memory that they are about.

use std::ffi::c_int;

use bytemuck::{Pod, bytes_of};
use mptcp_trials::abi::{
    FullInfo, MPTCP_INFO_SIZE, SUBFLOW_ADDRS_SIZE, SUBFLOW_INFO_SIZE, SubflowData, TCP_INFO_SIZE,
};
use mptcp_trials::net::Family;
use mptcp_trials::probe::Probe;
use mptcp_trials::request::SockOpt;
use mptcp_trials::space::{READ_ONLY, near};

use crate::results::{Kind, Name};

/// The pages of the buffer, of both arrays of [`FullInfo`], and of `optlen`.
const BUFFER: usize = near(0);
const SUBFLOW_INFO: usize = near(1);
const TCP_INFO: usize = near(3);
const OPTLEN: usize = near(5);
/// Where no memory is, behind a page that can be written.
const CLOSED: usize = near(2);

/// The name of requests for elements as long as the kernel's.
pub const FULL: &str = "full elements";

/// A request that each option refuses after it has read all of it.
const REFUSED: &str = "EINVAL: num_subflows";

/// The request that is traced in place of this one, since the connection's lock is taken as often for
/// both. There is none for a request with a fault, which may end anywhere.
///
/// The number of subflows makes no difference, and neither does the reason for an error: no
/// implementation takes the lock in the walk over the subflows, or between two checks.
pub fn traced(name: &Name, kind: Kind) -> Option<Name> {
    let request = match kind {
        Kind::Floor | Kind::Fault => return None,
        Kind::Refused => REFUSED,
        Kind::Full | Kind::Cut | Kind::Count => &name.request,
    };
    Some(Name {
        option: name.option.clone(),
        subflows: 1,
        request: request.to_owned(),
    })
}

/// Whether a request is traced as well, to check that its rounds are the same.
pub fn traced_too(name: &Name) -> bool {
    name.request == FULL && name.subflows == 2
}

const MAX: u32 = c_int::MAX.unsigned_abs();

/// A request that is measured.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its name in the results.
    pub name: Name,
    /// Its kind.
    pub kind: Kind,
    /// What is requested.
    pub probe: Probe,
}

impl Request {
    /// The error that it fails with.
    pub fn error(&self) -> Option<c_int> {
        match self.kind {
            Kind::Refused => Some(libc::EINVAL),
            Kind::Fault => Some(libc::EFAULT),
            _ => None,
        }
    }
}

/// The requests to a connection with so many subflows.
pub fn of(family: Family, subflows: usize) -> Vec<Request> {
    let room = subflows as u32;
    let data = |option, size: usize| Draft::subflow_data(room, size).all(option, SUBFLOW_DATA);
    let addrs = data(SockOpt::SubflowAddrs, SUBFLOW_ADDRS_SIZE);
    if family == Family::V6 {
        // Nothing else depends on the addresses.
        let mut full: Vec<_> = addrs.into_iter().filter(|r| r.kind == Kind::Full).collect();
        for request in &mut full {
            request.name.request += ", IPv6";
        }
        return full;
    }
    let tcp_info = data(SockOpt::TcpInfo, TCP_INFO_SIZE);
    let full_info = Draft::full_info(room).all(SockOpt::FullInfo, FULL_INFO);

    let mut requests = [tcp_info, addrs, full_info].concat();
    // An error is the same whatever the number of subflows.
    requests.retain(|r| subflows == 1 || !matches!(r.kind, Kind::Refused | Kind::Fault));
    requests
}

/// A request for full elements, to be changed.
#[derive(Clone, Copy)]
struct Draft<H> {
    header: H,
    /// Elements that there are.
    room: u32,
    len: u32,
    optval: usize,
    optlen: usize,
}

/// A kind of request, its name, and how it is made from a request for full elements.
type Change<H> = (Kind, &'static str, fn(&mut Draft<H>));

impl<H: Pod> Draft<H> {
    /// The requests for an option.
    fn all(&self, option: SockOpt, changes: &[Change<H>]) -> Vec<Request> {
        let request = |(kind, name, change): &Change<H>| {
            let mut draft = *self;
            change(&mut draft);
            Request {
                name: Name {
                    option: option.name().to_owned(),
                    subflows: self.room as usize,
                    request: (*name).to_owned(),
                },
                kind: *kind,
                probe: Probe {
                    option: option.number(),
                    optval: draft.optval,
                    optlen: draft.optlen,
                    header: bytes_of(&draft.header).to_vec(),
                    len: draft.len as i32,
                    ..Default::default()
                },
            }
        };
        changes.iter().map(request).collect()
    }
}

impl Draft<SubflowData> {
    const HEADER: u32 = size_of::<SubflowData>() as u32;

    fn subflow_data(room: u32, size: usize) -> Self {
        let mut draft = Self {
            header: SubflowData {
                size_subflow_data: Self::HEADER,
                ..Default::default()
            },
            room,
            len: 0,
            optval: BUFFER,
            optlen: OPTLEN,
        };
        draft.elements(size as u32);
        draft
    }

    fn elements(&mut self, size: u32) {
        self.header.size_user = size;
        self.len = Self::HEADER + self.room * size;
    }

    fn count(&mut self) {
        self.len = Self::HEADER;
    }
}

const SUBFLOW_DATA: &[Change<SubflowData>] = &[
    (Kind::Full, FULL, |_| ()),
    (Kind::Cut, "elements of 104 bytes", |d| d.elements(104)),
    (Kind::Cut, "elements of 0 bytes", |d| d.header.size_user = 0),
    (Kind::Count, "count only", |d| d.count()),
    (Kind::Refused, "EINVAL: optlen < 16", |d| d.len = 15),
    (Kind::Refused, "EINVAL: optlen < 0", |d| d.len = u32::MAX),
    (Kind::Refused, "EINVAL: size_subflow_data < 16", |d| {
        d.header.size_subflow_data = 15;
    }),
    (Kind::Refused, "EINVAL: size_subflow_data > optlen", |d| {
        d.header.size_subflow_data = d.len + 1;
    }),
    (Kind::Refused, "EINVAL: size_subflow_data > INT_MAX", |d| {
        d.header.size_subflow_data = MAX + 1;
    }),
    (Kind::Refused, "EINVAL: size_user > INT_MAX", |d| {
        d.header.size_user = MAX + 1
    }),
    (Kind::Refused, "EINVAL: num_subflows", |d| {
        d.header.num_subflows = 1
    }),
    (Kind::Refused, "EINVAL: size_kernel", |d| {
        d.header.size_kernel = 1
    }),
    (Kind::Fault, "EFAULT: optlen read", |d| d.optlen = CLOSED),
    (Kind::Fault, "EFAULT: header read", |d| d.optval = CLOSED),
    (Kind::Fault, "EFAULT: element written", |d| {
        d.optval = CLOSED - size_of::<SubflowData>();
    }),
    (Kind::Fault, "EFAULT: optlen written", |d| {
        d.count();
        d.optlen = READ_ONLY;
    }),
    (Kind::Fault, "EFAULT: header written", |d| {
        d.count();
        d.optval = READ_ONLY;
    }),
];

impl Draft<FullInfo> {
    const HEADER: u32 = size_of::<FullInfo>() as u32;

    fn full_info(room: u32) -> Self {
        Self {
            header: FullInfo {
                size_tcpinfo_user: TCP_INFO_SIZE as u32,
                size_sfinfo_user: SUBFLOW_INFO_SIZE as u32,
                size_arrays_user: room,
                subflow_info: SUBFLOW_INFO as u64,
                tcp_info: TCP_INFO as u64,
                ..Default::default()
            },
            room,
            len: Self::HEADER + MPTCP_INFO_SIZE as u32,
            optval: BUFFER,
            optlen: OPTLEN,
        }
    }

    fn elements(&mut self, size: u32) {
        self.header.size_tcpinfo_user = size;
        self.header.size_sfinfo_user = size;
    }

    fn count(&mut self) {
        self.header.size_arrays_user = 0;
        self.len = Self::HEADER;
    }
}

const FULL_INFO: &[Change<FullInfo>] = &[
    (Kind::Full, FULL, |_| ()),
    (Kind::Cut, "elements of 104 bytes", |d| d.elements(104)),
    (Kind::Cut, "elements of 0 bytes", |d| d.elements(0)),
    (Kind::Cut, "elements without mptcp_info", |d| {
        d.len = Draft::<FullInfo>::HEADER
    }),
    (Kind::Count, "count only", |d| d.count()),
    (Kind::Count, "count and mptcp_info", |d| {
        d.header.size_arrays_user = 0
    }),
    (Kind::Refused, "EINVAL: optlen < 40", |d| d.len = 39),
    (Kind::Refused, "EINVAL: optlen < 0", |d| d.len = u32::MAX),
    (Kind::Refused, "EINVAL: size_tcpinfo_kernel", |d| {
        d.header.size_tcpinfo_kernel = 1
    }),
    (Kind::Refused, "EINVAL: size_sfinfo_kernel", |d| {
        d.header.size_sfinfo_kernel = 1
    }),
    (Kind::Refused, "EINVAL: num_subflows", |d| {
        d.header.num_subflows = 1
    }),
    (Kind::Refused, "EINVAL: size_tcpinfo_user > INT_MAX", |d| {
        d.header.size_tcpinfo_user = MAX + 1;
    }),
    (Kind::Refused, "EINVAL: size_sfinfo_user > INT_MAX", |d| {
        d.header.size_sfinfo_user = MAX + 1;
    }),
    (Kind::Fault, "EFAULT: optlen read", |d| d.optlen = CLOSED),
    (Kind::Fault, "EFAULT: header read", |d| d.optval = CLOSED),
    (Kind::Fault, "EFAULT: subflow_info written", |d| {
        d.header.subflow_info = CLOSED as u64
    }),
    (Kind::Fault, "EFAULT: tcp_info written", |d| {
        d.header.tcp_info = CLOSED as u64
    }),
    (Kind::Fault, "EFAULT: optlen written", |d| {
        d.count();
        d.optlen = READ_ONLY;
    }),
    (Kind::Fault, "EFAULT: header written", |d| {
        d.count();
        d.optval = READ_ONLY;
    }),
];
