// SPDX-License-Identifier: GPL-2.0

//! Makes everything happen to the connections that can, in an order that the seed tells.

use std::collections::BTreeMap;
use std::iter;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use mptcp_trials::check::check;
use mptcp_trials::net::{Connection, PATIENCE, wait_for, wait_readable};
use mptcp_trials::request::{Choice, Request};
use rustix::net::{RecvFlags, SendFlags, connect_unspec, recv, send};
use socket2::{Domain, Protocol, Socket, Type};

use crate::Shared;
use crate::netlink::Use;
use crate::network::{LINKS, Network, address, host, interface, place};
use crate::slots::{Kind, Pair, Slot};

type Act = fn(&mut Director) -> Result<()>;

/// Something that happens, and how often in relation to the others.
const ACTIONS: [(&str, usize, Act); 8] = [
    ("endpoints", 60, Director::toggle_endpoint),
    ("announcements", 8, Director::announce),
    ("flushes", 3, Director::flush_either),
    ("links", 6, Director::toggle_link),
    ("kills", 10, Director::kill),
    ("shutdowns", 3, Director::shut_down),
    ("disconnects", 2, Director::disconnect),
    ("closes", 8, Director::close),
];

/// Who makes it happen.
pub struct Director {
    shared: Arc<Shared>,
    networks: [Network; 2],
    /// MPTCP and TCP, each of IPv4 and IPv6.
    listeners: Vec<(bool, Protocol, Socket)>,
    pairs: Vec<Pair>,
    /// Connections that may never get a subflow again, or may not end in good order.
    wounded: Vec<usize>,
    endpoints: [[bool; LINKS as usize]; 2],
    /// The link that is down.
    down: Option<u8>,
    rng: Rng,
    done: BTreeMap<&'static str, usize>,
}

