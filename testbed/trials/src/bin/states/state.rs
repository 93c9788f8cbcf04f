// SPDX-License-Identifier: GPL-2.0

//! The states that a socket can be in.

use std::io::Read;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use mptcp_trials::abi::TCP_CLOSE;
use mptcp_trials::net::{Connection, Family, impaired, listen, socket, wait_for, wait_readable};
use mptcp_trials::request::Snapshot;
use rustix::net::connect_unspec;
use socket2::{Protocol, Socket};

/// How many subflows a connection has.
pub const SUBFLOWS: usize = 2;

/// The sockets of a state, with their names.
type Sockets = Vec<(&'static str, Socket)>;
/// Brings sockets to a state.
type Make = fn(Family) -> Result<Sockets>;

/// Every state: its name, and how sockets get there.
pub const STATES: &[(&str, Make)] = &[
    ("unconnected", |family| {
        one(socket(family, Protocol::MPTCP)?)
    }),
    ("bound", |family| {
        let socket = socket(family, Protocol::MPTCP)?;
        socket.bind(&SocketAddr::from((family.first_address(), 0)).into())?;
        one(socket)
    }),
    ("listening", |family| {
        one(listen(family, Protocol::MPTCP, 0)?)
    }),
    ("to be accepted", |family| {
        let listener = listen(family, Protocol::MPTCP, 0)?;
        let client = socket(family, Protocol::MPTCP)?;
        client.connect(&listener.local_addr()?)?;
        wait_readable(&listener)?;
        Ok(vec![("listener", listener), ("client", client)])
    }),
    ("no longer listening", |family| {
        let listener = listen(family, Protocol::MPTCP, 0)?;
        connect_unspec(&listener)?;
        one(listener)
    }),
    ("connecting", |family| {
        let hole: IpAddr = match family {
            Family::V4 => "10.0.0.2",
            Family::V6 => "fd01::2",
            Family::Mapped => "::ffff:10.0.0.2",
        }
        .parse()?;
        let socket = socket(family, Protocol::MPTCP)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&SocketAddr::from((hole, 1)).into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => one(socket),
            other => bail!("connecting to no host returned {other:?}"),
        }
    }),
    ("refused", |family| {
        let closed = listen(family, Protocol::MPTCP, 0)?.local_addr()?;
        let socket = socket(family, Protocol::MPTCP)?;
        ensure!(
            socket.connect(&closed).is_err(),
            "a closed port is connected"
        );
        one(socket)
    }),
    ("connected", |family| ends(connection(family)?)),
    ("fallen back at the server", |family| {
        ends(fallback(family, Protocol::TCP, Protocol::MPTCP)?)
    }),
    ("fallen back at the client", |family| {
        ends(fallback(family, Protocol::MPTCP, Protocol::TCP)?)
    }),
    ("fallen back, closed by the server", |family| {
        let Connection { client, server } = fallback(family, Protocol::MPTCP, Protocol::TCP)?;
        drop(server);
        at_end(&client)?;
        one(client)
    }),
    ("fallen back, disconnected", |family| {
        let Connection { client, server } = fallback(family, Protocol::MPTCP, Protocol::TCP)?;
        connect_unspec(&client)?;
        reset(&server)?;
        one(client)
    }),
    ("shut down for writing by the client", |family| {
        let connection = connection(family)?;
        connection.client.shutdown(Shutdown::Write)?;
        at_end(&connection.server)?;
        ends(connection)
    }),
    ("shut down for writing by the server", |family| {
        let connection = connection(family)?;
        connection.server.shutdown(Shutdown::Write)?;
        at_end(&connection.client)?;
        ends(connection)
    }),
    ("shut down for reading", |family| {
        let connection = connection(family)?;
        connection.client.shutdown(Shutdown::Read)?;
        ends(connection)
    }),
    ("shut down for both", |family| {
        let connection = connection(family)?;
        connection.client.shutdown(Shutdown::Both)?;
        at_end(&connection.server)?;
        ends(connection)
    }),
    ("shut down for writing by both", |family| {
        // With a delay, the connection is closed before its subflows are, and keeps them. Without one,
        // which of them the kernel removes would depend on time.
        impaired("delay 50ms", || {
            let connection = connection(family)?;
            connection.client.shutdown(Shutdown::Write)?;
            connection.server.shutdown(Shutdown::Write)?;
            for end in [&connection.client, &connection.server] {
                at_end(end)?;
                wait_for("the subflows to be closed", || {
                    let snapshot = Snapshot::take(end)?;
                    Ok((snapshot.in_state(TCP_CLOSE) == SUBFLOWS).then_some(()))
                })?;
            }
            ends(connection)
        })
    }),
    ("closed by the server", |family| {
        let Connection { client, server } = connection(family)?;
        drop(server);
        at_end(&client)?;
        one(client)
    }),
    ("closed by the client", |family| {
        let Connection { client, server } = connection(family)?;
        drop(client);
        at_end(&server)?;
        one(server)
    }),
    ("reset by the server", |family| {
        let Connection { client, server } = connection(family)?;
        server.set_linger(Some(Duration::ZERO))?;
        drop(server);
        reset(&client)?;
        one(client)
    }),
    ("disconnected by the client", |family| {
        let connection = connection(family)?;
        connect_unspec(&connection.client)?;
        reset(&connection.server)?;
        ends(connection)
    }),
    ("connected again", |family| {
        let Connection { client, .. } = connection(family)?;
        connect_unspec(&client)?;
        let listener = listen(family, Protocol::MPTCP, 0)?;
        let connection = Connection::connect(client, &listener)?;
        connection.exchange()?;
        connection.wait_for_subflows(SUBFLOWS)?;
        ends(connection)
    }),
];

fn one(socket: Socket) -> Result<Sockets> {
    Ok(vec![("socket", socket)])
}

fn ends(connection: Connection) -> Result<Sockets> {
    Ok(vec![
        ("client", connection.client),
        ("server", connection.server),
    ])
}

fn connection(family: Family) -> Result<Connection> {
    Connection::with_subflows(family, SUBFLOWS)
}

/// A connection between ends of different protocols.
fn fallback(family: Family, client: Protocol, server: Protocol) -> Result<Connection> {
    let listener = listen(family, server, 0)?;
    let connection = Connection::connect(socket(family, client)?, &listener)?;
    connection.exchange()?;
    Ok(connection)
}

/// Waits for the end of the stream.
fn at_end(mut socket: &Socket) -> Result<()> {
    wait_readable(socket)?;
    ensure!(socket.read(&mut [0])? == 0, "there is data to read");
    Ok(())
}

fn reset(mut socket: &Socket) -> Result<()> {
    wait_readable(socket)?;
    match socket.read(&mut [0]) {
        Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => Ok(()),
        other => bail!("reading returned {other:?}"),
    }
}
