// SPDX-License-Identifier: GPL-2.0

//! Makes each access to user memory fail, and checks the result and the connection.

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
use mptcp_trials::ktap::Ktap;
use mptcp_trials::net::{self, Connection, Family, PATIENCE};
use mptcp_trials::probe::{Probe, Write, writes};
use mptcp_trials::prober::Prober;
use mptcp_trials::records::{Compare, Recorder};
use mptcp_trials::request::{Snapshot, SockOpt};
use mptcp_trials::space::{self, Space};
use mptcp_trials::subjects::{self, State};

/// Makes each access to user memory fail, and checks the result and the connection
#[derive(Parser)]
enum Command {
    /// Make accesses fail by pages that cannot be accessed
    Pages {
        /// The file for the results
        #[arg(long)]
        output: PathBuf,
    },
    /// Make accesses fail by the kernel's fault injection, which only the debug kernel has
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
    let mut prober = Prober::new().context("the addresses of the requests are taken")?;
    // The results of these sockets can be compared with another kernel's.
    let mut silent = subjects::subjects()?;
    silent.retain(|subject| subject.role.state == State::Connected(SUBFLOWS));
    net::own_network(SUBFLOWS.into())?;
    let mut file = Recorder::new(output, "requests with a fault")?;
    let mut ktap = Ktap::new(Family::ALL.len() * SockOpt::ALL.len());
    let mut faults = 0;
    let mut fails = |access: &str, probe: &Probe, family| {
        for subject in silent
            .iter_mut()
            .filter(|subject| subject.role.family == family)
        {
            let reply = prober.probe(probe.clone(), subject)?;
            ensure!(
                reply.starts_with(&format!("-{}", libc::EFAULT)),
                "the result is {reply}"
            );
            faults += 2;
            file.line(&format!(
                "{}, {}, {access}: {reply}",
                subject.role,
                probe.name()
            ))?;
        }
        let connection = Connection::with_subflows(family, SUBFLOWS.into())?;
        for socket in [&connection.client, &connection.server] {
            probe.put(&mut prober.space, probe.fill)?;
            let ret = probe.make(&mut prober.space, socket)?;
            ensure!(ret == -libc::EFAULT, "the call returned {ret}");
            faults += 1;
        }
        goes_on(connection)
    };

    for family in Family::ALL {
        for option in SockOpt::ALL {
            let result = cases(option).iter().try_for_each(|(access, probe)| {
                fails(access, probe, family).with_context(|| access.clone())
            });
            ktap.result(&format!("faults: {family:?}, {}", option.name()), result);
        }
    }
    file.end()?;
    ktap.figure(faults, "faults by pages");
    Ok(ktap.end())
}

/// Checks that a connection still works, and ends.
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
        .map_err(|_| anyhow!("a call for the socket does not return within {PATIENCE:?}"))?
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
    let mut ktap = Ktap::new(Family::ALL.len() * SockOpt::ALL.len());
    let mut faults = 0;

    for family in Family::ALL {
        for option in SockOpt::ALL {
            let probe = plain(option);
            let result = each_fails(&mut space, &probe, &nth, family).map(|written| {
                faults += 2 * written.len();
                ktap.note(format_args!("writes before each failure: {written:?}"));
            });
            ktap.result(&format!("inject: {family:?}, {}", option.name()), result);
        }
    }
    ktap.figure(faults, "faults injected");
    Ok(ktap.end())
}

/// The copies before those of the option: the socket layer reads optlen, and ignores a fault.
const IGNORED: usize = 1;

/// Makes one copy after the other fail, until none is left. Returns the number of writes before each
/// failure.
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
            let before = space.image(fill);
            nth.write_at(n.to_string().as_bytes(), 0)?;
            let ret = probe.make(space, &connection.client)?;
            injected = is_injected(nth);
            for (index, [before, after]) in space::changed(&[before, space.image(fill)]) {
                changed[index] |= before != after;
            }
            let expected = if injected { -libc::EFAULT } else { 0 };
            ensure!(
                ret == expected,
                "the call returned {ret}, and that copy {n} failed is {injected}"
            );
        }
        if !injected {
            ensure!(!failed.is_empty(), "no copy failed");
            // At most once: the header is read before the first write, and each write is one copy.
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
            format!("when copy {n} fails, what is written is not the beginning of the result: {changed:x?}")
        })?;
        goes_on(connection).with_context(|| format!("when copy {n} fails"))?;
        failed.push(done);
    }
}

/// Whether the fault was injected. If it was not, it may be here.
fn is_injected(nth: &File) -> bool {
    let mut left = [0; 8];
    let injected = nth.read_at(&mut left, 0).is_ok() && left.starts_with(b"0\n");
    let _ = nth.write_at(b"0", 0);
    injected
}

/// How many of the writes change these bytes. `None` if there is no such number.
fn beginning(changed: &[bool], writes: &[Write], probe: &Probe) -> Option<usize> {
    let mut written = vec![false; space::SIZE];
    for done in 0..=writes.len() {
        let mut bytes = changed.iter().zip(&written).enumerate();
        if bytes.all(
            |(index, (changed, written))| match probe.byte(space::address(index)) {
                None => changed == written,
                // A byte of the request may have been the same before.
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
