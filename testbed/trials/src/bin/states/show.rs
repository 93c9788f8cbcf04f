// SPDX-License-Identifier: GPL-2.0

//! A result as text, without what depends on time or chance.

use std::mem::offset_of;
use std::ops::Range;

use bytemuck::pod_read_unaligned;
use linux_raw_sys::net::tcp_info;
use mptcp_trials::abi::{FullInfo, MptcpInfo, SUBFLOW_INFO_ADDRS, SubflowData};
use mptcp_trials::request::{Reply, Request, SockOpt};

/// Parts of `struct tcp_info` that depend on neither time nor chance.
const TCP_INFO: [Range<usize>; 3] = [
    offset_of!(tcp_info, tcpi_state)..offset_of!(tcp_info, tcpi_retransmits),
    offset_of!(tcp_info, tcpi_options)..offset_of!(tcp_info, tcpi_options) + 2,
    offset_of!(tcp_info, tcpi_advmss)..offset_of!(tcp_info, tcpi_rcv_rtt),
];
/// Parts of `struct mptcp_info` that do not.
const MPTCP_INFO: [Range<usize>; 2] = [
    0..offset_of!(MptcpInfo, token),
    // Not local_addr_used, which is counted down whenever the path manager gets to it.
    offset_of!(MptcpInfo, local_addr_used) + 1..offset_of!(MptcpInfo, local_addr_used) + 3,
];

/// Shows a result, and how many bytes of each buffer were written.
pub fn describe(request: &Request, reply: &Reply) -> String {
    let text = reply.summary();
    if reply.ret != 0 {
        return text;
    }

    let written = reply.written();
    let (header, behind) = written[0].split_at(request.header());
    let array = |bytes: &[u8], size: usize, show: fn(&[u8]) -> String| {
        let elements: Vec<_> = bytes.chunks(size.max(1)).map(show).collect();
        elements.join(" ")
    };
    match request.option {
        SockOpt::TcpInfo => format!(
            "{text}, {:?}: {}",
            pod_read_unaligned::<SubflowData>(header),
            array(behind, request.tcp_info, show_tcp_info)
        ),
        SockOpt::SubflowAddrs => format!(
            "{text}, {:?}: {}",
            pod_read_unaligned::<SubflowData>(header),
            array(behind, request.subflow, show_addrs)
        ),
        SockOpt::FullInfo => format!(
            "{text}, {:?}: {}: {}: {}",
            FullInfo {
                subflow_info: 0,
                tcp_info: 0,
                ..pod_read_unaligned(header)
            },
            show(behind, &MPTCP_INFO),
            array(written[1], request.subflow, show_subflow_info),
            array(written[2], request.tcp_info, show_tcp_info)
        ),
    }
}

fn show_tcp_info(bytes: &[u8]) -> String {
    show(bytes, &TCP_INFO)
}

/// Numbers after the first are not shown: a server may leave one out when a subflow joins.
fn show_subflow_info(bytes: &[u8]) -> String {
    let (id, addrs) = bytes.split_at(SUBFLOW_INFO_ADDRS);
    let (id, padding) = id.split_at(4);
    let id = match pod_read_unaligned::<u32>(id) {
        0 => "no id",
        1 => "id 1",
        _ => "an id",
    };
    format!("{id} {} {}", hex(padding), show_addrs(addrs))
}

/// Shows two of `struct sockaddr_storage` without the zeroes at their ends, and whether they have a
/// port.
fn show_addrs(bytes: &[u8]) -> String {
    let ends = bytes.chunks(bytes.len() / 2).map(|end| {
        let port = if end[2..4] == [0; 2] { "no" } else { "a" };
        let last = end.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        format!(
            "{} {port} port {}",
            hex(&end[..2]),
            hex(end.get(4..=last).unwrap_or_default())
        )
    });
    ends.collect::<Vec<_>>().join("-")
}

fn show(bytes: &[u8], parts: &[Range<usize>]) -> String {
    let parts = parts
        .iter()
        .map(|part| hex(bytes.get(part.clone()).unwrap_or_default()));
    parts.collect::<Vec<_>>().join("..")
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
