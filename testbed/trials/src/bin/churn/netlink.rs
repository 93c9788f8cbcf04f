// SPDX-License-Identifier: GPL-2.0

//! What netlink is needed for: endpoints and events of the path manager, links up and down, and the
//! forced end of TCP sockets. Each socket is of the network in which it was opened.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mptcp_trials::net::wait_readable;
use netlink_packet_core::{
    DefaultNla, Emitable, ErrorBuffer, NLA_F_NESTED, NLA_HEADER_SIZE, NLM_F_ACK, NLM_F_REQUEST,
    NLMSG_ERROR, NetlinkBuffer, NlasIterator,
};
use netlink_sys::Socket;
use netlink_sys::protocols::{NETLINK_GENERIC, NETLINK_ROUTE, NETLINK_SOCK_DIAG};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;

/// Size of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Size of `struct genlmsghdr`.
const GENERIC_HEADER: usize = 4;

/// A socket that sends requests to the kernel.
#[derive(Debug)]
struct Requests(Socket);

impl Requests {
    fn open(protocol: isize) -> Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        Ok(Self(socket))
    }

    /// Sends a request, and returns what comes back before it is acknowledged.
    fn send(&self, kind: u16, payload: &[u8]) -> io::Result<Vec<u8>> {
        let mut request = vec![0; HEADER + payload.len()];
        let mut message = NetlinkBuffer::new(&mut request);
        message.set_length((HEADER + payload.len()) as u32);
        message.set_message_type(kind);
        message.set_flags(NLM_F_REQUEST | NLM_F_ACK);
        message.payload_mut().copy_from_slice(payload);
        self.0.send(&request, 0)?;

        let mut reply = Vec::new();
        loop {
            wait_readable(&self.0).map_err(io::Error::other)?;
            for (kind, payload) in messages(&self.0.recv_from_full()?.0)? {
                if kind != NLMSG_ERROR {
                    reply = payload;
                    continue;
                }
                let error = ErrorBuffer::new_checked(&payload).map_err(io::Error::other)?;
                return match error.code() {
                    None => Ok(reply),
                    Some(code) => Err(io::Error::from_raw_os_error(-code.get())),
                };
            }
        }
    }
}

/// Splits a datagram into messages: type and payload of each.
fn messages(mut datagram: &[u8]) -> io::Result<Vec<(u16, Vec<u8>)>> {
    let mut messages = Vec::new();
    while !datagram.is_empty() {
        let message = NetlinkBuffer::new_checked(&datagram).map_err(io::Error::other)?;
        messages.push((message.message_type(), message.payload().to_vec()));
        let len = (message.length() as usize).next_multiple_of(4);
        datagram = datagram.get(len..).unwrap_or_default();
    }
    Ok(messages)
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let attribute = DefaultNla::new(kind, value.to_vec());
    let mut bytes = vec![0; attribute.buffer_len()];
    attribute.emit(&mut bytes);
    bytes
}

/// The value of an attribute, if there is one of the kind.
fn find(attributes: &[u8], kind: i32) -> Option<&[u8]> {
    let mut attributes = NlasIterator::new(attributes).flatten();
    let found = attributes.find(|attribute| i32::from(attribute.kind()) == kind)?;
    found
        .into_inner()
        .get(NLA_HEADER_SIZE..found.length().into())
}

/// From `include/uapi/linux/mptcp_pm.h`.
mod pm {
    pub const NAME: &str = "mptcp_pm\0";
    pub const EVENTS: &str = "mptcp_pm_events\0";
    pub const CMD_ADD_ADDR: u8 = 1;
    pub const CMD_DEL_ADDR: u8 = 2;
    pub const CMD_FLUSH_ADDRS: u8 = 4;
    pub const ATTR_ADDR: u16 = 1;
    pub const ADDR_ATTR_FAMILY: u16 = 1;
    pub const ADDR_ATTR_ID: u16 = 2;
    pub const ADDR_ATTR_ADDR4: u16 = 3;
    pub const ADDR_ATTR_ADDR6: u16 = 4;
    pub const ADDR_ATTR_FLAGS: u16 = 6;
    pub const ADDR_ATTR_IF_IDX: u16 = 7;
    pub const EVENT_SUB_ESTABLISHED: u8 = 10;
    pub const EVENT_SUB_CLOSED: u8 = 11;
}

