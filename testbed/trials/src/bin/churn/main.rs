// SPDX-License-Identifier: GPL-2.0

//! Asks about the subflows of connections to which everything happens that can, and checks that each
//! answer agrees with itself.

mod director;
mod events;
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
use events::Events;
use network::Networks;
use slots::{Kind, Slot};

/// Asks about subflows while they come and go.
#[derive(Parser)]
struct Args {
    /// Subflows that have to come or go.
    #[arg(long, default_value_t = 10_000)]
    changes: usize,
    /// Seconds that this may take.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Threads that ask.
    #[arg(long, default_value_t = 3)]
    readers: usize,
    /// MPTCP connections at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// What happens in which order: the same for the same number.
    #[arg(long)]
    seed: Option<u64>,
}

/// What the threads share.
struct Shared {
    slots: Vec<Slot>,
    /// The slot where something is going on.
    scene: AtomicUsize,
    stop: AtomicBool,
    /// Answers that were checked.
    answered: AtomicUsize,
    /// Requests that were rightly refused, after a fallback.
    refused: AtomicUsize,
    /// Requests during which the connection was closed.
    raced: AtomicUsize,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut ktap = Ktap::new(5);
    ktap.note(format_args!(
        "churn --seed {seed}, at most {} s",
        args.seconds
    ));

    let networks = Networks::new()?;
    let events = Events::begin()?;
    let shared = Arc::new(Shared {
        slots: kinds(args.connections).map(Slot::new).collect(),
        scene: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        answered: AtomicUsize::new(0),
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
    let changes = count(&args, &events, &shared, is_over, &ktap);
    shared.stop.store(true, Ordering::Relaxed);
    drop(events);
    ktap.result(&format!("{} subflows come or go", args.changes), changes);
    let answers = readers
        .into_iter()
        .try_for_each(|reader| end("a reader", reader));
    ktap.result("each answer agrees with itself", answers);
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

/// Counts changes until there are enough, or it is over.
fn count(
    args: &Args,
    events: &Events,
    shared: &Shared,
    is_over: impl Fn() -> bool,
    ktap: &Ktap,
) -> Result<()> {
    /// Time between two lines that tell how far it is.
    const REPORT: Duration = Duration::from_secs(10);
    let begin = Instant::now();
    let mut reported = begin;
    let (mut established, mut closed) = (0, 0);
    loop {
        let (more, less) = events.wait(Duration::from_secs(1))?;
        established += more;
        closed += less;
        let changes = established + closed;
        let is_over =
            changes >= args.changes || is_over() || begin.elapsed().as_secs() >= args.seconds;
        let answered = shared.answered.load(Ordering::Relaxed);
        if is_over || reported.elapsed() >= REPORT {
            reported = Instant::now();
            ktap.note(format_args!(
                "{} s: {changes} changes ({established} subflows came, {closed} went), \
                 {answered} answers checked",
                begin.elapsed().as_secs()
            ));
        }
        if is_over {
            ktap.figure(changes, "subflow changes survived");
            ktap.figure(answered, "answers checked meanwhile");
            ensure!(changes >= args.changes, "only {changes}");
            return Ok(());
        }
    }
}

/// The result of a thread, which has been told to end.
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
