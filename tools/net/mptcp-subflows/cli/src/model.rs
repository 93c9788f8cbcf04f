// SPDX-License-Identifier: GPL-2.0

//! What was seen at one moment, whichever way it was read.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use mptcp_subflows::diag::{self, Fallback};
use mptcp_subflows::{Delta, MptcpInfo, Sample, Subflow, TcpState};

use crate::verdict::{self, Judgement};

/// A process that holds a descriptor of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub command: String,
    pub fds: Vec<i32>,
}

/// A connection, or a listening socket.
#[derive(Debug, Clone)]
pub struct Connection {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub state: TcpState,
    pub cookie: Option<u64>,
    pub inode: u64,
    pub uid: Option<u32>,
    /// Of a listening socket: how many connections wait to be accepted.
    pub receive_queue: Option<u32>,
    pub info: Option<MptcpInfo>,
    pub fallback: Option<Fallback>,
    pub processes: Vec<Process>,
    pub paths: Vec<Path>,
}

/// A subflow, and what it did since the last look.
#[derive(Debug, Clone)]
pub struct Path {
    pub subflow: Subflow,
    pub interface: Option<String>,
    pub delta: Option<Delta>,
    pub judgement: Judgement,
}

/// Names a subflow from one look to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Cookie(u64),
    /// Within the connection of this inode.
    Id(u64, u32),
    /// On a kernel without ids.
    Addresses(SocketAddr, SocketAddr),
}

impl Connection {
    pub fn is_listening(&self) -> bool {
        self.state == TcpState::Listen
    }

    pub fn token(&self) -> Option<u32> {
        self.info
            .and_then(|info| info.token())
            .filter(|token| *token != 0)
    }

    /// What names it from one look to the next.
    pub fn key(&self) -> (Option<u64>, u64) {
        match self.cookie {
            // The inode changes when the socket is accepted, and when it is closed.
            Some(_) => (self.cookie, 0),
            None => (None, self.inode),
        }
    }

    pub fn path_key(&self, path: &Path) -> Key {
        let subflow = &path.subflow;
        match (subflow.details(), subflow.id()) {
            (Some(details), _) => Key::Cookie(details.cookie()),
            (None, Some(id)) => Key::Id(self.inode, id),
            (None, None) => Key::Addresses(subflow.local(), subflow.remote()),
        }
    }

    /// How many of its paths work.
    pub fn working(&self) -> usize {
        let working = |path: &&Path| path.judgement.verdict.works();
        self.paths.iter().filter(working).count()
    }

    /// Bytes per second of all paths, both ways.
    pub fn rate(&self) -> f64 {
        self.paths.iter().filter_map(Path::rate).sum()
    }
}

impl Path {
    pub fn new(subflow: Subflow) -> Self {
        Self {
            judgement: verdict::judge(&subflow, None, false),
            subflow,
            interface: None,
            delta: None,
        }
    }

    /// Bytes per second, both ways.
    pub fn rate(&self) -> Option<f64> {
        let delta = self.delta?;
        Some(delta.acked_rate()? + delta.received_rate()?)
    }

    /// Which part of the connection's data it carried, out of `total` bytes per second.
    pub fn share(&self, total: f64) -> Option<f64> {
        self.rate().filter(|_| total > 0.0).map(|rate| rate / total)
    }
}

impl From<diag::Connection> for Connection {
    fn from(found: diag::Connection) -> Self {
        Self {
            local: found.local,
            remote: found.remote,
            state: found.state,
            cookie: Some(found.cookie),
            inode: found.inode.into(),
            uid: Some(found.uid),
            receive_queue: Some(found.receive_queue),
            info: Some(found.info),
            fallback: found.fallback(),
            processes: Vec::new(),
            paths: found.subflows.into_iter().map(Path::new).collect(),
        }
    }
}

/// All that was seen.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub time: SystemTime,
    pub at: Instant,
    pub connections: Vec<Connection>,
}

impl Snapshot {
    fn sample(&self) -> Sample<Key> {
        let paths = self.connections.iter().flat_map(|connection| {
            let key = |path| (connection.path_key(path), path.subflow.tcp_info());
            connection.paths.iter().map(key)
        });
        Sample::new(self.at, paths)
    }

    /// Judges every path by what it did since the look before, if there was one.
    pub fn judge(&mut self, before: Option<&Self>) {
        let deltas = before.map_or_else(BTreeMap::new, |before| {
            self.sample().since(&before.sample())
        });
        for connection in &mut self.connections {
            let fell_back = connection.fallback.is_some();
            let keys: Vec<_> = connection
                .paths
                .iter()
                .map(|path| connection.path_key(path))
                .collect();
            for (path, key) in connection.paths.iter_mut().zip(keys) {
                path.delta = deltas.get(&key).copied();
                path.judgement = verdict::judge(&path.subflow, path.delta.as_ref(), fell_back);
            }
        }
    }
}
