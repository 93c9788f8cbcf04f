// SPDX-License-Identifier: GPL-2.0

//! Stalls each access of the kernel to the memory of a request, while other calls use the socket, and
//! compares which of them waited on two kernels.

mod calls;
mod compare;
mod connection;
mod fallback;
mod listener;
mod stalled;
mod table;
mod trap;
mod witness;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use mptcp_trials::net::{self, Family};
use mptcp_trials::request::Choice;

use connection::SUBFLOWS;
use stalled::Access;
use table::Table;

/// Stalls each access to the memory of a request, and shows which other calls wait
#[derive(Parser)]
enum Command {
    /// Stall requests of the running kernel; lines that begin with # are of times
    Run {
        /// Seconds for which an access of a connection's request stalls at least
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// Compare what two kernels showed, C first
    Compare {
        /// Two folders with such files
        #[arg(num_args = 2, required = true)]
        folders: Vec<PathBuf>,
        /// A file that both have
        #[arg(long = "file", required = true)]
        files: Vec<String>,
    },
}

fn main() -> ExitCode {
    mptcp_trials::exit(match Command::parse() {
        Command::Run { seconds } => run(Duration::from_secs_f64(seconds)),
        Command::Compare { folders, files } => Ok(compare::compare(&folders, &files)),
    })
}

fn run(hold: Duration) -> Result<ExitCode> {
    net::own_network(SUBFLOWS)?;

    let mut table = Table::new("while it stalls", &connection::WITNESSES, "waits".len());
    for option in Choice::ALL {
        for access in Access::of(option) {
            let result = connection::stall(option, access, hold);
            let result = result.map(|(cells, times)| {
                println!("# {times}");
                cells.map(table::waits)
            });
            table.row(&table::stall(option, access), result);
        }
    }
    let mut failed = table.failed();

    let title = format!("while an {} for a listener", Access::Array.name());
    let mut table = Table::new(&title, &calls::NAMES, "waits".len());
    for option in Choice::ALL {
        let name = format!("listener, {}", option.name());
        let result = listener::stall(option, Access::Array);
        table.row(&name, result.map(|cells| cells.map(table::waits)));
    }
    failed |= table.failed();

    let mut table = Table::new(
        "if it falls back to TCP meanwhile",
        &calls::NAMES,
        "ENOPROTOOPT".len(),
    );
    for family in Family::ALL {
        for option in Choice::ALL {
            let result = fallback::race(family, option);
            let name = table::fallback(family, option);
            table.row(&name, result.map(|cells| cells.map(table::returned)));
        }
    }
    failed |= table.failed();

    Ok(u8::from(failed).into())
}
