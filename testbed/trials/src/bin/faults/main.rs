// SPDX-License-Identifier: GPL-2.0

//! Lets each access to user memory fail, and looks at what comes of it.

mod cases;

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::iter;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use cases::{SUBFLOWS, cases, plain};
use clap::Parser;
use mptcp_trials::abi::TCP_ESTABLISHED;
use mptcp_trials::answer::Asker;
use mptcp_trials::cast::{self, State};
use mptcp_trials::ktap::Ktap;
use mptcp_trials::net::{self, Connection, Family, PATIENCE};
use mptcp_trials::probe::{Probe, Write, writes};
use mptcp_trials::records::{Compare, Recorder};
use mptcp_trials::request::{Choice, Snapshot};
use mptcp_trials::space::{self, Space};

/// Lets each access to user memory fail, and looks at what comes of it
#[derive(Parser)]
enum Command {
    /// By pages that cannot be accessed
    Pages {
        /// The file for the answers, a line each
        #[arg(long)]
        output: PathBuf,
    },
    /// By the kernel's fault injection, which only the debug flavour has
    Inject,
    /// Show where the results of two kernels differ
    Compare(Compare),
}

fn main() -> ExitCode {
    mptcp_trials::exit(match Command::parse() {
        Command::Pages { output } => pages(&output),
        Command::Inject => inject(),
        Command::Compare(compare) => Ok(compare
            .run("requests with a fault had the same result", |title, n| {
                Ok(format!("{title}, number {n}:"))
            })),
    })
}

fn pages(output: &Path) -> Result<ExitCode> {
    let mut asker = Asker::new().context("the addresses of the requests are taken")?;
    // The answers of these can be compared, and those of others cannot.
    let mut silent = cast::actors()?;
    silent.retain(|actor| actor.role.state == State::Connected(SUBFLOWS));
    net::own_network(SUBFLOWS.into())?;
    let mut file = Recorder::new(output, "requests with a fault")?;
    let mut ktap = Ktap::new(Family::ALL.len() * Choice::ALL.len());
    let mut faults = 0;
    let mut fails = |access: &str, probe: &Probe, family| {
        for actor in silent
            .iter_mut()
            .filter(|actor| actor.role.family == family)
        {
            let answer = asker.ask(probe.clone(), actor)?;
            ensure!(
                answer.starts_with(&format!("-{}", libc::EFAULT)),
                "the answer is {answer}"
            );
            faults += 2;
            file.line(&format!(
                "{}, {}, {access}: {answer}",
                actor.role,
                probe.name()
            ))?;
        }
        let connection = Connection::with_subflows(family, SUBFLOWS.into())?;
        for socket in [&connection.client, &connection.server] {
            probe.put(&mut asker.space, probe.fill)?;
            let ret = probe.ask(&mut asker.space, socket)?;
            ensure!(ret == -libc::EFAULT, "the answer is {ret}");
            faults += 1;
        }
        goes_on(connection)
    };

    for family in Family::ALL {
        for option in Choice::ALL {
            let result = cases(option).iter().try_for_each(|(access, probe)| {
                fails(access, probe, family).with_context(|| access.clone())
            });
            ktap.result(
                &format!("faults: {family:?}, {}", option.name()),
                result,
            );
        }
    }
    file.end()?;
    ktap.figure(faults, "faults by pages");
    Ok(ktap.end())
}

/// Whether a connection does all that it should, and ends.
fn goes_on(connection: Connection) -> Result<()> {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let ends = || {
            for end in [&connection.client, &connection.server] {
                let subflows = Snapshot::take(end)?.in_state(TCP_ESTABLISHED);
                ensure!(subflows == SUBFLOWS.into(), "{subflows} subflows");
            }
            connection.exchange()?;
            let Connection { client, mut server } = connection;
            drop(client);
            net::wait_readable(&server)?;
            ensure!(
                server.read(&mut [0])? == 0,
                "there is more to read, instead of the end"
            );
            Ok(())
        };
        done.send(ends())
    });
    ended
        .recv_timeout(PATIENCE)
        .map_err(|_| anyhow!("whatever is done with the socket now takes more than {PATIENCE:?}"))?
}

