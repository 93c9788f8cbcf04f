// SPDX-License-Identifier: GPL-2.0

//! The sockets that requests are made to: the same on every kernel, including their ports.

use std::fmt;
use std::fs;
use std::mem::offset_of;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use linux_raw_sys::net::tcp_info;
use socket2::{Protocol, Socket};

use crate::abi::{MptcpInfo, u32_at};
use crate::net::{self, Connection, Family, SERVER, cable_address, wait_for};
use crate::request::Snapshot;

/// The most subflows that a connection has here.
pub const MAX_SUBFLOWS: u8 = 8;

/// The state of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// An MPTCP connection with so many subflows.
    Connected(u8),
    /// A connection that has fallen back to TCP, as the peer supports nothing else.
    Fallback,
    /// A listener.
    Listening,
    /// A new socket.
    Unconnected,
}

/// Which of the sockets it is. Requests are generated for a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its state.
    pub state: State,
    /// Its addresses.
    pub family: Family,
    /// Whether it accepted the connection.
    pub server: bool,
}

impl Role {
    /// All roles.
    pub fn all() -> Vec<Self> {
        let connected = (1..=MAX_SUBFLOWS).map(State::Connected);
        let states = connected.flat_map(|state| [(state, false), (state, true)]);
        states
            .chain([
                (State::Fallback, false),
                (State::Fallback, true),
                (State::Listening, true),
                (State::Unconnected, false),
            ])
            .flat_map(|(state, server)| {
                Family::ALL.map(|family| Self {
                    state,
                    family,
                    server,
                })
            })
            .collect()
    }

    /// How many subflows are reported, at most.
    pub fn subflows(self) -> u8 {
        match self.state {
            State::Connected(subflows) => subflows,
            _ => 1,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
            Family::Mapped => "IPv4-mapped",
        };
        let end = if self.server { "server" } else { "client" };
        match self.state {
            State::Connected(1) => write!(f, "{family} {end} with 1 subflow"),
            State::Connected(n) => write!(f, "{family} {end} with {n} subflows"),
            State::Fallback => write!(f, "{family} {end} that fell back to TCP"),
            State::Listening => write!(f, "{family} listener"),
            State::Unconnected => write!(f, "unconnected {family} socket"),
        }
    }
}

/// A socket.
#[derive(Debug)]
pub struct Subject {
    /// Its role.
    pub role: Role,
    /// The socket.
    pub socket: Socket,
    /// What the options report, unless the socket refuses them.
    pub known: Option<Snapshot>,
    /// Its peer, if that is not itself one of the sockets.
    _peer: Option<Socket>,
}

/// Makes all sockets, in the order of [`Role::all()`]. Fails if the machine is so busy that segments are
/// sent again.
pub fn subjects() -> Result<Vec<Subject>> {
    for _ in 0..20 {
        let [client, server] = net::cabled(MAX_SUBFLOWS)?;
        let listeners = server.within(servers)?;
        let mut subjects = client.within(|| clients(listeners))?;
        if subjects
            .iter()
            .filter_map(|subject| subject.known.as_ref())
            .all(smooth)
        {
            let all = Role::all();
            subjects.sort_by_key(|subject| all.iter().position(|role| *role == subject.role));
            return Ok(subjects);
        }
    }
    bail!("this machine is too busy: no connection without a segment that is sent again")
}

/// Whether no segment was sent again, and no attempt to add a subflow failed.
fn smooth(known: &Snapshot) -> bool {
    let again = offset_of!(MptcpInfo, retransmits)..offset_of!(MptcpInfo, bytes_sent);
    let ids = known.subflow_info.iter().map(|info| u32_at(info, 0));
    known.info[again].iter().all(|byte| *byte == 0)
        && ids.eq((1..).take(known.subflow_info.len()))
        && known.tcp_info.iter().all(|info| {
            u32_at(info, offset_of!(tcp_info, tcpi_total_retrans)) == 0
                && u32_at(info, offset_of!(tcp_info, tcpi_total_rto)) == 0
        })
}

/// The port of an MPTCP listener; more follow.
fn port(family: Family) -> u16 {
    match family {
        Family::V4 => 10_000,
        Family::V6 => 10_100,
        Family::Mapped => 10_200,
    }
}

/// A listener for MPTCP, and one for TCP only, of each family.
fn servers() -> Result<Vec<[Socket; 2]>> {
    let listeners = Family::ALL.map(|family| {
        let listen = |protocol, port| {
            let address = (cable_address(family, SERVER), port);
            net::listen_at(family, protocol, address).context("listen")
        };
        Ok([
            listen(Protocol::MPTCP, port(family))?,
            listen(Protocol::TCP, port(family) + 1)?,
        ])
    });
    listeners.into_iter().collect()
}

