// SPDX-License-Identifier: GPL-2.0

//! `show`: the connections of another process.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use mptcp_subflows::subflows;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use serde_json::json;
use socket2::{Protocol, SockRef};

use super::{counted, report, screen, seconds};
use crate::Outcome;

/// Show the subflows of the MPTCP connections of a process
///
/// Takes the same right as tracing the process: be its user, or root.
#[derive(clap::Args)]
pub struct Args {
    /// Process to look into
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    pid: i32,

    /// Only this file descriptor of it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    fd: Option<RawFd>,

    /// Repeat until the process ends
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true,
          default_missing_value = "1", value_parser = seconds)]
    watch: Option<Duration>,

    /// Print one JSON object per connection and line
    #[arg(long)]
    json: bool,
}

/// One socket of the process.
struct Connection {
    /// It can have several descriptors.
    fds: Vec<RawFd>,
    socket: OwnedFd,
}

pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let pid = args.pid;
    let process = Pid::from_raw(pid)
        .ok_or(Errno::SRCH)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()))
        .map_err(|errno| match errno {
            Errno::SRCH | Errno::INVAL | Errno::NOENT => anyhow!("there is no process {pid}"),
            _ => anyhow!("process {pid}: {errno}"),
        })?;
    let nothing = format!("process {pid} has no MPTCP connection");

    let mut screen = screen::Screen::new(args.watch.is_some() && !args.json);
    loop {
        match (report(args, process.as_fd())?, args.watch) {
            (Some(report), _) => screen.show(&report)?,
            (None, None) => return Ok(Outcome::No(nothing)),
            (None, Some(_)) if args.json => {}
            (None, Some(_)) => screen.show(&nothing)?,
        }
        match args.watch {
            Some(interval) if !ends_within(process.as_fd(), interval)? => {}
            _ => return Ok(Outcome::Yes),
        }
    }
}

/// A process' descriptor becomes readable when it ends.
fn ends_within(process: BorrowedFd<'_>, time: Duration) -> anyhow::Result<bool> {
    let timeout = Timespec::try_from(time)?;
    match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// All connections as text, or `None` if there are none.
fn report(args: &Args, process: BorrowedFd<'_>) -> anyhow::Result<Option<String>> {
    let mut parts = Vec::new();
    for Connection { fds, socket } in connections(args, process)? {
        let pid = args.pid;
        // A single one that was asked for must be shown, or the command fails.
        let answer = subflows(&socket);
        if args.fd.is_some() {
            answer
                .as_ref()
                .map_err(|error| anyhow!("process {pid}, fd {fds:?}: {error}"))?;
        }
        parts.push(if args.json {
            let (list, error) = match &answer {
                Ok(subflows) => (report::json(subflows), None),
                Err(error) => (json!([]), Some(error.to_string())),
            };
            json!({"pid": pid, "fds": fds, "subflows": list, "error": error}).to_string()
        } else {
            let fds = fds
                .iter()
                .map(RawFd::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            match &answer {
                Ok(subflows) => {
                    let count = counted(subflows.len(), "subflow");
                    let table = report::table(subflows, screen::columns());
                    format!("process {pid}, fd {fds}: {count}\n{table}\n")
                }
                Err(error) => format!("process {pid}, fd {fds}: {error}\n"),
            }
        });
    }
    Ok((!parts.is_empty()).then(|| parts.join("\n")))
}

/// The process' MPTCP sockets, those that only listen aside, or the one that was asked for.
///
/// What this holds is a duplicate that keeps the connection open: let go of it soon.
fn connections(args: &Args, process: BorrowedFd<'_>) -> anyhow::Result<Vec<Connection>> {
    let pid = args.pid;
    let duplicate = |fd| pidfd_getfd(process, fd, PidfdGetfdFlags::empty());
    let denied = || format!("process {pid} may not be looked into: be its user or root");

    if let Some(fd) = args.fd {
        let socket = duplicate(fd).map_err(|errno| match errno {
            Errno::BADF => anyhow!("process {pid} has no file descriptor {fd}"),
            Errno::SRCH => anyhow!("process {pid} has ended"),
            Errno::PERM => anyhow!(denied()),
            _ => anyhow!("process {pid}, fd {fd}: {errno}"),
        })?;
        return Ok(vec![Connection {
            fds: vec![fd],
            socket,
        }]);
    }

    let mut found = BTreeMap::<PathBuf, Connection>::new();
    let directory = format!("/proc/{pid}/fd");
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        // It ended a moment ago.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => bail!(denied()),
        Err(error) => return Err(error).context(directory),
    };
    for entry in entries {
        // What vanishes meanwhile is not there.
        let Ok(entry) = entry else { break };
        let Ok(inode) = fs::read_link(entry.path()) else {
            continue;
        };
        let Ok(fd) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        if let Some(known) = found.get_mut(&inode) {
            known.fds.push(fd);
        } else if inode.to_string_lossy().starts_with("socket:") {
            let socket = match duplicate(fd) {
                Ok(socket) => socket,
                Err(Errno::PERM) => bail!(denied()),
                Err(_) => continue,
            };
            let wanted = {
                let socket = SockRef::from(&socket);
                matches!(socket.protocol(), Ok(Some(Protocol::MPTCP)))
                    && !socket.is_listener().unwrap_or(false)
            };
            if wanted {
                found.insert(
                    inode,
                    Connection {
                        fds: vec![fd],
                        socket,
                    },
                );
            }
        }
    }
    let mut connections: Vec<_> = found.into_values().collect();
    for connection in &mut connections {
        connection.fds.sort_unstable();
    }
    connections.sort_unstable_by_key(|connection| connection.fds[0]);
    Ok(connections)
}