fn inject() -> Result<ExitCode> {
    let settings = Path::new("/sys/kernel/debug/fail_usercopy");
    fs::write(settings.join("verbose"), "0")
        .with_context(|| format!("{}: needs FLAVOUR=debug", settings.display()))?;
    let nth = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/proc/thread-self/fail-nth")?;
    let mut space = Space::new().context("the addresses of the requests are taken")?;
    net::own_network(SUBFLOWS.into())?;
    let mut ktap = Ktap::new(Family::ALL.len() * Choice::ALL.len());
    let mut faults = 0;

    for family in Family::ALL {
        for option in Choice::ALL {
            let probe = plain(option);
            let result = each_fails(&mut space, &probe, &nth, family).map(|written| {
                faults += 2 * written.len();
                ktap.note(format_args!("failed after so many writes: {written:?}"));
            });
            ktap.result(&format!("inject: {family:?}, {}", option.name()), result);
        }
    }
    ktap.figure(faults, "faults injected");
    Ok(ktap.end())
}

/// The copies before those of the option: getsockopt(2) itself reads optlen, and ignores a fault.
const IGNORED: usize = 1;

/// Lets one copy after the other fail, until none is left. Returns after how many writes each failed.
fn each_fails(space: &mut Space, probe: &Probe, nth: &File, family: Family) -> Result<Vec<usize>> {
    let mut failed = Vec::new();
    loop {
        let n = IGNORED + failed.len() + 1;
        let connection = Connection::with_subflows(family, SUBFLOWS.into())?;
        let mut changed = vec![false; space::SIZE];
        let mut planned = Vec::new();
        let mut injected = true;
        for fill in [probe.fill, !probe.fill] {
            probe.put(space, fill)?;
            planned = writes(probe, space, Some(SUBFLOWS.into()));
            let before = space.bytes().to_vec();
            nth.write_at(n.to_string().as_bytes(), 0)?;
            let ret = probe.ask(space, &connection.client)?;
            injected = is_injected(nth);
            let bytes = before.iter().zip(space.bytes());
            for (changed, (before, after)) in changed.iter_mut().zip(bytes) {
                *changed |= before != after;
            }
            let expected = if injected { -libc::EFAULT } else { 0 };
            ensure!(
                ret == expected,
                "the answer is {ret} when copy {n} fails: {injected}"
            );
        }
        if !injected {
            ensure!(!failed.is_empty(), "no copy failed");
            // Once at most: the header is read before the first write, and each write is a copy.
            let mut copies = iter::once(0).chain(0..planned.len());
            ensure!(
                failed.iter().all(|done| copies.any(|copy| copy == *done)),
                "an access is made twice: copies failed after so many writes: {failed:?}"
            );
            return Ok(failed);
        }
        let done = beginning(&changed, &planned, probe).with_context(|| {
            let changed = (0..space::SIZE).filter(|index| changed[*index]);
            let changed = changed.map(space::address).collect::<Vec<_>>();
            format!("when copy {n} fails, it is no beginning of the answer that is written: {changed:x?}")
        })?;
        goes_on(connection).with_context(|| format!("when copy {n} fails"))?;
        failed.push(done);
    }
}

/// Whether the fault came, and not too late. If it is yet to come, it may come here.
fn is_injected(nth: &File) -> bool {
    let mut left = [0; 8];
    let injected = nth.read_at(&mut left, 0).is_ok() && left.starts_with(b"0\n");
    let _ = nth.write_at(b"0", 0);
    injected
}

/// How many of the writes it takes to change these bytes.
fn beginning(changed: &[bool], writes: &[Write], probe: &Probe) -> Option<usize> {
    let mut written = vec![false; space::SIZE];
    for done in 0..=writes.len() {
        let mut bytes = changed.iter().zip(&written).enumerate();
        if bytes.all(
            |(index, (changed, written))| match probe.byte(space::address(index)) {
                None => changed == written,
                // There may have been what was written.
                Some(_) => changed <= written,
            },
        ) {
            return Some(done);
        }
        let write = writes.get(done)?;
        written[space::index(write.address)?..][..write.len].fill(true);
    }
    None
}
