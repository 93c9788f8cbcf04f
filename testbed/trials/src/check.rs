// SPDX-License-Identifier: GPL-2.0

//! Checks that a result is consistent, whatever the connection does meanwhile.

use std::collections::HashSet;
use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result, bail, ensure};
use bytemuck::pod_read_unaligned;
use linux_raw_sys::net::tcp_info;

use crate::abi::{self, FullInfo, SubflowData, TCP_CLOSE, TCP_ESTABLISHED, u32_at};
use crate::request::{CANARY, Reply, Request, SockOpt};

#[cfg(test)]
mod tests;

/// What a result reports of a connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many subflows there are.
    pub num: usize,
    /// The subflows that there was room for.
    pub subflows: Vec<Subflow>,
}

/// What a result reports of a subflow, as far as there was room for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subflow {
    /// The number. It is 0 for what is left of the first subflow.
    pub id: Option<u32>,
    /// Local and remote address. The remote one has no port if the subflow is no longer connected.
    pub addrs: Option<(SocketAddr, SocketAddr)>,
    /// The state of TCP.
    pub tcp: Option<Tcp>,
}

/// Some fields of a `struct tcp_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// A state, as in `include/net/tcp_states.h`.
    pub state: u8,
    /// The largest segment that the other side may send, which the path determines.
    pub advmss: u32,
}

/// The states of a TCP connection, `TCP_LISTEN` not among them.
const STATES: [u8; 10] = [TCP_ESTABLISHED, 2, 3, 4, 5, 6, TCP_CLOSE, 8, 9, 11];
/// `TCP_CA_Loss`, the last one.
const CA_STATE_MAX: u8 = 4;
/// The largest shift of a window.
const WSCALE_MAX: u8 = 14;

/// Checks a successful reply. The error is the first thing that is wrong.
pub fn check(request: &Request, reply: &Reply) -> Result<Report> {
    let header = request.header();
    let (num, tcp_info, subflow) = match request.option {
        SockOpt::FullInfo => full_info(request, reply)?,
        option => {
            let (num, size, end) = subflow_data(request, reply)?;
            let array = (size, &reply.optval[header..end]);
            match option {
                SockOpt::TcpInfo => (num, array, (0, &[][..])),
                _ => (num, (0, &[][..]), array),
            }
        }
    };

    let mut subflows = vec![Subflow::default(); num.min(request.room)];
    for (element, to) in elements(tcp_info).zip(&mut subflows) {
        to.tcp = parse_tcp_info(element).context("tcp_info")?;
    }
    for (element, to) in elements(subflow).zip(&mut subflows) {
        let addrs = match request.option {
            SockOpt::FullInfo => {
                to.id = parse_id(element)?;
                element.get(abi::SUBFLOW_INFO_ADDRS..).unwrap_or_default()
            }
            _ => element,
        };
        to.addrs = parse_addrs(addrs)?;
    }
    let mut ids = HashSet::new();
    for (id, subflow) in subflows
        .iter()
        .filter_map(|subflow| Some((subflow.id?, subflow)))
    {
        let nameless = id == 0 && subflow.addrs.is_some_and(|(_, remote)| remote.port() != 0);
        ensure!(!nameless && ids.insert(id), "id {id} of {subflows:?}");
    }
    Ok(Report { num, subflows })
}

/// Checks everything but the elements. Returns how many subflows there are, the size of an element,
/// and where the elements end.
fn subflow_data(request: &Request, reply: &Reply) -> Result<(usize, usize, usize)> {
    let (tcp_info, subflow) = request.option.sizes();
    let kernel = tcp_info + subflow;
    let header = reply.subflow_data();
    let num = header.num_subflows;
    let size = request.element().min(kernel);
    let expected = SubflowData {
        size_subflow_data: request.header() as u32,
        num_subflows: num,
        size_kernel: kernel as u32,
        size_user: size as u32,
    };
    ensure!(header == expected, "{header:?} instead of {expected:?}");

    let room = (request.optlen() - request.header()).checked_div(size);
    let end = request.header() + room.unwrap_or(0).min(num as usize) * size;
    ensure!(
        reply.optlen as usize == end,
        "optlen {}, not {end}",
        reply.optlen
    );
    untouched("optval", &reply.optval[end..])?;
    Ok((num as usize, size, end))
}

/// An array, with the size of an element.
pub type Array<'a> = (usize, &'a [u8]);

