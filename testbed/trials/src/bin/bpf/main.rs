// SPDX-License-Identifier: GPL-2.0

//! Makes requests while the kernel calls a BPF program after each, and prints a line for each result, to be
//! compared with another kernel's. Fails if a program that only returns 1 changes a result, or one that sets
//! the return value does not.

mod program;

use std::collections::BTreeSet;
use std::ffi::c_int;
use std::mem::offset_of;
use std::ops::Range;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use linux_raw_sys::net::tcp_info;
use mptcp_trials::abi::{MPTCP_INFO_SIZE, MptcpInfo, TCP_INFO_SIZE};
use mptcp_trials::net::{self, Connection, Family};
use mptcp_trials::request::{CANARY, Reply, Request, SockOpt};
use mptcp_trials::space::PAGE;
use socket2::Socket;

use program::Attached;

/// Their elements are larger than a page, of which the kernel shows no more to a BPF program.
const SUBFLOWS: usize = 18;
/// The largest buffer.
const MAX_OPTLEN: usize = 5000;

/// Milliseconds since an event, in a `struct tcp_info`.
const TCP_INFO_TIMES: Range<usize> =
    offset_of!(tcp_info, tcpi_last_data_sent)..offset_of!(tcp_info, tcpi_pmtu);
/// The same in a `struct mptcp_info`.
const MPTCP_INFO_TIMES: Range<usize> =
    offset_of!(MptcpInfo, last_data_sent)..offset_of!(MptcpInfo, end);

fn main() -> ExitCode {
    mptcp_trials::exit(run().map(|()| ExitCode::SUCCESS))
}

fn run() -> Result<()> {
    net::own_network(SUBFLOWS)?;
    let connection = Connection::with_subflows(Family::V4, SUBFLOWS)?;
    let ends = [("client", connection.client), ("server", connection.server)];
    for (end, socket) in &ends {
        for option in SockOpt::ALL {
            passed(end, socket, option)?;
            overwritten(end, socket, option)?;
        }
    }
    Ok(())
}

/// Makes requests, and the same ones with a program that only returns 1.
fn passed(end: &str, socket: &Socket, option: SockOpt) -> Result<()> {
    let request = Request::new(option, SUBFLOWS);
    let mut buffers = request.buffers(MAX_OPTLEN - request.header());
    let optlens = optlens(&request);
    let mut all = || -> Vec<_> {
        let optlens = optlens.iter();
        optlens
            .map(|optlen| ask(&request, socket, &mut buffers, *optlen))
            .collect()
    };
    let mut with_and_without = || -> Result<_> {
        // Something else than the program may change the results.
        for _ in 0..10 {
            let before = all();
            let attached = Attached::passing()?;
            let with = all();
            drop(attached);
            if before == all() {
                return Ok((with, before));
            }
        }
        bail!("the connection is not idle")
    };

    let (with, without) = with_and_without()?;
    for ((optlen, with), without) in optlens.iter().zip(&with).zip(&without) {
        let name = format!("{end}, {}, {optlen} bytes", option.name());
        ensure!(
            with == without,
            "{name}: a BPF program that only returns 1 changes the result to {with:?}\n\
             from {without:?}"
        );
        println!("{name}: {}", with.summary());
    }
    Ok(())
}

/// Sizes of the buffer: around those of the structures and of a page, and many others.
fn optlens(request: &Request) -> Vec<usize> {
    let elements = (0..=SUBFLOWS).map(|n| request.header() + n * request.element());
    let around = elements.chain([request.header() + MPTCP_INFO_SIZE, PAGE]);
    let around = around.flat_map(|size| size - 1..=size + 1);
    let others = (0..=MAX_OPTLEN).step_by(50);
    let optlens: BTreeSet<_> = around.chain(others).collect();
    optlens
        .into_iter()
        .filter(|optlen| *optlen <= MAX_OPTLEN)
        .collect()
}

/// Makes requests with programs that set the return value.
fn overwritten(end: &str, socket: &Socket, option: SockOpt) -> Result<()> {
    // The kernel ignores what the program does if the result is larger than a page.
    let request = Request::new(option, SUBFLOWS / 2);
    let mut buffers = request.buffers(0);
    for optlen in [request.optlen(), 0] {
        let plain = ask(&request, socket, &mut buffers, optlen).ret;
        for value in [-libc::EBUSY, 0, 42] {
            let attached = Attached::returning(value)?;
            let reply = ask(&request, socket, &mut buffers, optlen);
            drop(attached);
            let name = format!(
                "{end}, {}, {optlen} bytes, {value} instead of {plain}",
                option.name()
            );
            // The kernel does not call it for 32-bit programs.
            let expected: c_int = match usize::BITS {
                32 => plain,
                _ => value,
            };
            ensure!(reply.ret == expected, "{name}: it returns {}", reply.ret);
            println!("{name}: {}", reply.summary());
        }
    }
    Ok(())
}

/// Makes a request with a buffer of `optlen` bytes. Returns the result without times.
fn ask(request: &Request, socket: &Socket, buffers: &mut Reply, optlen: usize) -> Reply {
    for buffer in [
        &mut buffers.optval,
        &mut buffers.tcp_info,
        &mut buffers.subflow_info,
    ] {
        buffer.fill(CANARY);
    }
    request.repeat_with(socket, buffers, optlen);

    let mut reply = buffers.clone();
    let behind = reply.optval[..reply.optlen as usize].get_mut(request.header()..);
    if let (0, Some(behind)) = (reply.ret, behind) {
        match request.option {
            SockOpt::TcpInfo => hide_times(behind, TCP_INFO_SIZE, TCP_INFO_TIMES),
            SockOpt::SubflowAddrs => (),
            SockOpt::FullInfo => {
                hide_times(behind, MPTCP_INFO_SIZE, MPTCP_INFO_TIMES);
                let array = &mut reply.tcp_info[..request.room * TCP_INFO_SIZE];
                hide_times(array, TCP_INFO_SIZE, TCP_INFO_TIMES);
            }
        }
    }
    reply
}

/// Zeroes the times in an array of structures, of which the last may be truncated.
fn hide_times(array: &mut [u8], size: usize, times: Range<usize>) {
    for element in array.chunks_mut(size) {
        let end = times.end.min(element.len());
        element[times.start.min(end)..end].fill(0);
    }
}