/// What the path manager does with an address.
#[derive(Clone, Copy, Debug)]
pub enum Use {
    /// Announces it to the peer of each connection.
    Signal = 1,
    /// Makes a subflow from it.
    Subflow = 2,
}

/// The path manager of a network.
#[derive(Debug)]
pub struct PathManager {
    requests: Requests,
    family: u16,
    events: u32,
}

impl PathManager {
    /// Finds it.
    pub fn open() -> Result<Self> {
        let requests = Requests::open(NETLINK_GENERIC)?;
        let mut payload = vec![libc::CTRL_CMD_GETFAMILY as u8, 1, 0, 0];
        payload.extend(attribute(
            libc::CTRL_ATTR_FAMILY_NAME as u16,
            pm::NAME.as_bytes(),
        ));
        let reply = requests
            .send(libc::GENL_ID_CTRL as u16, &payload)
            .context("the kernel has no path manager for MPTCP")?;

        let attributes = reply.get(GENERIC_HEADER..).unwrap_or_default();
        let family = find(attributes, libc::CTRL_ATTR_FAMILY_ID).and_then(|id| id.try_into().ok());
        let groups = find(attributes, libc::CTRL_ATTR_MCAST_GROUPS).unwrap_or_default();
        let events = NlasIterator::new(groups).flatten().find_map(|group| {
            let name = find(group.value(), libc::CTRL_ATTR_MCAST_GRP_NAME)?;
            let id = find(group.value(), libc::CTRL_ATTR_MCAST_GRP_ID)?;
            (name == pm::EVENTS.as_bytes()).then_some(id.try_into().ok()?)
        });
        Ok(Self {
            requests,
            family: u16::from_ne_bytes(family.context("no family of netlink")?),
            events: u32::from_ne_bytes(events.context("no group for events")?),
        })
    }

    /// Adds an endpoint: an address, and its use. Without an `id`, the kernel chooses one. With a
    /// `link`, a number of an interface, subflows are bound to that.
    pub fn add(
        &self,
        address: IpAddr,
        usage: Use,
        id: Option<u8>,
        link: Option<u32>,
    ) -> io::Result<()> {
        let (family, kind, octets) = match address {
            IpAddr::V4(v4) => (libc::AF_INET, pm::ADDR_ATTR_ADDR4, v4.octets().to_vec()),
            IpAddr::V6(v6) => (libc::AF_INET6, pm::ADDR_ATTR_ADDR6, v6.octets().to_vec()),
        };
        let mut endpoint = attribute(pm::ADDR_ATTR_FAMILY, &(family as u16).to_ne_bytes());
        endpoint.extend(attribute(kind, &octets));
        endpoint.extend(attribute(
            pm::ADDR_ATTR_FLAGS,
            &(usage as u32).to_ne_bytes(),
        ));
        if let Some(id) = id {
            endpoint.extend(attribute(pm::ADDR_ATTR_ID, &[id]));
        }
        if let Some(link) = link {
            endpoint.extend(attribute(pm::ADDR_ATTR_IF_IDX, &link.to_ne_bytes()));
        }
        self.send(pm::CMD_ADD_ADDR, &endpoint)
    }

    /// Removes the endpoint of that number.
    pub fn remove(&self, id: u8) -> io::Result<()> {
        self.send(pm::CMD_DEL_ADDR, &attribute(pm::ADDR_ATTR_ID, &[id]))
    }

    /// Removes all endpoints.
    pub fn flush(&self) -> io::Result<()> {
        self.send(pm::CMD_FLUSH_ADDRS, &[])
    }

    fn send(&self, command: u8, endpoint: &[u8]) -> io::Result<()> {
        let mut payload = vec![command, 1, 0, 0];
        payload.extend(attribute(pm::ATTR_ADDR | NLA_F_NESTED, endpoint));
        self.requests.send(self.family, &payload)?;
        Ok(())
    }