impl Director {
    /// Connects everything.
    pub fn new(shared: Arc<Shared>, networks: [Network; 2], rng: Rng) -> Result<Self> {
        let mut listeners = Vec::new();
        networks[1].enter()?;
        for v6 in [false, true] {
            for protocol in [Protocol::MPTCP, Protocol::TCP] {
                listeners.push((v6, protocol, listen(v6, protocol)?));
            }
        }
        networks[0].enter()?;
        let mut director = Self {
            shared,
            networks,
            listeners,
            pairs: Vec::new(),
            wounded: Vec::new(),
            endpoints: Default::default(),
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

    /// Goes on until it is told to stop. Returns the networks, and what was done how often.
    pub fn run(mut self) -> Result<([Network; 2], BTreeMap<&'static str, usize>)> {
        let result = self.act();
        // Readers would take the end of everything for errors.
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.slots.iter().for_each(Slot::clear);
        result?;
        Ok((self.networks, self.done))
    }

    fn act(&mut self) -> Result<()> {
        self.networks[0].enter()?;
        let actions = ACTIONS.iter().flat_map(|it| iter::repeat_n(it, it.1));
        let actions: Vec<_> = actions.collect();
        while !self.shared.stop.load(Ordering::Relaxed) {
            let (name, _, act) = actions[self.rng.usize(..actions.len())];
            act(self).context(*name)?;
            *self.done.entry(name).or_default() += 1;
            self.exchange();
        }
        // Everything can come to an end, at once where there is nobody to agree on it.
        if self.down.is_some() {
            self.toggle_link()?;
        }
        let mut wounded = self.wounded.iter().flat_map(|n| &self.pairs[*n]);
        wounded.try_for_each(|end| end.set_linger(Some(Duration::ZERO)))?;
        Ok(())
    }

    /// Any connection, which readers get to know.
    fn choose(&mut self) -> usize {
        let n = self.rng.usize(..self.pairs.len());
        self.shared.scene.store(n, Ordering::Relaxed);
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

    /// The client gets, or loses, an address to make a subflow from, for each connection.
    fn toggle_endpoint(&mut self) -> Result<()> {
        let (v6, link) = (self.rng.bool(), self.rng.u8(1..LINKS));
        let is_there = &mut self.endpoints[usize::from(v6)][usize::from(link)];
        let id = 1 + link + u8::from(v6) * LINKS;
        let paths = &self.networks[0].paths;
        if *is_there {
            paths.remove(id)?;
        } else {
            let address = address(v6, link, host::ENDPOINT);
            match paths.add(address, Use::Subflow, Some(id), Some(interface(link))) {
                // The kernel has given the number to an address of its own finding.
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => return self.flush(0),
                other => other?,
            }
        }
        *is_there = !*is_there;
        Ok(())
    }

    /// The server announces an address to each client.
    fn announce(&mut self) -> Result<()> {
        let address = address(self.rng.bool(), self.rng.u8(1..LINKS), host::SERVER);
        match self.networks[1].paths.add(address, Use::Signal, None, None) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
            other => Ok(other?),
        }
    }

    /// One of the two loses all endpoints at once.
    fn flush_either(&mut self) -> Result<()> {
        let end = self.rng.usize(..2);
        self.flush(end)
    }

    fn flush(&mut self, end: usize) -> Result<()> {
        if end == 0 {
            self.endpoints = Default::default();
        }
        Ok(self.networks[end].paths.flush()?)
    }

    /// A link goes down, or up, at the server's end, where no routes are lost.
    fn toggle_link(&mut self) -> Result<()> {
        let (link, up) = match self.down.take() {
            Some(link) => (link, true),
            None => (self.rng.u8(1..LINKS), false),
        };
        if !up {
            self.down = Some(link);
        }
        Ok(self.networks[1].links.set(interface(link), up)?)
    }

    /// The socket of a subflow ends, at either side.
    fn kill(&mut self) -> Result<()> {
        let (n, end) = (self.choose_mptcp(), self.rng.usize(..2));
        let request = Request::new(Choice::SubflowAddrs, 16);
        let answer = request.ask(&self.pairs[n][end], 0);
        ensure!(answer.ret == 0, "returned {}", answer.ret);
        let subflows = check(&request, &answer)?.subflows;
        let connected: Vec<_> = subflows
            .iter()
            .filter_map(|subflow| subflow.addrs.filter(|(_, remote)| remote.port() != 0))
            .collect();
        self.wounded.push(n);
        let Some((local, remote)) = self.rng.choice(connected) else {
            return Ok(());
        };
        let [near, far] = [local, remote].map(|addr| place(addr.ip()));
        let link = if end == 0 { near } else { far }.context("address")?.0;
        match self.networks[end]
            .killer
            .kill(local, remote, interface(link))
        {
            // It was quicker.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => Ok(other?),
        }
    }

    /// An end says that it will not send, or not read.
    fn shut_down(&mut self) -> Result<()> {
        let n = self.choose();
        let how = [Shutdown::Read, Shutdown::Write, Shutdown::Both][self.rng.usize(..3)];
        let end = &self.pairs[n][self.rng.usize(..2)];
        self.wounded.push(n);
        // It may be so already.
        let _ = end.shutdown(how);
        Ok(())
    }

    /// An end leaves the connection, and keeps its socket.
    fn disconnect(&mut self) -> Result<()> {
        let n = self.choose_mptcp();
        self.wounded.push(n);
        let _ = connect_unspec(&self.pairs[n][self.rng.usize(..2)]);
        Ok(())
    }

    /// A connection is closed, and replaced.
    fn close(&mut self) -> Result<()> {
        let n = match self.wounded.last() {
            Some(n) if self.rng.bool() => *n,
            _ => self.choose(),
        };
        self.shared.scene.store(n, Ordering::Relaxed);
        let slot = &self.shared.clone().slots[n];
        let pair = self.connect(slot.kind)?;
        let mut old = Vec::from(std::mem::replace(&mut self.pairs[n], pair));
        if self.rng.bool() {
            old.reverse();
        }
        // The kernel never frees a closed connection of which it removes the last subflow together
        // with its endpoint. So none may be there when the next endpoint is removed.
        let wounded = self.wounded.contains(&n);
        self.wounded.retain(|wounded| *wounded != n);
        let at_once = wounded || self.rng.u8(..4) == 0;
        if at_once {
            old.iter()
                .try_for_each(|end| end.set_linger(Some(Duration::ZERO)))?;
        }
        let before = self.connections()?;
        // Readers may be about to ask, or just be asking.
        slot.clear();
        old.into_iter().for_each(drop);
        slot.fill(&self.pairs[n]);
        if slot.kind.is_mptcp() && !wounded {
            wait_for("a closed connection to go", || {
                let gone = self
                    .connections()?
                    .iter()
                    .zip(&before)
                    .all(|(now, before)| now < before);
                Ok(gone.then_some(()))
            })?;
        }
        Ok(())
    }

    /// How many MPTCP connections there are in each network.
    fn connections(&self) -> Result<[usize; 2]> {
        let mut connections = [0; 2];
        // The client's last, where the thread stays.
        for (network, number) in self.networks.iter().zip(&mut connections).rev() {
            let sockets = network.sockets()?;
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
        client
            .connect_timeout(&server.into(), PATIENCE)
            .context("connect")?;
        wait_readable(listener)?;
        let (server, _) = listener.accept()?;
        let connection = Connection { client, server };
        connection.exchange()?;
        Ok([connection.client, connection.server])
    }

    /// Lets some data flow, if it can.
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
