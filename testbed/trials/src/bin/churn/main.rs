// SPDX-License-Identifier: GPL-2.0

//! Makes requests to connections whose subflows come and go in every way, and checks that each result is
//! consistent.

mod director;
mod ip;
mod network;
mod reader;
mod slots;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use clap::Parser;
use fastrand::Rng;
use mptcp_trials::ktap::Ktap;
use mptcp_trials::net::wait_for;
use socket2::Protocol;

use director::Director;
use ip::Events;
use network::Networks;
use slots::{Kind, Slot};

/// Makes requests while subflows come and go, and checks that each result is consistent
#[derive(Parser)]
struct Args {
    /// The number of subflows that have to come or go
    #[arg(long, default_value_t = 10_000)]
    changes: usize,
    /// The number of seconds without any change after which the test fails
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// The number of threads that make requests
    #[arg(long, default_value_t = 3)]
    readers: usize,
    /// The number of MPTCP connections at a time
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// The seed of what happens, and of the requests
    #[arg(long)]
    seed: Option<u64>,
}

/// What the threads share.
struct Shared {
    slots: Vec<Slot>,
    /// The slot of which the connection changes now.
    changing: AtomicUsize,
    stop: AtomicBool,
    /// Results that were checked.
    checked: AtomicUsize,
    /// Requests that were refused, as they must be after a fallback.
    refused: AtomicUsize,
    /// Requests during which the connection was closed.
    raced: AtomicUsize,
}

fn main() -> ExitCode {
    mptcp_trials::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<ExitCode> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut ktap = Ktap::new(5);
    ktap.note(format_args!("churn --seed {seed}"));

    let networks = Networks::new()?;
    let events = Events::begin()?;
    let shared = Arc::new(Shared {
        slots: kinds(args.connections).map(Slot::new).collect(),
        changing: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        checked: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        raced: AtomicUsize::new(0),
    });
    let mut rng = Rng::with_seed(seed);
    let director = Director::new(Arc::clone(&shared), networks, rng.fork())?;
    let director = thread::spawn(move || director.run());
    let readers: Vec<_> = (0..args.readers)
        .map(|_| {
            let (shared, rng) = (Arc::clone(&shared), rng.fork());
            thread::spawn(move || reader::run(&shared, rng))
        })
        .collect();

    let is_over = || director.is_finished() || readers.iter().any(JoinHandle::is_finished);
    let changes = count(args, &events, &shared, is_over, &ktap);
    shared.stop.store(true, Ordering::Relaxed);
    drop(events);
    ktap.result(&format!("{} subflows come or go", args.changes), changes);
    let results = readers
        .into_iter()
        .try_for_each(|reader| end("a reader", reader));
    ktap.result("each result is consistent", results);
    match end("the director", director) {
        Ok((networks, done)) => {
            let raced = shared.raced.load(Ordering::Relaxed);
            let refused = shared.refused.load(Ordering::Relaxed);
            ktap.note(format_args!(
                "{done:?}, {refused} requests refused, {raced} during a close"
            ));
            let idle = done.iter().find(|(_, times)| **times == 0);
            let idle = idle
                .map(|(name, _)| *name)
                .or((refused == 0).then_some("fallbacks"));
            ktap.result(
                "everything happens",
                match idle {
                    Some(name) => Err(format!("no {name}: more changes are needed")),
                    None => Ok(()),
                },
            );
            ktap.result("no socket is left", networks.wait_for_no_sockets());
            ktap.result("the networks end", networks.remove());
        }
        Err(error) => {
            ktap.result("everything happens", Err(error));
        }
    }
    Ok(ktap.end())
}

/// Counts changes until there are enough, or a thread has ended, or nothing changes any more.
fn count(
    args: &Args,
    events: &Events,
    shared: &Shared,
    is_over: impl Fn() -> bool,
    ktap: &Ktap,
) -> Result<()> {
    /// Time between two lines that show the progress.
    const REPORT: Duration = Duration::from_secs(10);
    let begin = Instant::now();
    let [mut reported, mut changed] = [begin; 2];
    let (mut established, mut closed) = (0, 0);
    loop {
        let (more, less) = events.wait(Duration::from_secs(1))?;
        established += more;
        closed += less;
        let changes = established + closed;
        if more + less > 0 {
            changed = Instant::now();
        }
        let is_over =
            changes >= args.changes || is_over() || changed.elapsed().as_secs() >= args.seconds;
        let checked = shared.checked.load(Ordering::Relaxed);
        if is_over || reported.elapsed() >= REPORT {
            reported = Instant::now();
            ktap.note(format_args!(
                "{} s: {changes} changes ({established} subflows came, {closed} went), \
                 {checked} results checked",
                begin.elapsed().as_secs()
            ));
        }
        if is_over {
            ktap.figure(changes, "subflow changes survived");
            ktap.figure(checked, "results checked meanwhile");
            ensure!(changes >= args.changes, "only {changes}");
            return Ok(());
        }
    }
}

/// The result of a thread that is about to end.
fn end<T>(name: &str, thread: JoinHandle<Result<T>>) -> Result<T> {
    wait_for(&format!("{name} to return"), || {
        Ok(thread.is_finished().then_some(()))
    })?;
    thread.join().map_err(|_| anyhow!("{name} panicked"))?
}

fn kinds(connections: usize) -> impl Iterator<Item = Kind> {
    let kind = |n: usize, protocols| Kind {
        v6: n % 2 == 1,
        protocols,
    };
    let mptcp = (0..connections).map(move |n| kind(n, [Protocol::MPTCP; 2]));
    let fallback = [
        [Protocol::TCP, Protocol::MPTCP],
        [Protocol::MPTCP, Protocol::TCP],
    ];
    mptcp.chain((0..4).map(move |n| kind(n, fallback[n / 2])))
}
