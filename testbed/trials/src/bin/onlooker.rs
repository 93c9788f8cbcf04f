// SPDX-License-Identifier: GPL-2.0

//! Runs a command, and meanwhile makes requests to all MPTCP sockets of the machine, as fast as it can. Checks
//! that each result is consistent.

use std::fs;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use mptcp_trials::abi;
use mptcp_trials::check::check;
use mptcp_trials::request::{Request, SockOpt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::{Protocol, SockRef};

/// The first one, and as many as the path manager allows.
const MAX_SUBFLOWS: usize = 65;
/// How often a socket is read before the next one. While it is read, its owner cannot close it for good.
const READS: usize = 8;
/// Memory behind each buffer.
const SPARE: usize = 64;

/// Runs a command, and reads MPTCP_FULL_INFO of all sockets meanwhile
#[derive(Parser)]
struct Args {
    /// The command, with its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// What was read.
#[derive(Debug, Default)]
struct Seen {
    /// Results that were checked.
    checked: usize,
    /// Those of more than one subflow.
    several: usize,
    /// Results of sockets that wait for connections, which were not checked.
    listeners: usize,
    /// Requests that were refused, as they are after a fallback.
    refused: usize,
}

fn main() -> ExitCode {
    mptcp_trials::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<ExitCode> {
    let (program, arguments) = args.command.split_first().context("no command")?;
    let mut child = Command::new(program)
        .args(arguments)
        .spawn()
        .with_context(|| program.clone())?;
    // The command has to get on.
    rustix::process::setpriority_process(None, 10)?;
    let mut seen = Seen::default();
    let mut result = Ok(());
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if result.is_ok() => result = read_all(&mut seen),
            None => break child.wait()?,
        }
    };
    println!("# {seen:?}");
    result?;
    println!(
        "# figure: {} results read meanwhile, {} of several subflows",
        seen.checked, seen.several
    );
    Ok(ExitCode::from(
        status.code().map_or(1, |code| code.clamp(0, 255) as u8),
    ))
}

/// Reads all sockets once.
fn read_all(seen: &mut Seen) -> Result<()> {
    for process in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|pid| pid.parse().ok())
        else {
            continue;
        };
        for socket in sockets(pid) {
            for _ in 0..READS {
                read(&socket, seen)?;
            }
        }
    }
    Ok(())
}

/// The MPTCP sockets of a process, one after the other. One that ends meanwhile has none.
fn sockets(pid: i32) -> impl Iterator<Item = OwnedFd> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok();
    let pidfd = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    descriptors
        .into_iter()
        .flatten()
        .flatten()
        .filter(|descriptor| {
            fs::read_link(descriptor.path())
                .is_ok_and(|link| link.as_os_str().as_encoded_bytes().starts_with(b"socket:"))
        })
        .filter_map(move |descriptor| {
            let fd = descriptor.file_name().to_str()?.parse().ok()?;
            pidfd_getfd(pidfd.as_ref()?, fd, PidfdGetfdFlags::empty()).ok()
        })
        .filter(|fd| matches!(SockRef::from(fd).protocol(), Ok(Some(Protocol::MPTCP))))
}

/// Whether MPTCP_INFO succeeds.
fn has_mptcp_info(socket: &OwnedFd) -> bool {
    let mut optlen = 0_u32;
    let address = (&raw mut optlen).expose_provenance();
    // SAFETY: With this length, nothing but the length is written.
    unsafe { abi::getsockopt(socket, abi::SOL_MPTCP, abi::MPTCP_INFO, 0, address) == 0 }
}

/// Reads a socket once.
fn read(socket: &OwnedFd, seen: &mut Seen) -> Result<()> {
    // What waits for connections has a subflow as well, but no data about it.
    let listens = || SockRef::from(socket).is_listener().unwrap_or(false);
    let listened = listens();
    let request = Request::new(SockOpt::FullInfo, MAX_SUBFLOWS);
    let reply = request.make(socket, SPARE);
    match -reply.ret {
        0 if listened || listens() => seen.listeners += 1,
        0 => {
            let report = check(&request, &reply).with_context(|| reply.summary())?;
            seen.checked += 1;
            seen.several += usize::from(report.num > 1);
        }
        // After a fallback. Then every option is refused, until the socket disconnects.
        libc::EOPNOTSUPP | libc::ENOPROTOOPT => {
            ensure!(
                !has_mptcp_info(socket) || request.make(socket, SPARE).ret == 0,
                "only MPTCP_FULL_INFO is refused: {}",
                reply.summary()
            );
            seen.refused += 1;
        }
        _ => bail!("a request fails: {}", reply.summary()),
    }
    Ok(())
}
