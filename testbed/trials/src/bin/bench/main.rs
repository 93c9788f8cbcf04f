// SPDX-License-Identifier: GPL-2.0

//! What a request costs, measured in the guest and reported outside.

mod gdb;
#[cfg(test)]
mod handmade;
mod kernel;
mod load;
mod lock;
mod measure;
mod profile;
mod report;
mod requests;
mod results;
mod text;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// What a request for an option about subflows costs.
#[derive(Debug, Parser)]
enum Command {
    /// In the guest: measures requests, and prints a line of JSON for each.
    Measure(measure::Options),
    /// Outside the guest: traces the requests that `bench measure --mark` makes, a line of JSON each.
    Trace {
        /// Where QEMU waits for GDB.
        socket: PathBuf,
        /// The guest's kernel.
        vmlinux: PathBuf,
    },
    /// In the guest: lets readers read beside a connection at full speed, and prints as above.
    Load(load::Options),
    /// Outside: compares the kernels.
    Report(report::Options),
    /// Compares traces, function by function.
    Profile(profile::Options),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Measure(options) => measure::run(&options),
        Command::Load(options) => load::run(&options),
        Command::Trace { socket, vmlinux } => trace::run(&socket, &vmlinux),
        Command::Profile(options) => profile::run(&options),
        Command::Report(options) => report::run(&options),
    };
    mptcp_trials::exit(result.map(|()| ExitCode::SUCCESS))
}
