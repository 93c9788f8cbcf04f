// SPDX-License-Identifier: GPL-2.0

//! Stalls each access of the kernel to the memory of a request, while other calls use the socket, and
//! compares which of them wait on two kernels.

mod calls;
mod compare;
mod connection;
mod sockets;
mod stalled;
mod trap;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use mptcp_trials::net::{self, Family};
use mptcp_trials::records::Compare;
use mptcp_trials::request::SockOpt;

use connection::SUBFLOWS;
use stalled::Access;

/// Stalls each access to the memory of a request, and shows which other calls wait
#[derive(Parser)]
enum Command {
    /// Stall requests to the running kernel; lines that begin with # have times
    Run {
        /// The least number of seconds for which an access stalls
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// Compare the results of two kernels
    Compare(Compare),
}

fn main() -> ExitCode {
    mptcp_trials::exit(match Command::parse() {
        Command::Run { seconds } => run(Duration::from_secs_f64(seconds)),
        Command::Compare(files) => Ok(compare::compare(&files)),
    })
}

fn run(hold: Duration) -> Result<ExitCode> {
    net::own_network(SUBFLOWS)?;
    let mut failed = false;
    let mut row = |name: String, cells: Result<String>| match cells {
        Ok(cells) => println!("{name}: {cells}"),
        Err(error) => {
            println!("{name}: failed\n# {error:#}");
            failed = true;
        }
    };
    let waiting = |calls: Vec<&str>| match calls[..] {
        [] => "no call waits".into(),
        _ => format!("{} wait", calls.join(", ")),
    };

    for option in SockOpt::ALL {
        for access in Access::of(option) {
            let calls = connection::stall(option, access, hold);
            row(compare::stall(option, access), calls.map(waiting));
        }
    }
    for option in SockOpt::ALL {
        let calls = sockets::listener(option);
        row(format!("listener, {}", option.name()), calls.map(waiting));
    }
    for family in Family::ALL {
        for option in SockOpt::ALL {
            let cells = sockets::fallback(family, option);
            let cells = cells.map(|cells| cells.join(", "));
            row(compare::fallback(family, option), cells);
        }
    }
    Ok(u8::from(failed).into())
}
