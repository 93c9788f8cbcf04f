// SPDX-License-Identifier: GPL-2.0

//! Measures what a request costs in the guest, and reports it on the host.

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

/// Measures what a request for a per-subflow option costs
#[derive(Debug, Parser)]
enum Command {
    /// In the guest: measure requests, and print a line of JSON for each
    Measure(measure::Options),
    /// On the host: trace the requests that `bench measure --mark` makes, and print a line of JSON for
    /// each
    Trace {
        /// The socket at which QEMU listens for GDB
        socket: PathBuf,
        /// The kernel of the guest
        vmlinux: PathBuf,
    },
    /// In the guest: make requests beside a connection at full speed, and print lines of JSON
    Load(load::Options),
    /// On the host: compare the kernels
    Report(report::Options),
    /// Compare traces by function and by line of the source
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
