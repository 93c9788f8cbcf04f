// SPDX-License-Identifier: GPL-2.0

//! What the programs in `src/bin/` share: connections with a number of subflows, the options about
//! subflows as the kernel sees them, memory that faults where it should, and KTAP.

pub mod abi;
pub mod answer;
pub mod cast;
pub mod check;
pub mod ktap;
pub mod net;
pub mod probe;
pub mod records;
pub mod request;
pub mod space;

/// What `main()` ends with: on failure, after one line that says why.
pub fn exit(result: anyhow::Result<std::process::ExitCode>) -> std::process::ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        std::process::ExitCode::FAILURE
    })
}
