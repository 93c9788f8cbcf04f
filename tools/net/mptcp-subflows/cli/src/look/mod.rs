// SPDX-License-Identifier: GPL-2.0

//! Looking at the machine: netlink lists the connections, /proc names their processes. Where netlink
//! cannot tell, the descriptors of the processes are read instead.

mod descriptors;
mod filter;
mod interfaces;
mod namespace;
mod processes;

use std::collections::{HashMap, HashSet};
use std::time::{Instant, SystemTime};

use anyhow::Context;
use mptcp_subflows::TcpState;
use mptcp_subflows::diag::{self, CONNECTED, Diag};

use crate::args::{Filter, Place};
use crate::error::Trouble;
use crate::model::{Connection, Process, Snapshot};
use crate::say;
use crate::text::plural;

pub use interfaces::Interfaces;
use namespace::Entered;
use processes::{Refused, Which};

enum Source {
    Netlink(Diag),
    Descriptors,
}

pub struct Looker<'a> {
    place: &'a Place,
    filter: &'a Filter,
    source: Source,
    /// What was said already.
    said: HashSet<String>,
}

/// What one look found.
pub struct Look {
    pub snapshot: Snapshot,
    /// Why there may be more than that.
    pub trouble: Option<anyhow::Error>,
}

impl<'a> Looker<'a> {
    /// Enters the network namespace that was asked for.
    pub fn new(place: &'a Place, filter: &'a Filter) -> anyhow::Result<Self> {
        let mut looker = Self {
            place,
            filter,
            source: Source::Descriptors,
            said: HashSet::new(),
        };
        let entered = match (place.pid, &place.netns) {
            (Some(pid), _) => namespace::enter_of(pid)?,
            (None, Some(name)) => namespace::enter(name)?,
            (None, None) => Entered::Yes,
        };
        if let Entered::No(error) = entered {
            looker.instead_of_netlink(&error.into());
            return Ok(looker);
        }
        match Diag::new() {
            Ok(diag) => looker.source = Source::Netlink(diag),
            Err(error) => looker.instead_of_netlink(&error.into()),
        }
        Ok(looker)
    }

    pub fn look(&mut self) -> anyhow::Result<Look> {
        let mut refused = Vec::new();
        let (time, at) = (SystemTime::now(), Instant::now());
        let mut trouble = None;
        let mut connections = match self.list()? {
            Some(found) => self.with_processes(found, &mut refused)?,
            None => {
                let found = descriptors::connections(&self.which(), &mut refused)?;
                trouble = found.error;
                found.connections
            }
        };
        if let Some(fd) = self.place.fd {
            let held = |process: &Process| process.fds.contains(&fd);
            connections.retain(|connection| connection.processes.iter().any(held));
        }
        connections.retain(|connection| filter::accepts(self.filter, connection));
        connections.sort_by_key(|connection| {
            (
                connection.is_listening(),
                connection.local,
                connection.remote,
                connection.cookie,
            )
        });
        let trouble = self.trouble(trouble, refused, &connections);
        Ok(Look {
            snapshot: Snapshot {
                time,
                at,
                connections,
            },
            trouble,
        })
    }

