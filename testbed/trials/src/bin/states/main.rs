// SPDX-License-Identifier: GPL-2.0

//! Asks sockets in every state there is.
//!
//! Prints a line for each request, to be compared with those of another kernel: what depends on
//! time or chance is left out.

mod show;
mod state;

use anyhow::{Context, Result};
use mptcp_trials::abi;
use mptcp_trials::net::{self, Family, ip};
use mptcp_trials::request::{CANARY, Choice, Request};
use socket2::Socket;

use show::describe;
use state::{STATES, SUBFLOWS};

fn main() -> Result<()> {
    net::own_network(SUBFLOWS)?;
    // Whatever is sent to 10.0.0.2 or fd01::2 is lost on the way.
    ip("link add out type veth peer name hole\n\
        link set out up\n\
        link set hole up\n\
        address add 10.0.0.1/24 dev out\n\
        address add fd01::1/64 dev out nodad\n\
        neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev out\n\
        neigh add fd01::2 lladdr 02:00:00:00:00:02 dev out\n")?;
    // However long an attempt to connect takes, it remains one of MPTCP.
    std::fs::write("/proc/sys/net/mptcp/syn_retrans_before_tcp_fallback", "128")?;

    for family in Family::ALL {
        for (name, make) in STATES {
            let sockets = make(family).with_context(|| format!("{family:?}, {name}"))?;
            for (end, socket) in &sockets {
                for option in Choice::ALL {
                    let answers = ask(socket, option).into_iter();
                    for (request, answer) in answers {
                        println!(
                            "{family:?}, {name}: {end}, {}, {request}: {answer}",
                            option.name()
                        );
                    }
                }
                for (request, answer) in other_levels(socket) {
                    println!("{family:?}, {name}: {end}, {request}: {answer}");
                }
            }
        }
    }
    Ok(())
}

/// Asks in several ways. Returns what was asked, and answered.
fn ask(socket: &Socket, option: Choice) -> Vec<(&'static str, String)> {
    /// Memory behind the answer.
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
    // Where both headers have a number that the kernel is to set: num_subflows, size_tcpinfo_kernel.
    let at = match option {
        Choice::FullInfo => 0,
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
            describe(&everything, &everything.ask(socket, SPARE)),
        ),
        ("the number", describe(&number, &number.ask(socket, SPARE))),
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
            unsafe { option.ask(socket, 0, (&raw mut optlen).expose_provenance()) }.to_string()
        }),
        ("with no memory", {
            // SAFETY: There is nothing to write to.
            unsafe { option.ask(socket, 0, 0) }.to_string()
        }),
    ]
}

/// Requests the options of other levels that have the numbers of those about subflows.
fn other_levels(socket: &Socket) -> Vec<(String, String)> {
    let levels = [
        ("SOL_TCP", libc::SOL_TCP),
        ("SOL_IP", libc::SOL_IP),
        ("SOL_IPV6", libc::SOL_IPV6),
    ];
    let requests = levels.into_iter().flat_map(|level| {
        let options = Choice::ALL.map(Choice::number);
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