    /// Reports events from now on.
    pub fn events(&self) -> Result<Events> {
        /// Room for more events than come in a second.
        const BUFFER: u32 = 8 << 20;
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.set_rx_buf_sz(BUFFER)?;
        socket.add_membership(self.events)?;
        socket.set_non_blocking(true)?;
        Ok(Events(socket))
    }
}

/// Events of the path manager.
#[derive(Debug)]
pub struct Events(Socket);

impl Events {
    /// Waits for events, at most so long. Returns how many subflows were established, and closed.
    pub fn wait(&self, timeout: Duration) -> Result<(usize, usize)> {
        let (mut established, mut closed) = (0, 0);
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        retry_on_intr(|| poll(&mut fds, Some(&timeout.try_into().unwrap_or_default())))?;
        loop {
            let datagram = match self.0.recv_from_full() {
                Ok((datagram, _)) => datagram,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Some are lost: there were more changes than are counted.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => continue,
                Err(error) => return Err(error.into()),
            };
            for (_, payload) in messages(&datagram)? {
                match payload.first() {
                    Some(&pm::EVENT_SUB_ESTABLISHED) => established += 1,
                    Some(&pm::EVENT_SUB_CLOSED) => closed += 1,
                    _ => (),
                }
            }
        }
        Ok((established, closed))
    }
}

/// The interfaces of a network.
#[derive(Debug)]
pub struct Links(Requests);

impl Links {
    /// Opens a socket.
    pub fn open() -> Result<Self> {
        Ok(Self(Requests::open(NETLINK_ROUTE)?))
    }

    /// Turns an interface on or off.
    pub fn set(&self, link: u32, up: bool) -> io::Result<()> {
        const IFF_UP: u32 = libc::IFF_UP as u32;
        self.send(libc::RTM_NEWLINK, link, if up { IFF_UP } else { 0 }, IFF_UP)
    }

    /// Whether there is such an interface.
    pub fn has(&self, link: u32) -> io::Result<bool> {
        match self.send(libc::RTM_GETLINK, link, 0, 0) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn send(&self, kind: u16, link: u32, flags: u32, change: u32) -> io::Result<()> {
        // struct ifinfomsg: family and type, index, flags, and which of these to change.
        let payload = [0, link, flags, change].map(u32::to_ne_bytes);
        self.0.send(kind, payload.as_flattened())?;
        Ok(())
    }
}

/// What ends TCP sockets of a network, as `ss -K` does.
#[derive(Debug)]
pub struct Killer(Requests);

impl Killer {
    /// Opens a socket, and sees whether the kernel can do it.
    pub fn open() -> Result<Self> {
        let killer = Self(Requests::open(NETLINK_SOCK_DIAG)?);
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let error = killer
            .kill(nobody, nobody, 0)
            .err()
            .and_then(|error| error.raw_os_error());
        ensure!(
            error == Some(libc::ENOENT),
            "the kernel has no CONFIG_INET_DIAG_DESTROY"
        );
        Ok(killer)
    }

    /// Ends the TCP socket with these addresses, which may be bound to the interface `link`.
    pub fn kill(&self, local: SocketAddr, remote: SocketAddr, link: u32) -> io::Result<()> {
        const SOCK_DESTROY: u16 = 21;
        const NO_COOKIE: [u8; 8] = [0xff; 8];
        let family = if local.is_ipv4() {
            libc::AF_INET
        } else {
            libc::AF_INET6
        };
        let octets = |address: SocketAddr| match address.ip() {
            IpAddr::V4(v4) => [&v4.octets()[..], &[0; 12]].concat(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        // struct inet_diag_req_v2, and in it struct inet_diag_sockid.
        let payload = [
            &[family as u8, libc::IPPROTO_TCP as u8, 0, 0][..],
            &u32::MAX.to_ne_bytes(),
            &local.port().to_be_bytes(),
            &remote.port().to_be_bytes(),
            &octets(local),
            &octets(remote),
            &link.to_ne_bytes(),
            &NO_COOKIE,
        ];
        self.0.send(SOCK_DESTROY, &payload.concat())?;
        Ok(())
    }
}
