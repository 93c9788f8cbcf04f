// SPDX-License-Identifier: GPL-2.0

//! What the programs in `src/bin/` share: networks and connections, requests for the per-subflow
//! options, user memory that faults where it should, files of results, and KTAP.

pub mod abi;
pub mod check;
pub mod ktap;
pub mod net;
pub mod probe;
pub mod prober;
pub mod records;
pub mod request;
pub mod space;
pub mod subjects;

/// The exit status of a program. An error is printed in one line.
pub fn exit(result: anyhow::Result<std::process::ExitCode>) -> std::process::ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        std::process::ExitCode::FAILURE
    })
}
