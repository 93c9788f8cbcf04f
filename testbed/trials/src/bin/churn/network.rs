// SPDX-License-Identifier: GPL-2.0

//! Two networks with links between them: one for the clients, one for the servers.
//!
//! On each link, the client has the addresses .1 and .3, and the server .2. Connections begin on the
//! first link, which stays up. Each link has another MTU, so that `tcpi_advmss` shows which link a
//! subflow is on.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use anyhow::{Context, Result};
use mptcp_trials::net::{Network, ip, wait_for};

/// How many links there are.
pub const LINKS: u8 = 4;

const FIRST_MTU: u32 = 1500;
const MTU_STEP: u32 = 40;

/// The part of an address that stands for the host.
pub mod host {
    /// The client, by default.
    pub const CLIENT: u8 = 1;
    /// The server.
    pub const SERVER: u8 = 2;
    /// The client, as an endpoint of the path manager.
    pub const ENDPOINT: u8 = 3;
}

/// The address of a host on a link.
pub fn address(v6: bool, link: u8, host: u8) -> IpAddr {
    match v6 {
        false => Ipv4Addr::new(10, 0, link, host).into(),
        true => Ipv6Addr::new(0xfd00, 0, 0, link.into(), 0, 0, 0, host.into()).into(),
    }
}

/// The opposite: the link, and the host.
pub fn place(address: IpAddr) -> Option<(u8, u8)> {
    let (link, host) = match address {
        IpAddr::V4(v4) => (v4.octets()[2], v4.octets()[3]),
        IpAddr::V6(v6) => (v6.octets()[7], v6.octets()[15]),
    };
    let known = self::address(address.is_ipv6(), link, host) == address && link < LINKS;
    known.then_some((link, host))
}

/// The `tcpi_advmss` of a subflow on a link: what the MTU leaves behind the headers of IP and TCP.
pub fn advmss(v6: bool, link: u8) -> u32 {
    FIRST_MTU - u32::from(link) * MTU_STEP - if v6 { 60 } else { 40 }
}

/// Both networks.
#[derive(Debug)]
pub struct Networks {
    /// A third one, with an interface to each of the two, which goes when that network ends.
    home: Network,
    /// The client's, and the server's.
    pub ends: [Network; 2],
}

/// The interfaces of the third network.
const WITNESSES: [&str; 2] = ["client", "server"];

impl Networks {
    /// Makes them, and moves the calling thread to the client's.
    pub fn new() -> Result<Self> {
        let home = Network::new()?;
        let ends = [Network::new()?, Network::new()?];
        for (witness, end) in WITNESSES.iter().zip(&ends) {
            let to = end.path();
            home.within(|| {
                ip(&format!(
                    "link add {witness} type veth peer name witness netns {to}\n"
                ))
            })?;
            end.within(settings)?;
        }
        let [client, server] = &ends;
        client.enter()?;
        ip(&client_links(server))?;
        server.within(|| ip(&server_addresses()))?;
        // Some of the routes need the server's end of the links.
        ip(&client_routes())?;
        Ok(Self { home, ends })
    }

    /// Waits until the kernel has freed all sockets, but for those in TIME_WAIT.
    pub fn wait_for_no_sockets(&self) -> Result<()> {
        self.ends.iter().try_for_each(|end| {
            wait_for("the last sockets to go", || {
                Ok(sockets(end)?.is_empty().then_some(()))
            })
            .with_context(|| format!("{:?}", sockets(end)))
        })
    }

    /// Removes both, in which nothing may be open any more, and waits for their end.
    pub fn remove(self) -> Result<()> {
        self.home.enter()?;
        drop(self.ends);
        for witness in WITNESSES {
            wait_for(&format!("the end of the {witness}'s network"), || {
                let interfaces = fs::read_to_string("/proc/thread-self/net/dev")?;
                Ok((!interfaces.contains(witness)).then_some(()))
            })?;
        }
        Ok(())
    }
}

fn settings() -> Result<()> {
    for (key, value) in [
        // The addresses stay when a link goes down.
        ("net/ipv6/conf/all/keep_addr_on_down", "1"),
        // However slowly a connection begins, it does not fall back to TCP.
        ("net/mptcp/syn_retrans_before_tcp_fallback", "128"),
        // A subflow that was closed does not wait long for a peer that is gone.
        ("net/ipv4/tcp_orphan_retries", "3"),
    ] {
        fs::write(Path::new("/proc/sys").join(key), value).context(key)?;
    }
    Ok(())
}

/// TCP and MPTCP sockets of a network, open or not, but for those in TIME_WAIT: of each protocol, how
/// many.
pub fn sockets(network: &Network) -> Result<Vec<(String, usize)>> {
    let read = || Ok(fs::read_to_string("/proc/thread-self/net/protocols")?);
    let mut sockets = Vec::new();
    for line in network.within(read)?.lines() {
        let mut fields = line.split_whitespace();
        let name = fields.next().unwrap_or_default();
        if ["TCP", "TCPv6", "MPTCP", "MPTCPv6"].contains(&name) {
            let number = fields.nth(1).context("/proc/net/protocols")?;
            sockets.push((name.to_owned(), number.parse()?));
        }
    }
    sockets.retain(|(_, number)| *number > 0);
    Ok(sockets)
}

fn client_links(server: &Network) -> String {
    let mut batch = String::new();
    for link in 0..LINKS {
        let mtu = FIRST_MTU - u32::from(link) * MTU_STEP;
        let end = format!("name link{link} mtu {mtu}");
        let to = server.path();
        batch += &format!(
            "link add {end} type veth peer {end} netns {to}\n\
             link set link{link} up\n"
        );
        batch += &add_address(link, host::CLIENT, "");
        // It is used as an endpoint only.
        batch += &add_address(link, host::ENDPOINT, "preferred_lft 0");
    }
    batch
}

fn server_addresses() -> String {
    let mut batch = String::new();
    for link in 0..LINKS {
        batch += &format!("link set link{link} up\n");
        batch += &add_address(link, host::SERVER, "");
    }
    batch
}

fn add_address(link: u8, host: u8, more: &str) -> String {
    let [v4, v6] = [false, true].map(|v6| address(v6, link, host));
    format!(
        "address add {v4}/24 dev link{link} {more}\n\
         address add {v6}/64 dev link{link} nodad {more}\n"
    )
}

/// The server's first address can be reached over any link, by default over the first.
fn client_routes() -> String {
    let mut batch = String::new();
    for v6 in [false, true] {
        let server = address(v6, 0, host::SERVER);
        batch += &format!("route add {server} dev link0 metric 1\n");
        for link in 1..LINKS {
            let gateway = address(v6, link, host::SERVER);
            batch += &format!("route add {server} via {gateway} dev link{link} metric 2{link}\n");
        }
    }
    batch
}
