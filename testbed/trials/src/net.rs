// SPDX-License-Identifier: GPL-2.0

//! Networks, and connections with a number of subflows.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::abi::TCP_ESTABLISHED;
use crate::request::Snapshot;

/// How long to wait for anything: far longer than it takes.
pub const PATIENCE: Duration = Duration::from_secs(200);

/// Calls `done` until it returns something, or fails after [`PATIENCE`].
pub fn wait_for<T>(what: &str, mut done: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(result) = done()? {
            return Ok(result);
        }
        ensure!(Instant::now() < end, "waited {PATIENCE:?} for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The addresses that a connection is between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 sockets.
    V4,
    /// IPv6 sockets.
    V6,
    /// IPv6 sockets with IPv4 addresses.
    Mapped,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Mapped];

    /// The address of the first subflow, at both ends.
    pub fn first_address(self) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::LOCALHOST.into(),
            Self::V6 => Ipv6Addr::LOCALHOST.into(),
            Self::Mapped => Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        }
    }
}

/// A network name space with a loopback. It ends when neither this, nor a thread, a process, or a socket
/// uses it any more.
#[derive(Debug)]
pub struct Network(File);

impl Network {
    /// Makes one.
    pub fn new() -> Result<Self> {
        let before = Self::current()?;
        // SAFETY: This concerns no file descriptor.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
            .context("a network of its own needs root")?;
        let network = Self::current()?;
        ip("link set lo up\nmptcp limits set subflow 8 add_addr_accepted 8\n")?;
        before.enter()?;
        Ok(network)
    }

    /// The name space of the calling thread.
    fn current() -> Result<Self> {
        let file = File::open("/proc/thread-self/ns/net").context("a network name space")?;
        Ok(Self(file))
    }

    /// Moves the calling thread there. What the thread opens and starts from then on is there, too.
    pub fn enter(&self) -> Result<()> {
        move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
            .context("the calling thread cannot enter a network")
    }

    /// Calls `what` there.
    pub fn within<T>(&self, what: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = Self::current()?;
        self.enter()?;
        let result = what();
        before.enter()?;
        result
    }

    /// Its name for ip(8).
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd())
    }
}

/// The most subflows that a connection has in [`own_network()`].
pub const MAX_SUBFLOWS: usize = 33;

/// Moves the calling thread to a network in which any connection gets `subflows` subflows, all from its
/// client, over the loopback.
pub fn own_network(subflows: usize) -> Result<()> {
    ensure!(
        (1..=MAX_SUBFLOWS).contains(&subflows),
        "{subflows} subflows: it must be 1 to {MAX_SUBFLOWS}"
    );
    // The server cannot add as many, but tries to, and a failed attempt counts for a while.
    let extra = 2 * (subflows - 1);
    let mut batch = format!("mptcp limits set subflow {}\n", extra.max(8));
    for n in 2..=subflows {
        batch += &format!("mptcp endpoint add 127.0.0.{n} dev lo subflow\n");
        if has_ipv6() {
            batch += &format!(
                "address add fd00::{n}/128 dev lo nodad\n\
                 mptcp endpoint add fd00::{n} dev lo subflow\n"
            );
        }
    }
    Network::new()?.enter()?;
    ip(&batch)
}

fn has_ipv6() -> bool {
    Path::new("/proc/net/if_inet6").exists()
}

/// The server's number on the cable of [`cabled()`].
pub const SERVER: u8 = 100;

/// The address `n` on that cable.
pub fn cable_address(family: Family, n: u8) -> IpAddr {
    let v4 = Ipv4Addr::new(10, 0, 0, n);
    match family {
        Family::V4 => v4.into(),
        Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into()).into(),
        Family::Mapped => v4.to_ipv6_mapped().into(),
    }
}

/// Makes a network for a client and one for a server, with a cable between. The client's end of the
/// cable has the addresses 1 to `addresses`, and the server's [`SERVER`].
pub fn cabled(addresses: u8) -> Result<[Network; 2]> {
    let families = match has_ipv6() {
        true => &[Family::V4, Family::V6][..],
        false => &[Family::V4],
    };
    let end = |addresses: RangeInclusive<u8>| {
        let mut batch = "link set cable up\n".to_owned();
        for (n, family) in addresses.flat_map(|n| families.iter().map(move |family| (n, *family))) {
            let address = cable_address(family, n);
            batch += &match address {
                IpAddr::V4(_) => format!("address add {address}/24 dev cable\n"),
                IpAddr::V6(_) => format!("address add {address}/64 dev cable nodad\n"),
            };
        }
        batch
    };

    let [client, server] = [Network::new()?, Network::new()?];
    let cable = format!(
        "link add cable type veth peer name cable netns {}\n",
        client.path()
    );
    server.within(|| ip(&(cable + &end(SERVER..=SERVER))))?;
    client.within(|| ip(&end(1..=addresses)))?;
    Ok([client, server])
}

