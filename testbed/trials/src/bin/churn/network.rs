// SPDX-License-Identifier: GPL-2.0

//! Two networks with links between them: one for the clients, one for the servers.
//!
//! On each link, the client has the addresses .1 and .3, and the server .2. The first link is where
//! connections begin, and stays up. Each has an MTU of its own, and so a subflow's `tcpi_advmss`
//! tells which link it is on.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use mptcp_trials::net::{self, ip, wait_for};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::netlink::{Killer, Links, PathManager};

/// How many links there are.
pub const LINKS: u8 = 4;

const FIRST_MTU: u32 = 1500;
const MTU_STEP: u32 = 40;

/// The part of an address that tells who has it.
pub mod host {
    /// The client, by default.
    pub const CLIENT: u8 = 1;
    /// The server.
    pub const SERVER: u8 = 2;
    /// The client, where an endpoint of the path manager says so.
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

/// The number of a link's interface, in both networks.
pub fn interface(link: u8) -> u32 {
    100 + u32::from(link)
}

/// One of the networks.
#[derive(Debug)]
pub struct Network {
    /// Its path manager.
    pub paths: PathManager,
    /// Its interfaces.
    pub links: Links,
    /// What ends its sockets.
    pub killer: Killer,
    namespace: File,
}

/// Their names.
const NAMES: [&str; 2] = ["trials-client", "trials-server"];

impl Network {
    /// Makes both, the client's first, and moves the calling thread to a third one.
    pub fn pair() -> Result<(Home, [Self; 2])> {
        net::own_network(1)?;
        let mut batch = String::new();
        for (name, witness) in NAMES.iter().zip(Home::WITNESSES) {
            batch += &format!(
                "netns add {name}\n\
                 link add {name} index {witness} type veth peer name witness netns {name}\n"
            );
        }
        ip(&batch)?;
        let home = Home {
            namespace: File::open("/proc/thread-self/ns/net")?,
            links: Links::open()?,
        };
        // The client's makes the links, and has routes that need the server's end of them.
        let client = Self::open(NAMES[0], &client_links())?;
        let server = Self::open(NAMES[1], &server_addresses())?;
        client.enter()?;
        ip(&client_routes())?;
        home.enter()?;
        Ok((home, [client, server]))
    }

    /// Moves the calling thread to a network, and sets it up.
    fn open(name: &str, batch: &str) -> Result<Self> {
        let namespace = File::open(Path::new("/run/netns").join(name))?;
        enter(&namespace)?;
        for (key, value) in [
            // The addresses stay when a link goes down.
            ("net/ipv6/conf/all/keep_addr_on_down", "1"),
            // However slowly a connection begins, it is one of MPTCP.
            ("net/mptcp/syn_retrans_before_tcp_fallback", "128"),
            // A subflow that was closed does not wait long for a peer that is no more.
            ("net/ipv4/tcp_orphan_retries", "3"),
        ] {
            fs::write(Path::new("/proc/sys").join(key), value).context(key)?;
        }
        ip(&format!(
            "link set lo up\n\
             mptcp limits set subflow 8 add_addr_accepted 8\n\
             {batch}"
        ))?;
        Ok(Self {
            paths: PathManager::open()?,
            links: Links::open()?,
            killer: Killer::open()?,
            namespace,
        })
    }

    /// Moves the calling thread to it: what the thread opens from then on is there.
    pub fn enter(&self) -> Result<()> {
        enter(&self.namespace)
    }

    /// TCP and MPTCP sockets that there are, open or not, but for those in TIME_WAIT: of each
    /// protocol, how many.
    pub fn sockets(&self) -> Result<Vec<(String, usize)>> {
        self.enter()?;
        let protocols = fs::read_to_string("/proc/thread-self/net/protocols")?;
        let mut sockets = Vec::new();
        for line in protocols.lines() {
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
}

fn enter(namespace: &File) -> Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

fn client_links() -> String {
    let mut batch = String::new();
    for link in 0..LINKS {
        let mtu = FIRST_MTU - u32::from(link) * MTU_STEP;
        let end = format!("name link{link} index {} mtu {mtu}", interface(link));
        batch += &format!(
            "link add {end} type veth peer {end} netns {}\n\
             link set link{link} up\n",
            NAMES[1]
        );
        batch += &add_address(link, host::CLIENT, "");
        // Only used where asked for.
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

/// The network that the two were made from. It sees their end, which takes a link of each with it.
#[derive(Debug)]
pub struct Home {
    namespace: File,
    links: Links,
}

impl Home {
    /// The numbers of interfaces whose other ends are in the two networks.
    const WITNESSES: [u32; 2] = [200, 201];

    /// Moves the calling thread to it.
    pub fn enter(&self) -> Result<()> {
        enter(&self.namespace)
    }

    /// Removes the two networks, in which nothing may be open any more, and waits for their end.
    pub fn remove(&self, networks: [Network; 2]) -> Result<()> {
        self.enter()?;
        drop(networks);
        ip(&NAMES.map(|name| format!("netns del {name}\n")).concat())?;
        for (name, witness) in NAMES.iter().zip(Self::WITNESSES) {
            wait_for(&format!("the end of {name}"), || {
                Ok((!self.links.has(witness)?).then_some(()))
            })?;
        }
        Ok(())
    }
}