/// A socket that will connect from `port`, with more subflows from the next one.
fn client(family: Family, protocol: Protocol, port: u16) -> Result<Socket> {
    // The subflows have different addresses, so that one port is enough.
    let range = format!("{0} {0}", port + 1);
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", range).context("ip_local_port_range")?;
    let socket = net::socket(family, protocol)?;
    socket.bind(&SocketAddr::from((cable_address(family, 1), port)).into())?;
    Ok(socket)
}

fn clients(listeners: Vec<[Socket; 2]>) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    let mut add = |state, family, server, socket, peer| {
        let role = Role {
            state,
            family,
            server,
        };
        subjects.push(Subject {
            role,
            socket,
            known: None,
            _peer: peer,
        });
    };

    net::ip(
        &[Family::V4, Family::V6]
            .into_iter()
            .flat_map(|family| (2..=MAX_SUBFLOWS).map(move |n| cable_address(family, n)))
            .map(|address| format!("mptcp endpoint add {address} dev cable subflow\n"))
            .collect::<String>(),
    )?;
    for subflows in 1..=MAX_SUBFLOWS {
        net::ip(&format!("mptcp limits set subflow {}\n", subflows - 1))?;
        for (family, [mptcp, _]) in Family::ALL.into_iter().zip(&listeners) {
            let client = client(
                family,
                Protocol::MPTCP,
                port(family) + 10 * u16::from(subflows),
            )?;
            let connection = Connection::connect(client, mptcp)?;
            // One way only: data from the server could meet the path manager, be acknowledged late, and
            // sent again.
            net::send(&connection.client, &connection.server)?;
            connection.wait_for_subflows(subflows.into())?;
            wait_for_idle(&connection)?;
            let Connection { client, server } = connection;
            add(State::Connected(subflows), family, false, client, None);
            add(State::Connected(subflows), family, true, server, None);
        }
    }
    for (family, [mptcp, tcp]) in Family::ALL.into_iter().zip(listeners) {
        let to_tcp = Connection::connect(client(family, Protocol::MPTCP, port(family) + 2)?, &tcp)?;
        add(
            State::Fallback,
            family,
            false,
            to_tcp.client,
            Some(to_tcp.server),
        );
        let to_mptcp =
            Connection::connect(client(family, Protocol::TCP, port(family) + 4)?, &mptcp)?;
        add(
            State::Fallback,
            family,
            true,
            to_mptcp.server,
            Some(to_mptcp.client),
        );
        add(State::Listening, family, true, mptcp, None);
        let unconnected = net::socket(family, Protocol::MPTCP)?;
        add(State::Unconnected, family, false, unconnected, None);
    }
    // Not earlier: the limits of the path manager are reported as well.
    for subject in &mut subjects {
        if subject.role.state != State::Fallback {
            subject.known = Some(Snapshot::take(&subject.socket)?);
        }
    }
    Ok(subjects)
}

/// Waits until every segment has arrived and is acknowledged, so that no counter changes any more.
///
/// Does not wait if it is not [`smooth()`]: the ends may count a segment that is sent again differently.
fn wait_for_idle(connection: &Connection) -> Result<()> {
    let unacked = |info: &[u8]| u32_at(info, offset_of!(tcp_info, tcpi_unacked));
    let sent = |info: &[u8]| u32_at(info, offset_of!(tcp_info, tcpi_segs_out));
    let received = |info: &[u8]| u32_at(info, offset_of!(tcp_info, tcpi_segs_in));
    let all_acked = |known: &Snapshot| {
        let next = offset_of!(MptcpInfo, write_seq);
        let acked = offset_of!(MptcpInfo, snd_una);
        known.info[next..][..size_of::<u64>()] == known.info[acked..][..size_of::<u64>()]
    };

    wait_for("the connection to be idle", || {
        let client = Snapshot::take(&connection.client)?;
        let server = Snapshot::take(&connection.server)?;
        if ![&client, &server].into_iter().all(smooth) {
            return Ok(Some(()));
        }
        let mut subflows = client.tcp_info.iter().zip(&server.tcp_info);
        let idle = subflows.all(|(client, server)| {
            unacked(client) == 0
                && unacked(server) == 0
                && sent(client) == received(server)
                // The SYN/ACK was sent before there was a socket to count it.
                && sent(server) + 1 == received(client)
        });
        Ok((idle && all_acked(&client) && all_acked(&server)).then_some(()))
    })
}