/// As [`subflow_data`]. Returns how many subflows there are, and the arrays, of `struct tcp_info` first.
pub fn full_info<'a>(request: &Request, reply: &'a Reply) -> Result<(usize, Array<'a>, Array<'a>)> {
    let (tcp_info, subflow) = request.option.sizes();
    let header = reply.full_info();
    let num = header.num_subflows;
    let expected = FullInfo {
        size_tcpinfo_kernel: tcp_info as u32,
        size_tcpinfo_user: request.tcp_info.min(tcp_info) as u32,
        size_sfinfo_kernel: subflow as u32,
        size_sfinfo_user: request.subflow.min(subflow) as u32,
        num_subflows: num,
        size_arrays_user: request.room as u32,
        subflow_info: reply.arrays[0] as u64,
        tcp_info: reply.arrays[1] as u64,
    };
    ensure!(header == expected, "{header:?} instead of {expected:?}");

    let end = request
        .optlen()
        .min(request.header() + abi::MPTCP_INFO_SIZE);
    ensure!(
        reply.optlen as usize == end,
        "optlen {}, not {end}",
        reply.optlen
    );
    untouched("optval", &reply.optval[end..])?;

    let num = num as usize;
    let array = |name, size: u32, bytes: &'a [u8]| {
        let size = size as usize;
        let (elements, rest) = bytes.split_at(num.min(request.room) * size);
        untouched(name, rest)?;
        anyhow::Ok((size, elements))
    };
    Ok((
        num,
        array("tcp_info", expected.size_tcpinfo_user, &reply.tcp_info)?,
        array(
            "subflow_info",
            expected.size_sfinfo_user,
            &reply.subflow_info,
        )?,
    ))
}

fn untouched(name: &str, rest: &[u8]) -> Result<()> {
    match rest.iter().rposition(|byte| *byte != CANARY) {
        Some(last) => bail!("{name}: {} bytes too many are written", last + 1),
        None => Ok(()),
    }
}

/// The elements of an array.
pub fn elements((size, bytes): Array<'_>) -> impl Iterator<Item = &[u8]> {
    // An array of elements without a size is empty.
    bytes.chunks_exact(size.max(1))
}

fn parse_tcp_info(bytes: &[u8]) -> Result<Option<Tcp>> {
    if bytes.len() < offset_of!(tcp_info, tcpi_reordering) {
        return Ok(None);
    }
    let state = bytes[offset_of!(tcp_info, tcpi_state)];
    ensure!(STATES.contains(&state), "state {state}");
    let ca_state = bytes[offset_of!(tcp_info, tcpi_ca_state)];
    ensure!(ca_state <= CA_STATE_MAX, "ca_state {ca_state}");
    // The two of 4 bits each have no name that can be had; they follow the options.
    let wscale = bytes[offset_of!(tcp_info, tcpi_options) + 1];
    ensure!(
        (wscale & 0xf).max(wscale >> 4) <= WSCALE_MAX,
        "wscale {wscale:#x}"
    );
    let snd_mss = u32_at(bytes, offset_of!(tcp_info, tcpi_snd_mss));
    ensure!(
        (1..=u16::MAX.into()).contains(&snd_mss),
        "snd_mss {snd_mss}"
    );
    Ok(Some(Tcp {
        state,
        advmss: u32_at(bytes, offset_of!(tcp_info, tcpi_advmss)),
    }))
}

fn parse_id(bytes: &[u8]) -> Result<Option<u32>> {
    let Some((id, padding)) = bytes.split_first_chunk() else {
        return Ok(None);
    };
    let padding = &padding[..padding.len().min(abi::SUBFLOW_INFO_ADDRS - id.len())];
    ensure!(padding.iter().all(|byte| *byte == 0), "padding {padding:?}");
    Ok(Some(u32::from_ne_bytes(*id)))
}

fn parse_addrs(bytes: &[u8]) -> Result<Option<(SocketAddr, SocketAddr)>> {
    if bytes.len() < abi::SUBFLOW_ADDRS_SIZE {
        return Ok(None);
    }
    let (local, remote) = bytes.split_at(bytes.len() / 2);
    let (local, remote) = (parse_addr(local)?, parse_addr(remote)?);
    ensure!(
        local.is_ipv4() == remote.is_ipv4(),
        "from {local} to {remote}"
    );
    let is_complete = |addr: SocketAddr| addr.port() != 0 && !addr.ip().is_unspecified();
    let is_whole = remote.port() == 0 || is_complete(local) && is_complete(remote);
    ensure!(is_whole, "from {local} to {remote}");
    Ok(Some((local, remote)))
}

/// Parses a `struct sockaddr_storage`.
fn parse_addr(bytes: &[u8]) -> Result<SocketAddr> {
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    let (addr, zero): (IpAddr, _) = match pod_read_unaligned::<u16>(&bytes[..2]).into() {
        libc::AF_INET => {
            let addr: [u8; 4] = bytes[4..8].try_into()?;
            (Ipv4Addr::from(addr).into(), &bytes[8..])
        }
        libc::AF_INET6 => {
            let addr: [u8; 16] = bytes[8..24].try_into()?;
            let flowinfo = u32_at(bytes, 4);
            ensure!(flowinfo == 0, "flowinfo {flowinfo}");
            (Ipv6Addr::from(addr).into(), &bytes[24..])
        }
        family => bail!("address family {family}"),
    };
    ensure!(
        zero.iter().all(|byte| *byte == 0),
        "address {addr} is followed by {zero:?}"
    );
    Ok(SocketAddr::new(addr, port))
}
