// SPDX-License-Identifier: GPL-2.0

//! Changes the connections in every way, in a random order.

use std::collections::BTreeMap;
use std::iter;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use mptcp_trials::check::check;
use mptcp_trials::net::{Connection, output, wait_for};
use mptcp_trials::request::{Request, SockOpt};
use rustix::net::{RecvFlags, SendFlags, connect_unspec, recv, send};
use socket2::{Domain, Protocol, Socket, Type};

use crate::Shared;
use crate::ip::Ip;
use crate::network::{LINKS, Networks, address, host, sockets};
use crate::slots::{Kind, Pair, Slot};

/// Makes a change. Returns whether there was one.
type Act = fn(&mut Director) -> Result<bool>;

/// The changes: name, relative frequency, function.
const ACTIONS: [(&str, usize, Act); 8] = [
    ("endpoints", 60, Director::toggle_endpoint),
    ("announcements", 8, Director::announce),
    ("flushes", 3, Director::flush),
    ("links", 6, Director::toggle_link),
    ("kills", 10, Director::kill),
    ("shutdowns", 3, Director::shut_down),
    ("disconnects", 2, Director::disconnect),
    ("closes", 8, Director::close),
];

/// What changes the connections.
pub struct Director {
    shared: Arc<Shared>,
    networks: Networks,
    ips: [Ip; 2],
    /// MPTCP and TCP, each of IPv4 and IPv6.
    listeners: Vec<(bool, Protocol, Socket)>,
    pairs: Vec<Pair>,
    /// Connections that may never get a subflow again, or may not end in good order.
    damaged: Vec<usize>,
    /// The link that is down.
    down: Option<u8>,
    rng: Rng,
    done: BTreeMap<&'static str, usize>,
}

impl Director {
    /// Connects everything. The calling thread must be in the client's network.
    pub fn new(shared: Arc<Shared>, networks: Networks, rng: Rng) -> Result<Self> {
        let mut listeners = Vec::new();
        for v6 in [false, true] {
            for protocol in [Protocol::MPTCP, Protocol::TCP] {
                let listener = networks.ends[1].within(|| listen(v6, protocol))?;
                listeners.push((v6, protocol, listener));
            }
        }
        let mut director = Self {
            shared,
            ips: [Ip::begin()?, networks.ends[1].within(Ip::begin)?],
            networks,
            listeners,
            pairs: Vec::new(),
            damaged: Vec::new(),
            down: None,
            rng,
            done: ACTIONS.iter().map(|(name, ..)| (*name, 0)).collect(),
        };
        for slot in director.shared.clone().slots.iter() {
            let pair = director.connect(slot.kind)?;
            slot.fill(&pair);
            director.pairs.push(pair);
        }
        Ok(director)
    }

    /// Makes changes until all threads stop. Returns the networks, and the number of changes of each
    /// kind.
    pub fn run(mut self) -> Result<(Networks, BTreeMap<&'static str, usize>)> {
        let result = self.act();
        // The readers would report the end of the connections as errors.
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.slots.iter().for_each(Slot::clear);
        result?;
        Ok((self.networks, self.done))
    }

    fn act(&mut self) -> Result<()> {
        let actions = ACTIONS.iter().flat_map(|it| iter::repeat_n(it, it.1));
        let actions: Vec<_> = actions.collect();
        while !self.shared.stop.load(Ordering::Relaxed) {
            let (name, _, act) = actions[self.rng.usize(..actions.len())];
            let happened = act(self).context(*name)?;
            *self.done.entry(name).or_default() += usize::from(happened);
            self.exchange();
        }
        // All connections can end now, and those that may not end in good order do so at once.
        if self.down.is_some() {
            self.toggle_link()?;
        }
        let mut damaged = self.damaged.iter().flat_map(|n| &self.pairs[*n]);
        damaged.try_for_each(|end| end.set_linger(Some(Duration::ZERO)))?;
        Ok(())
    }

    /// Any connection, to which the readers make more requests from now on.
    fn choose(&mut self) -> usize {
        let n = self.rng.usize(..self.pairs.len());
        self.shared.changing.store(n, Ordering::Relaxed);
        n
    }

    /// Any connection with MPTCP at both ends.
    fn choose_mptcp(&mut self) -> usize {
        loop {
            let n = self.choose();
            if self.shared.slots[n].kind.is_mptcp() {
                return n;
            }
        }
    }

    /// An endpoint of the client is added or removed, and a subflow of each connection with it.
    fn toggle_endpoint(&mut self) -> Result<bool> {
        let (v6, link) = (self.rng.bool(), self.rng.u8(1..LINKS));
        let address = address(v6, link, host::ENDPOINT);
        let ip = &mut self.ips[0];
        let command = match ip.endpoint(address)? {
            Some(id) => format!("mptcp endpoint delete id {id}"),
            None => format!("mptcp endpoint add {address} dev link{link} subflow"),
        };
        ip.run(&command)?;
        Ok(true)
    }

    /// The server announces another address to each client.
    fn announce(&mut self) -> Result<bool> {
        let address = address(self.rng.bool(), self.rng.u8(1..LINKS), host::SERVER);
        let ip = &mut self.ips[1];
        let new = ip.endpoint(address)?.is_none();
        if new {
            ip.run(&format!("mptcp endpoint add {address} signal"))?;
        }
        Ok(new)
    }

    /// All endpoints of one of the two are removed.
    fn flush(&mut self) -> Result<bool> {
        self.ips[self.rng.usize(..2)].run("mptcp endpoint flush")?;
        Ok(true)
    }

