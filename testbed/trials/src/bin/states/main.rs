// SPDX-License-Identifier: GPL-2.0

//! Makes requests to sockets in every state, and prints a line for each result, to be compared with
//! another kernel's. What depends on time or chance is left out.

mod show;
mod state;

use std::process::ExitCode;

use anyhow::{Context, Result};
use mptcp_trials::abi;
use mptcp_trials::net::{self, Family, ip};
use mptcp_trials::request::{CANARY, Request, SockOpt};
use socket2::Socket;

use show::describe;
use state::{STATES, SUBFLOWS};

fn main() -> ExitCode {
    mptcp_trials::exit(run().map(|()| ExitCode::SUCCESS))
}

fn run() -> Result<()> {
    net::own_network(SUBFLOWS)?;
    // Whatever is sent to 10.0.0.2 or fd01::2 is lost on the way.
    ip("link add out type veth peer name hole\n\
        link set out up\n\
        link set hole up\n\
        address add 10.0.0.1/24 dev out\n\
        address add fd01::1/64 dev out nodad\n\
        neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev out\n\
        neigh add fd01::2 lladdr 02:00:00:00:00:02 dev out\n")?;
    // However long an attempt to connect takes, it does not fall back to TCP.
    std::fs::write("/proc/sys/net/mptcp/syn_retrans_before_tcp_fallback", "128")?;

    for family in Family::ALL {
        for (name, make) in STATES {
            let sockets = make(family).with_context(|| format!("{family:?}, {name}"))?;
            for (end, socket) in &sockets {
                for option in SockOpt::ALL {
                    let results = results(socket, option).into_iter();
                    for (request, reply) in results {
                        println!(
                            "{family:?}, {name}: {end}, {}, {request}: {reply}",
                            option.name()
                        );
                    }
                }
                for (request, reply) in other_levels(socket) {
                    println!("{family:?}, {name}: {end}, {request}: {reply}");
                }
            }
        }
    }
    Ok(())
}

/// Makes several requests for an option. Returns each with its result.
fn results(socket: &Socket, option: SockOpt) -> Vec<(&'static str, String)> {
    /// Bytes behind each buffer.
    const SPARE: usize = 16;
    let everything = Request::new(option, 2 * SUBFLOWS);
    let number = Request {
        room: 0,
        rest: 0,
        ..everything
    };
    let mut optval = vec![CANARY; everything.optlen()];
    everything.write_header(&mut optval, 0, 0);
    let fresh = optval.clone();
    // A field of the header that must be 0: num_subflows or size_tcpinfo_kernel.
    let at = match option {
        SockOpt::FullInfo => 0,
        _ => 4,
    };
    let mut invalid = |len: usize, number: u8| {
        optval.copy_from_slice(&fresh);
        optval[at] = number;
        let optval = &mut optval[..len];
        // SAFETY: The buffer has no pointers.
        let (ret, _) = unsafe { abi::get(socket, abi::SOL_MPTCP, option.number(), optval) };
        ret
    };
    vec![
        (
            "everything",
            describe(&everything, &everything.make(socket, SPARE)),
        ),
        ("the number", describe(&number, &number.make(socket, SPARE))),
        (
            "with too short a buffer",
            invalid(everything.header() - 1, 0).to_string(),
        ),
        (
            "with an invalid header",
            invalid(everything.optlen(), 1).to_string(),
        ),
        ("with no buffer", {
            let mut optlen = everything.optlen() as u32;
            // SAFETY: There is nothing to write to.
            unsafe { option.call(socket, 0, (&raw mut optlen).expose_provenance()) }.to_string()
        }),
        ("with no memory", {
            // SAFETY: There is nothing to write to.
            unsafe { option.call(socket, 0, 0) }.to_string()
        }),
    ]
}

/// Requests options of other levels, with the numbers of the per-subflow options.
fn other_levels(socket: &Socket) -> Vec<(String, String)> {
    let levels = [
        ("SOL_TCP", libc::SOL_TCP),
        ("SOL_IP", libc::SOL_IP),
        ("SOL_IPV6", libc::SOL_IPV6),
    ];
    let requests = levels.into_iter().flat_map(|level| {
        let options = SockOpt::ALL.map(SockOpt::number);
        options.map(|option| (level, option))
    });
    requests
        .map(|((name, level), option)| {
            // SAFETY: The buffer has no pointers.
            let (ret, len) = unsafe { abi::get(socket, level, option, &mut [0; 64]) };
            (
                format!("option {option} of {name}"),
                format!("{ret}, optlen {len}"),
            )
        })
        .collect()
}
