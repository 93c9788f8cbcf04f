// SPDX-License-Identifier: GPL-2.0

//! Connections by the descriptors of processes, where netlink cannot tell.
//!
//! A duplicate of another process's descriptor keeps the socket open, and registered with the owner's
//! epoll, when the owner closes its own. So only MPTCP sockets are duplicated, one at a time, and each
//! duplicate lives for a few system calls.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use mptcp_subflows::diag::Fallback;
use mptcp_subflows::{Error, Subflow, TcpState, fallback, mptcp_info, subflows};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd};
use socket2::SockRef;

use super::namespace;
use super::processes::{self, Descriptor, Refused, Which, is_gone};
use crate::model::{Connection, Path};

/// include/uapi/linux/pidfd.h, since Linux 6.9.
const PIDFD_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);

/// What was found, and what went wrong with one of them.
#[derive(Default)]
pub struct Found {
    pub connections: Vec<Connection>,
    pub error: Option<anyhow::Error>,
}

/// The MPTCP sockets of these processes; without a PID, of those in this network namespace.
pub fn connections(which: &Which, refused: &mut Vec<Refused>) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let mut denied = Vec::new();
    let mut is_here = HashMap::new();
    processes::walk(which, refused, |descriptor| {
        let is_same = || namespace::is_same(descriptor.pid);
        let chosen = matches!(which, Which::Pid(_))
            || *is_here.entry(descriptor.pid).or_insert_with(is_same);
        if !chosen {
            return;
        }
        let known = found
            .connections
            .iter_mut()
            .find(|c| c.inode == descriptor.inode);
        if let Some(known) = known {
            descriptor.add_to(&mut known.processes);
            return;
        }
        let socket = match is_mptcp(descriptor).and_then(|is_mptcp| match is_mptcp {
            true => duplicate(descriptor.pid, descriptor.tid, descriptor.fd).map(Some),
            false => Ok(None),
        }) {
            Ok(Some(socket)) => socket,
            Ok(None) => return,
            Err(error) if is_gone(&error) => return,
            Err(source) => {
                let pid = descriptor.pid;
                return denied.push(Refused { pid, source });
            }
        };
        match read(&socket) {
            Ok(Some(mut connection)) => {
                connection.inode = descriptor.inode;
                descriptor.add_to(&mut connection.processes);
                found.connections.push(connection);
            }
            Ok(None) => {}
            Err(error) => found.error = Some(error.into()),
        }
    })?;
    refused.append(&mut denied);
    refused.dedup_by_key(|refused| refused.pid);
    Ok(found)
}

/// Replaces the paths of a connection, of which netlink tells only the first one, by all that there
/// are. Returns whether that was possible.
pub fn complete(connection: &mut Connection) -> bool {
    if connection.is_listening() {
        return true;
    }
    let Some(process) = connection.processes.first() else {
        return false;
    };
    let Some(socket) = process
        .fds
        .first()
        .and_then(|fd| duplicate(process.pid, process.pid, *fd).ok())
    else {
        return false;
    };
    match subflows(&socket) {
        Ok(all) => {
            connection.paths = all.into_iter().map(Path::new).collect();
            true
        }
        // There is one path, which is known.
        Err(Error::Fallback) => true,
        Err(_) => false,
    }
}

/// Which protocol a socket is of can be seen without a duplicate.
fn is_mptcp(descriptor: &Descriptor) -> io::Result<bool> {
    let mut name = [0; 32];
    let len = rustix::fs::getxattr(&descriptor.path, "system.sockprotoname", &mut name)?;
    Ok(name[..len].starts_with(b"MPTCP"))
}

fn duplicate(pid: i32, tid: i32, fd: i32) -> io::Result<OwnedFd> {
    let flags = if pid == tid {
        PidfdFlags::empty()
    } else {
        PIDFD_THREAD
    };
    let process = processes::open(tid, flags)?;
    Ok(pidfd_getfd(process.as_fd(), fd, PidfdGetfdFlags::empty())?)
}

/// The connection of a socket; `None` if it has none, and does not listen.
fn read(socket: &OwnedFd) -> Result<Option<Connection>, Error> {
    let (list, fell_back) = match subflows(socket) {
        Ok(all) => (all.into_iter().collect(), None),
        Err(Error::Fallback) => (Vec::from_iter(fallback(socket)?), Some(Fallback::Unknown)),
        // It was MPTCP when it was looked at first.
        Err(Error::NotMptcp) => return Ok(None),
        Err(error) => return Err(error),
    };
    let state = |subflow: &Subflow| subflow.tcp_info().state();
    let name = SockRef::from(socket);
    let local = name
        .local_addr()
        .ok()
        .and_then(|address| address.as_socket());
    let remote = name
        .peer_addr()
        .ok()
        .and_then(|address| address.as_socket());
    let listens = name.is_listener().unwrap_or(false);
    let Some(local) = local else {
        return Ok(None);
    };
    let nobody = match local.is_ipv4() {
        true => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        false => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
    };
    let Some(remote) = remote.or(listens.then_some(nobody)) else {
        return Ok(None);
    };
    Ok(Some(Connection {
        local,
        remote,
        state: match list.first().and_then(state) {
            _ if listens => TcpState::Listen,
            Some(state) => state,
            None => TcpState::Close,
        },
        cookie: name.cookie().ok(),
        inode: 0,
        uid: None,
        receive_queue: None,
        info: mptcp_info(socket).ok(),
        fallback: fell_back,
        processes: Vec::new(),
        paths: match listens {
            true => Vec::new(),
            false => list.into_iter().map(Path::new).collect(),
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Process;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_connection_is_completed() {
        if testkit::sockets::socket("127.0.0.1:0").is_err() {
            return eprintln!("ignored: needs MPTCP");
        }
        let (client, _server, _listener) = testkit::sockets::pair("127.0.0.1:0");
        let own = Process {
            pid: std::process::id() as i32,
            command: String::new(),
            fds: vec![client.as_raw_fd()],
        };
        let mut connection = read(&client.try_clone().unwrap().into()).unwrap().unwrap();
        connection.paths.clear();
        assert!(!complete(&mut connection));
        connection.processes.push(own);
        assert!(complete(&mut connection));
        assert_eq!(connection.paths.len(), 1);
    }
}