/// Runs a batch of commands of ip(8).
pub fn ip(batch: &str) -> Result<()> {
    run("ip", batch)
}

/// Calls `what` while the loopback impairs what is sent over it, in words of tc-netem(8): "delay 50ms".
pub fn impaired<T>(how: &str, what: impl FnOnce() -> Result<T>) -> Result<T> {
    let add = format!("qdisc add dev lo root netem {how}\n");
    run("tc", &add)?;
    let result = what();
    run("tc", "qdisc del dev lo root\n")?;
    result
}

/// Runs a program. Returns what it prints.
pub fn output(program: &str, arguments: &str) -> Result<String> {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{program} does not run"))?;
    ensure!(
        output.status.success(),
        "{program} {arguments}: {}",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn run(program: &str, batch: &str) -> Result<()> {
    let mut child = Command::new(program)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} (package iproute2) does not run"))?;
    child
        .stdin
        .take()
        .context("no pipe")?
        .write_all(batch.as_bytes())?;
    let status = child.wait()?;
    ensure!(status.success(), "{program}: {status}, given:\n{batch}");
    Ok(())
}

/// Waits until `socket` can be read, or accepted from.
pub fn wait_readable(fd: impl AsFd) -> Result<()> {
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    let timeout = PATIENCE.try_into()?;
    ensure!(
        rustix::io::retry_on_intr(|| poll(&mut fds, Some(&timeout)))? == 1,
        "waited {PATIENCE:?} for a socket to have something to read"
    );
    Ok(())
}

/// A new socket of `protocol`.
pub fn socket(family: Family, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address((family.first_address(), 0).into()),
        Type::STREAM,
        Some(protocol),
    )?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// A listening socket at `port` of the first address.
pub fn listen(family: Family, protocol: Protocol, port: u16) -> io::Result<Socket> {
    listen_at(family, protocol, (family.first_address(), port))
}

/// A listening socket at `address`.
pub fn listen_at(
    family: Family,
    protocol: Protocol,
    address: impl Into<SocketAddr>,
) -> io::Result<Socket> {
    let listener = socket(family, protocol)?;
    listener.bind(&address.into().into())?;
    listener.listen(8)?;
    Ok(listener)
}

/// Sends a byte.
pub fn send(mut from: &Socket, mut to: &Socket) -> Result<()> {
    from.write_all(b"x").context("send")?;
    wait_readable(to)?;
    to.read_exact(&mut [0]).context("receive")
}

/// Both ends of an MPTCP connection.
#[derive(Debug)]
pub struct Connection {
    /// The end that connected, and added the other subflows.
    pub client: Socket,
    /// The end that accepted.
    pub server: Socket,
}

impl Connection {
    /// Connects `client` to `listener`.
    pub fn connect(client: Socket, listener: &Socket) -> Result<Self> {
        Self::connect_to(client, &listener.local_addr()?, listener)
    }

    /// Connects `client` to an address of `listener`.
    pub fn connect_to(client: Socket, address: &SockAddr, listener: &Socket) -> Result<Self> {
        client
            .connect_timeout(address, PATIENCE)
            .context("connect")?;
        wait_readable(listener)?;
        let (server, _) = listener.accept().context("accept")?;
        Ok(Self { client, server })
    }

    /// Sends a byte each way.
    pub fn exchange(&self) -> Result<()> {
        send(&self.client, &self.server)?;
        send(&self.server, &self.client)
    }

    /// Connects within [`own_network(subflows)`](own_network), and waits for all the subflows.
    pub fn with_subflows(family: Family, subflows: usize) -> Result<Self> {
        let listener = listen(family, Protocol::MPTCP, 0)?;
        let connection = Self::connect(socket(family, Protocol::MPTCP)?, &listener)?;
        connection.exchange()?;
        connection.wait_for_subflows(subflows)?;
        Ok(connection)
    }

    /// Waits until both ends have exactly so many subflows, each established.
    pub fn wait_for_subflows(&self, subflows: usize) -> Result<()> {
        for end in [&self.client, &self.server] {
            wait_for(&format!("{subflows} subflows"), || {
                let snapshot = Snapshot::take(end)?;
                // There may be one that cannot be established, until it is removed.
                let all = snapshot.tcp_info.len() == subflows;
                Ok((all && snapshot.in_state(TCP_ESTABLISHED) == subflows).then_some(()))
            })?;
        }
        Ok(())
    }
}
