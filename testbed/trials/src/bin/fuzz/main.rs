// SPDX-License-Identifier: GPL-2.0

//! Makes random requests for the per-subflow options, and compares the results of two kernels.

mod generate;

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use generate::{Target, generate};
use mptcp_trials::abi::SUBFLOW_INFO_SIZE;
use mptcp_trials::prober::{self, Prober};
use mptcp_trials::records::{Compare, Recorder};
use mptcp_trials::subjects::{self, Role, Subject};

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
    /// Make blocks of requests, and record a digest of the results of each
    Digest {
        /// The seed of the first block; each block has the next seed
        #[arg(long)]
        seed: u64,
        /// The number of blocks
        #[arg(long)]
        blocks: u64,
        /// The number of requests in a block
        #[arg(long)]
        count: u64,
        /// The file to which a line is added for each block: its seed and its digest
        #[arg(long)]
        output: PathBuf,
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
        Command::Digest {
            seed,
            blocks,
            count,
            output,
        } => digest(seed, blocks, count, &output),
        Command::Compare(files) => Ok(compare(&files)),
    })
}

/// Of this program and the running kernel.
const TARGET: Target = Target {
    bits: usize::BITS,
    subflow_info: SUBFLOW_INFO_SIZE,
};

/// Identifies the requests: a 32-bit program cannot make all those that a 64-bit program can.
fn title(seed: u64, Target { bits, subflow_info }: Target) -> String {
    format!("{bits}-bit requests, mptcp_subflow_info of {subflow_info} bytes, seed {seed}")
}

/// The opposite of [`title()`].
fn parse_title(title: &str) -> Option<(u64, Target)> {
    let (bits, rest) = title.split_once("-bit requests, mptcp_subflow_info of ")?;
    let (subflow_info, seed) = rest.split_once(" bytes, seed ")?;
    let target = Target {
        bits: bits.parse().ok()?,
        subflow_info: subflow_info.parse().ok()?,
    };
    Some((seed.parse().ok()?, target))
}

/// What makes the requests of a seed, and to whom.
struct Run {
    prober: Prober,
    subjects: Vec<Subject>,
}

impl Run {
    fn new() -> Result<Self> {
        Ok(Self {
            prober: Prober::new().context("the addresses of the requests are taken")?,
            subjects: subjects::subjects()?,
        })
    }

    /// Makes the request number `n` of `seed`, and returns the result.
    fn one(&mut self, seed: u64, n: u64, roles: &[Role]) -> Result<String> {
        let (subject, probe) = generate(seed, n, TARGET, roles);
        Ok(self.prober.probe(probe, &mut self.subjects[subject])?)
    }

    /// Makes the first `count` requests of `seed`. Fails if a subject was not idle meanwhile.
    fn all(
        &mut self,
        seed: u64,
        count: u64,
        mut each: impl FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        let roles = Role::all();
        for n in 0..count {
            each(&self.one(seed, n, &roles)?)?;
        }
        for subject in &self.subjects {
            let changes = prober::changes(subject)?;
            let role = subject.role;
            ensure!(changes.is_empty(), "the {role} was not idle: {changes:?}");
        }
        Ok(())
    }
}

fn run(seed: u64, count: u64, output: &Path) -> Result<ExitCode> {
    let mut file = Recorder::new(output, &title(seed, TARGET))?;
    Run::new()?.all(seed, count, |result| file.line(result))?;
    file.end()?;
    Ok(ExitCode::SUCCESS)
}

/// The digest is for files of the same build of this program.
fn digest(seed: u64, blocks: u64, count: u64, output: &Path) -> Result<ExitCode> {
    let mut file = File::options().create(true).append(true).open(output)?;
    let mut run = Run::new()?;
    for seed in seed..seed + blocks {
        let mut digest = DefaultHasher::new();
        run.all(seed, count, |result| {
            result.hash(&mut digest);
            Ok(())
        })?;
        writeln!(file, "{seed} {:016x}", digest.finish())?;
        // In a guest, the host sees it only then.
        file.sync_data()?;
        println!("{seed}");
    }
    Ok(ExitCode::SUCCESS)
}

fn replay(seed: u64, n: u64) -> Result<ExitCode> {
    let roles = Role::all();
    let (subject, probe) = generate(seed, n, TARGET, &roles);
    println!("{}: {probe}", roles[subject]);
    println!("{}", Run::new()?.one(seed, n, &roles)?);
    Ok(ExitCode::SUCCESS)
}

fn compare(compare: &Compare) -> ExitCode {
    let roles = Role::all();
    compare.run("requests had the same result", |title, n| {
        let (seed, target) = parse_title(title).context("not a file of this program")?;
        let (subject, probe) = generate(seed, n, target, &roles);
        let role = roles[subject];
        Ok(format!("{title}, number {n}, to the {role}: {probe}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_can_be_parsed() {
        let target = Target {
            bits: 32,
            subflow_info: 260,
        };
        let parsed = parse_title(&title(7, target));
        assert!(matches!(
            parsed,
            Some((
                7,
                Target {
                    bits: 32,
                    subflow_info: 260
                }
            ))
        ));
        assert!(parse_title("requests with a fault").is_none());
    }
}
