// SPDX-License-Identifier: GPL-2.0

//! Makes random requests for the per-subflow options, and compares the results of two kernels.

mod generate;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use generate::generate;
use mptcp_trials::prober::{self, Prober};
use mptcp_trials::records::{Compare, Recorder};
use mptcp_trials::subjects::{self, Role};

/// Makes random requests for the per-subflow options, and compares the results of two kernels
#[derive(Parser)]
enum Command {
    /// Make requests to the running kernel
    Run {
        /// The seed of the requests
        #[arg(long)]
        seed: u64,
        /// The number of requests
        #[arg(long, default_value_t = 1000)]
        count: u64,
        /// Make only the request with this number, and show it
        #[arg(long, conflicts_with_all = ["count", "output"])]
        only: Option<u64>,
        /// The file for the results
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

/// Identifies the requests: a 32-bit program cannot make all those that a 64-bit program can.
fn title(seed: u64, bits: u32) -> String {
    format!("{bits}-bit requests of seed {seed}")
}

fn run(seed: u64, count: u64, output: &Path) -> Result<ExitCode> {
    let mut prober = Prober::new().context("the addresses of the requests are taken")?;
    let mut subjects = subjects::subjects()?;
    let roles = Role::all();
    let mut file = Recorder::new(output, &title(seed, usize::BITS))?;
    for n in 0..count {
        let (subject, probe) = generate(seed, n, usize::BITS, &roles);
        file.line(&prober.probe(probe, &mut subjects[subject])?)?;
    }
    file.end()?;
    for subject in &subjects {
        let changes = prober::changes(subject)?;
        let role = subject.role;
        ensure!(changes.is_empty(), "the {role} was not idle: {changes:?}");
    }
    Ok(ExitCode::SUCCESS)
}

fn replay(seed: u64, n: u64) -> Result<ExitCode> {
    let mut prober = Prober::new().context("the addresses of the requests are taken")?;
    let mut subjects = subjects::subjects()?;
    let (subject, probe) = generate(seed, n, usize::BITS, &Role::all());
    println!("{}: {probe}", subjects[subject].role);
    println!("{}", prober.probe(probe, &mut subjects[subject])?);
    Ok(ExitCode::SUCCESS)
}

fn compare(compare: &Compare) -> ExitCode {
    let roles = Role::all();
    compare.run("requests had the same result", |title, n| {
        let (bits, seed) = title
            .split_once("-bit requests of seed ")
            .context("not a file of this program")?;
        let (subject, probe) = generate(seed.parse()?, n, bits.parse()?, &roles);
        let role = roles[subject];
        Ok(format!("{title}, number {n}, to the {role}: {probe}"))
    })
}
