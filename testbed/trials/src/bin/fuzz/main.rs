// SPDX-License-Identifier: GPL-2.0

//! Asks for the options about subflows in every way, as a seed says, and compares what two kernels
//! answered.

mod generate;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use generate::generate;
use mptcp_trials::answer::{self, Asker};
use mptcp_trials::cast::{self, Role};
use mptcp_trials::records::{Compare, Recorder};

/// Asks for the options about subflows in every way, and compares what two kernels answered
#[derive(Parser)]
enum Command {
    /// Ask the running kernel
    Run {
        /// Which requests
        #[arg(long)]
        seed: u64,
        /// How many
        #[arg(long, default_value_t = 1000)]
        count: u64,
        /// Make the request with this number alone, and show it
        #[arg(long, conflicts_with_all = ["count", "output"])]
        only: Option<u64>,
        /// The file for the answers, a line each
        #[arg(long, required_unless_present = "only")]
        output: Option<PathBuf>,
    },
    /// Show where the results of two kernels differ
    Compare(Compare),
}

fn main() -> ExitCode {
    mptcp_trials::exit(match Command::parse() {
        Command::Run {
            seed,
            only: Some(n),
            ..
        } => replay(seed, n),
        Command::Run {
            seed,
            count,
            output,
            ..
        } => run(seed, count, &output.expect("clap requires it")),
        Command::Compare(files) => Ok(compare(&files)),
    })
}

/// Which requests: a 32-bit program cannot make every one that a 64-bit program can.
fn title(seed: u64, bits: u32) -> String {
    format!("{bits}-bit requests of seed {seed}")
}

fn run(seed: u64, count: u64, output: &Path) -> Result<ExitCode> {
    let mut asker = Asker::new().context("the addresses of the requests are taken")?;
    let mut actors = cast::actors()?;
    let roles = Role::all();
    let mut file = Recorder::new(output, &title(seed, usize::BITS))?;
    for n in 0..count {
        let (actor, probe) = generate(seed, n, usize::BITS, &roles);
        file.line(&asker.ask(probe, &mut actors[actor])?)?;
    }
    file.end()?;
    for actor in &actors {
        let changes = answer::changes(actor)?;
        let role = actor.role;
        ensure!(
            changes.is_empty(),
            "the {role} has not been silent: {changes:?}"
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn replay(seed: u64, n: u64) -> Result<ExitCode> {
    let mut asker = Asker::new().context("the addresses of the requests are taken")?;
    let mut actors = cast::actors()?;
    let (actor, probe) = generate(seed, n, usize::BITS, &Role::all());
    println!("{}: {probe}", actors[actor].role);
    println!("{}", asker.ask(probe, &mut actors[actor])?);
    Ok(ExitCode::SUCCESS)
}

fn compare(compare: &Compare) -> ExitCode {
    let roles = Role::all();
    compare.run("requests had the same result", |title, n| {
        let (bits, seed) = title
            .split_once("-bit requests of seed ")
            .context("not a file of this program")?;
        let (actor, probe) = generate(seed.parse()?, n, bits.parse()?, &roles);
        let role = roles[actor];
        Ok(format!("{title}, number {n}, to the {role}: {probe}"))
    })
}