    /// A link goes down, or up, at the server's end, where no routes are lost.
    fn toggle_link(&mut self) -> Result<bool> {
        let (link, state) = match self.down.take() {
            Some(link) => (link, "up"),
            None => (*self.down.insert(self.rng.u8(1..LINKS)), "down"),
        };
        self.ips[1].run(&format!("link set link{link} {state}"))?;
        Ok(true)
    }

    /// The socket of a subflow is closed, at either side.
    fn kill(&mut self) -> Result<bool> {
        let (n, end) = (self.choose_mptcp(), self.rng.usize(..2));
        let request = Request::new(SockOpt::SubflowAddrs, 16);
        let reply = request.make(&self.pairs[n][end], 0);
        ensure!(reply.ret == 0, "returned {}", reply.ret);
        let subflows = check(&request, &reply)?.subflows;
        let connected: Vec<_> = subflows
            .iter()
            .filter_map(|subflow| subflow.addrs.filter(|(_, remote)| remote.port() != 0))
            .collect();
        self.damaged.push(n);
        let Some((local, remote)) = self.rng.choice(connected) else {
            return Ok(false);
        };
        let ss = format!("--no-header --tcp --numeric --kill src {local} dst {remote}");
        // It prints what it has ended: nothing if the subflow has ended meanwhile.
        let ended = self.networks.ends[end].within(|| output("ss", &ss))?;
        Ok(!ended.is_empty())
    }

    /// An end is shut down for sending, for receiving, or for both.
    fn shut_down(&mut self) -> Result<bool> {
        let n = self.choose();
        let how = [Shutdown::Read, Shutdown::Write, Shutdown::Both][self.rng.usize(..3)];
        let end = &self.pairs[n][self.rng.usize(..2)];
        self.damaged.push(n);
        // It may be so already.
        let _ = end.shutdown(how);
        Ok(true)
    }

    /// An end leaves the connection, and keeps its socket.
    fn disconnect(&mut self) -> Result<bool> {
        let n = self.choose_mptcp();
        self.damaged.push(n);
        let _ = connect_unspec(&self.pairs[n][self.rng.usize(..2)]);
        Ok(true)
    }

    /// A connection is closed, and replaced.
    fn close(&mut self) -> Result<bool> {
        let n = match self.damaged.last() {
            Some(n) if self.rng.bool() => *n,
            _ => self.choose(),
        };
        self.shared.changing.store(n, Ordering::Relaxed);
        let slot = &self.shared.clone().slots[n];
        let pair = self.connect(slot.kind)?;
        let mut old = Vec::from(std::mem::replace(&mut self.pairs[n], pair));
        if self.rng.bool() {
            old.reverse();
        }
        // The kernel never frees a closed connection of which it removes the last subflow together
        // with its endpoint. So none may be there when the next endpoint is removed.
        let damaged = self.damaged.contains(&n);
        self.damaged.retain(|damaged| *damaged != n);
        let at_once = damaged || self.rng.u8(..4) == 0;
        if at_once {
            old.iter()
                .try_for_each(|end| end.set_linger(Some(Duration::ZERO)))?;
        }
        let before = self.connections()?;
        // Readers may be about to make a request, or be in one.
        slot.clear();
        old.into_iter().for_each(drop);
        slot.fill(&self.pairs[n]);
        if slot.kind.is_mptcp() && !damaged {
            wait_for("a closed connection to go", || {
                let gone = self
                    .connections()?
                    .iter()
                    .zip(&before)
                    .all(|(now, before)| now < before);
                Ok(gone.then_some(()))
            })?;
        }
        Ok(true)
    }

    /// How many MPTCP connections there are in each network.
    fn connections(&self) -> Result<[usize; 2]> {
        let mut connections = [0; 2];
        for (network, number) in self.networks.ends.iter().zip(&mut connections) {
            let sockets = sockets(network)?;
            let mptcp = sockets
                .iter()
                .filter(|(protocol, _)| protocol.starts_with("MPTCP"));
            *number = mptcp.map(|(_, number)| number).sum();
        }
        Ok(connections)
    }

    fn connect(&self, kind: Kind) -> Result<Pair> {
        let [near, far] = kind.protocols;
        let listener = self
            .listeners
            .iter()
            .find(|(v6, protocol, _)| (*v6, *protocol) == (kind.v6, far));
        let (_, _, listener) = listener.context("no listener")?;
        let port = listener
            .local_addr()?
            .as_socket()
            .context("no port")?
            .port();
        let client = Socket::new(domain(kind.v6), Type::STREAM, Some(near))?;
        let server = SocketAddr::from((address(kind.v6, 0, host::SERVER), port));
        let connection = Connection::connect_to(client, &server.into(), listener)?;
        connection.exchange()?;
        Ok([connection.client, connection.server])
    }

    /// Sends some data, if that is possible.
    fn exchange(&mut self) {
        let pair = &self.pairs[self.rng.usize(..self.pairs.len())];
        for end in pair {
            let _ = send(end, &[0; 2000], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
            let _ = recv(end, &mut [0; 8000], RecvFlags::DONTWAIT);
        }
    }
}

fn domain(v6: bool) -> Domain {
    if v6 { Domain::IPV6 } else { Domain::IPV4 }
}

fn listen(v6: bool, protocol: Protocol) -> Result<Socket> {
    let listener = Socket::new(domain(v6), Type::STREAM, Some(protocol))?;
    let any: IpAddr = if v6 { [0; 16].into() } else { [0; 4].into() };
    if v6 {
        listener.set_only_v6(true)?;
    }
    listener.bind(&SocketAddr::from((any, 0)).into())?;
    // Room for all the subflows that come at once, or the kernel resorts to cookies.
    listener.listen(1024)?;
    Ok(listener)
}
