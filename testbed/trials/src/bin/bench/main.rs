// SPDX-License-Identifier: GPL-2.0

//! What a request costs, measured in the guest and reported outside.

mod gdb;
mod kernel;
mod load;
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
    let done = |()| ExitCode::SUCCESS;
    mptcp_trials::exit(match Command::parse() {
        Command::Measure(options) => measure::run(&options).map(done),
        Command::Load(options) => load::run(&options).map(done),
        Command::Trace { socket, vmlinux } => trace::run(&socket, &vmlinux).map(done),
        Command::Profile(options) => profile::run(&options).map(done),
        Command::Report(options) => report::run(&options),
    })
}