    fn which(&self) -> Which<'_> {
        match (self.place.pid, &self.place.name) {
            (Some(pid), _) => Which::Pid(pid),
            (None, Some(name)) => Which::Name(name),
            (None, None) => Which::All,
        }
    }

    /// What netlink lists, or nothing if it cannot.
    fn list(&mut self) -> anyhow::Result<Option<diag::Connections>> {
        let Source::Netlink(diag) = &mut self.source else {
            return Ok(None);
        };
        let mut states = CONNECTED.to_vec();
        states.extend([TcpState::Listen, TcpState::Close]);
        match diag.connections(&states) {
            Ok(found) => Ok(Some(found)),
            Err(error @ mptcp_subflows::Error::Malformed { .. }) => Err(error.into()),
            Err(error) => {
                self.instead_of_netlink(&error.into());
                Ok(None)
            }
        }
    }

    /// Connections as netlink lists them, with the processes that hold them, as far as these can be
    /// looked into.
    fn with_processes(
        &mut self,
        found: diag::Connections,
        refused: &mut Vec<Refused>,
    ) -> anyhow::Result<Vec<Connection>> {
        let limited = found.limited;
        let mut connections: Vec<_> = found.list.into_iter().map(Connection::from).collect();

        let mut by_inode: HashMap<_, Vec<Process>> = connections
            .iter()
            .filter(|connection| connection.inode != 0)
            .map(|connection| (connection.inode, Vec::new()))
            .collect();
        processes::walk(&self.which(), refused, |descriptor| {
            if let Some(holders) = by_inode.get_mut(&descriptor.inode) {
                descriptor.add_to(holders);
            }
        })?;
        for connection in &mut connections {
            connection.processes = by_inode.remove(&connection.inode).unwrap_or_default();
        }
        if !matches!(self.which(), Which::All) {
            connections.retain(|connection| !connection.processes.is_empty());
        }

        if limited {
            let complete = connections.iter_mut().map(descriptors::complete);
            if !complete.fold(true, |all, one| all & one) {
                self.say_once(
                    "this kernel shows further paths to CAP_NET_ADMIN only: there may be more"
                        .into(),
                );
            }
        }
        let interfaces = Interfaces::new();
        let paths = connections
            .iter_mut()
            .flat_map(|connection| &mut connection.paths);
        paths.for_each(|path| interfaces.name(path));
        Ok(connections)
    }

    /// What keeps the look from being complete, as far as it was asked for.
    fn trouble(
        &mut self,
        trouble: Option<anyhow::Error>,
        refused: Vec<Refused>,
        connections: &[Connection],
    ) -> Option<anyhow::Error> {
        let pids: Vec<_> = refused.iter().map(|refused| refused.pid).collect();
        let first = refused.into_iter().next();
        let everything_listed =
            matches!(self.which(), Which::All) && matches!(self.source, Source::Netlink(_));
        match first {
            Some(Refused { source, .. }) if everything_listed => {
                let unknown = |c: &&Connection| c.inode != 0 && c.processes.is_empty();
                let unknown = connections.iter().filter(unknown).count();
                if unknown > 0 {
                    let unknown = plural(unknown, "connection", "connections");
                    self.say_once(format!(
                        "the processes of {unknown} cannot be named: {source}"
                    ));
                }
                trouble
            }
            Some(Refused { source, .. }) => Some(Trouble::Refused { pids, source }.into()),
            None => trouble.or_else(|| self.missing_descriptor(connections)),
        }
    }

    /// A single descriptor that was asked for must be shown, or the command fails.
    fn missing_descriptor(&self, connections: &[Connection]) -> Option<anyhow::Error> {
        let (pid, fd) = (self.place.pid?, self.place.fd?);
        if !connections.is_empty() {
            return None;
        }
        let trouble = match std::fs::symlink_metadata(format!("/proc/{pid}/fd/{fd}")) {
            Ok(_) => Trouble::NotMptcp { pid, fd },
            Err(_) => Trouble::NoDescriptor { pid, fd },
        };
        Some(trouble.into())
    }

    fn instead_of_netlink(&mut self, error: &anyhow::Error) {
        self.source = Source::Descriptors;
        self.say_once(format!(
            "{error:#}: reading the descriptors of processes instead"
        ));
    }

    fn say_once(&mut self, text: String) {
        if self.said.insert(text.clone()) {
            say(&text);
        }
    }
}

/// Waits for the time of the next look; false if the process that was asked for ends before.
pub fn wait(place: &Place, time: std::time::Duration) -> anyhow::Result<bool> {
    match place.pid {
        Some(pid) => Ok(!processes::ends_within(pid, time).context("wait")?),
        None => {
            std::thread::sleep(time);
            Ok(true)
        }
    }
}
