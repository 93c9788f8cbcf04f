// SPDX-License-Identifier: GPL-2.0

//! Paths and connections for the tests.

use std::time::{Duration, Instant, SystemTime};

use mptcp_subflows::{Delta, Details, Sample, Subflow, SubflowFlags, TcpInfo, TcpState};

use crate::model::{Connection, Path, Snapshot};

/// The fields of `struct tcp_info` that the tests set, with an established connection to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Tcp {
    pub state: TcpState,
    pub timeouts: u8,
    pub unacked: u32,
    /// Time since the last data and the last ACK, in milliseconds.
    pub last: u32,
    pub rtt: u32,
    pub resent: u32,
    pub acked: u64,
    pub received: u64,
    pub segments: u32,
    pub flags: u32,
}

impl Default for Tcp {
    fn default() -> Self {
        Self {
            state: TcpState::Established,
            timeouts: 0,
            unacked: 0,
            last: 10,
            rtt: 17_700,
            resent: 0,
            acked: 0,
            received: 0,
            segments: 100,
            flags: 0,
        }
    }
}

impl Tcp {
    pub fn info(self) -> TcpInfo {
        let mut bytes = [0; TcpInfo::SIZE];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &[self.state.into()]);
        put(2, &[self.timeouts]);
        put(24, &self.unacked.to_ne_bytes());
        for at in [44, 52, 56] {
            put(at, &self.last.to_ne_bytes());
        }
        put(68, &self.rtt.to_ne_bytes());
        put(100, &self.resent.to_ne_bytes());
        put(120, &self.acked.to_ne_bytes());
        put(128, &self.received.to_ne_bytes());
        put(156, &self.segments.to_ne_bytes());
        put(152, &self.segments.to_ne_bytes());
        put(200, &self.acked.to_ne_bytes());
        TcpInfo::from_bytes(&bytes)
    }

    /// The subflow from this address, of which the socket has this number.
    pub fn subflow(self, local: &str, cookie: u64) -> Subflow {
        let details = Details::new(cookie).with_flags(SubflowFlags::from_bits(self.flags));
        let remote = match local.starts_with('[') {
            true => "[2001:db8:1111:2222:3333:4444:5555:6666]:50000",
            false => "192.0.2.200:50000",
        };
        let [local, remote] = [local, remote].map(|address| address.parse().unwrap());
        Subflow::new(local, remote, self.info()).with_details(details)
    }

    /// What it did in the second since `earlier`.
    pub fn since(self, earlier: Self) -> Delta {
        let start = Instant::now();
        let before = Sample::new(start, [(0, &earlier.info())]);
        let after = Sample::new(start + Duration::from_secs(1), [(0, &self.info())]);
        after.since(&before)[&0]
    }
}

/// A connection with these subflows.
pub fn connection(cookie: u64, subflows: Vec<Subflow>) -> Connection {
    Connection {
        local: subflows[0].local(),
        remote: subflows[0].remote(),
        state: TcpState::Established,
        cookie: Some(cookie),
        inode: cookie,
        uid: Some(0),
        receive_queue: None,
        info: None,
        fallback: None,
        processes: Vec::new(),
        paths: subflows.into_iter().map(Path::new).collect(),
    }
}

pub fn snapshot(connections: Vec<Connection>) -> Snapshot {
    Snapshot {
        time: SystemTime::UNIX_EPOCH,
        at: Instant::now(),
        connections,
    }
}
