// SPDX-License-Identifier: GPL-2.0

//! C against Rust: from what was measured to a table, a file and a plot.

mod measured;
mod plot;
mod table;
mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use measured::{Boot, Each, Measured};
use mptcp_trials::request::Choice;
use serde::Serialize;

use crate::lock::{self, Round, locking};
use crate::requests;
use crate::results::{Cost, Kind, Load, NOBODY, Name};
use crate::text::Text;
use crate::trace::Trace;

/// By what part two boots may differ.
const REPEATABLE: f64 = 0.005;

/// What to report, and where.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The folder with what the boots of each kernel left.
    results: PathBuf,
    /// The folder with each kernel's folder of objects.
    objects: PathBuf,
    /// The file for everything.
    #[arg(long)]
    json: PathBuf,
    /// The file for the plot.
    #[arg(long)]
    svg: PathBuf,
}

/// What kernels are compared by.
#[derive(Clone, Debug, Serialize)]
struct Figure {
    #[serde(flatten)]
    each: Each<f64>,
    /// Rust / C.
    ratio: f64,
    /// The same with inlined helpers.
    inline_ratio: f64,
    /// What the ratio may be at most.
    target: Option<f64>,
    met: Option<bool>,
    /// The same without what Rust saves by taking the connection's lock less often.
    #[serde(skip_serializing_if = "Option::is_none")]
    alike: Option<Alike>,
}

impl Figure {
    fn new(each: Each<f64>, target: Option<f64>) -> Self {
        let ratio = each.rust / each.c;
        Self {
            ratio,
            inline_ratio: each.inline / each.c,
            target,
            met: target.map(|target| ratio <= target),
            alike: None,
            each,
        }
    }
}

/// Rust compared with a C that takes the connection's lock as often: C's figure less the
/// instructions of the rounds of that lock that Rust saves.
#[derive(Clone, Debug, Serialize)]
struct Alike {
    /// The rounds of each.
    rounds: Each<Vec<Round>>,
    /// Instructions of the rounds that Rust saves.
    saved: u64,
    inline_saved: u64,
    /// Rust / (C - saved).
    ratio: f64,
    inline_ratio: f64,
    /// What the ratio may be at most.
    target: Option<f64>,
    met: Option<bool>,
}

impl Alike {
    fn new(each: &Each<f64>, rounds: Each<Vec<Round>>, target: Option<f64>) -> Self {
        let saved = |rounds_left| locking(&rounds.c).saturating_sub(locking(rounds_left));
        let (saved, inline_saved) = (saved(&rounds.rust), saved(&rounds.inline));
        let ratio = each.rust / (each.c - saved as f64);
        Self {
            saved,
            inline_saved,
            ratio,
            inline_ratio: each.inline / (each.c - inline_saved as f64),
            target,
            met: target.map(|target| ratio <= target),
            rounds,
        }
    }
}

/// A request.
#[derive(Debug, Serialize)]
struct Request {
    #[serde(flatten)]
    name: Name,
    kind: Kind,
    instructions: Figure,
    /// Under KVM, where that works.
    nanoseconds: Option<Figure>,
}

/// What was seen of a request, instruction by instruction.
#[derive(Debug, Serialize)]
struct Traced {
    #[serde(flatten)]
    name: Name,
    /// Bytes of stack below the caller of the dispatcher, at the deepest.
    stack: Figure,
    /// Instructions while the lock of the connection was held.
    locked: Figure,
    /// Instructions by function.
    functions: Each<BTreeMap<String, u64>>,
}

/// How deep the stack gets, from the dispatcher down.
#[derive(Debug, Serialize)]
struct Stack {
    option: String,
    bytes: Figure,
}

/// The code of each implementation.
#[derive(Debug, Serialize)]
struct Code {
    bytes: Figure,
    rust: Text,
    inline: Text,
}

/// A reader beside a connection at full speed: the middle of what was measured.
#[derive(Debug, Serialize)]
struct Loaded {
    reader: String,
    /// Calls per second.
    answers: Figure,
    /// MB per second that arrive.
    throughput: Figure,
    /// By how many percent that is less than without a reader.
    lost: Each<f64>,
}

/// How well it repeats.
#[derive(Debug, Serialize)]
struct Repeat {
    /// By what part two boots differ at most.
    difference: f64,
    /// Instructions of a round of the connection's lock, by the function that takes it: one number
    /// each, as long as nobody else wants the lock and nothing arrives for the connection.
    rounds: BTreeMap<String, BTreeSet<u64>>,
    /// What does not repeat.
    failed: Vec<String>,
}

/// Everything.
#[derive(Debug, Serialize)]
struct Report {
    requests: Vec<Request>,
    traced: Vec<Traced>,
    stacks: Vec<Stack>,
    code: Code,
    loaded: Vec<Loaded>,
    /// Under KVM, where that works.
    loaded_kvm: Vec<Loaded>,
    repeat: Repeat,
}

/// Reports, and fails if a target is missed or the measurement does not repeat.
pub fn run(options: &Options) -> Result<()> {
    let measured = Each::new(|kernel| Measured::read(&options.results.join(kernel)))?;
    let traced = traced(&measured)?;
    let report = Report {
        requests: requests(&measured)?,
        stacks: stacks(&traced),
        traced,
        code: code(&options.objects)?,
        loaded: loaded(&measured, |kernel| &kernel.boots)?,
        loaded_kvm: loaded(&measured, |kernel| &kernel.kvm)?,
        repeat: repeat(&measured)?,
    };

    plot::draw(&report.requests, &options.svg).context("the plot cannot be drawn")?;
    let json = serde_json::to_string_pretty(&report)? + "\n";
    fs::write(&options.json, json).with_context(|| options.json.display().to_string())?;
    let missed = table::print(&report);
    println!(
        "all figures are in {}, a plot in {}",
        options.json.display(),
        options.svg.display()
    );

    let unsteady = report.repeat.failed.len();
    ensure!(
        missed + unsteady == 0,
        "{missed} targets are missed, {unsteady} measurements do not repeat: the table says which"
    );
    Ok(())
}

fn requests(measured: &Each<Measured>) -> Result<Vec<Request>> {
    let costs = measured.c.boots[0].costs.iter();
    let mut requests = costs
        .map(|cost| {
            let (name, kind) = (&cost.name, cost.kind);
            let target = targets::request(name, kind);
            let instructions = measured.try_map(|kernel| kernel.boots[0].cost(name))?;
            let nanoseconds = measured.try_map(|kernel| kernel.nanoseconds(name))?;
            let mut instructions = Figure::new(instructions, target.map(|target| target.ratio));
            if let Some(traced) = requests::traced(name, kind) {
                let rounds =
                    measured.try_map(|kernel| Ok(kernel.trace(&traced)?.rounds.clone()))?;
                let target = target.and_then(|target| target.alike);
                instructions.alike = Some(Alike::new(&instructions.each, rounds, target));
            }
            Ok(Request {
                name: name.clone(),
                kind,
                instructions,
                nanoseconds: nanoseconds.all().map(|each| Figure::new(each, None)),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    requests.sort_by_key(|request| {
        let options = Choice::ALL.map(Choice::name);
        let option = options
            .iter()
            .position(|option| **option == request.name.option);
        (option, request.name.subflows)
    });
    Ok(requests)
}

fn traced(measured: &Each<Measured>) -> Result<Vec<Traced>> {
    let names = measured.c.traces.iter().map(|(name, _)| name);
    names
        .map(|name| {
            let traces = measured.try_map(|kernel| kernel.trace(name))?;
            let figure = |f: fn(&Trace) -> u64| -> Result<Figure> {
                let each = traces.try_map(|trace| Ok(f(trace) as f64))?;
                Ok(Figure::new(each, None))
            };
            Ok(Traced {
                name: name.clone(),
                stack: figure(|trace| trace.stack)?,
                locked: figure(Trace::locked)?,
                functions: traces.try_map(|trace| Ok(trace.functions()))?,
            })
        })
        .collect()
}

/// The deepest stack of each option.
fn stacks(traced: &[Traced]) -> Vec<Stack> {
    let deepest = |option: Choice| {
        let of_option = traced
            .iter()
            .filter(|traced| traced.name.option == option.name());
        let stacks = of_option.map(|traced| traced.stack.each);
        let deepest = stacks.reduce(|a, b| Each {
            c: a.c.max(b.c),
            rust: a.rust.max(b.rust),
            inline: a.inline.max(b.inline),
        })?;
        Some(Stack {
            option: option.name().to_owned(),
            bytes: Figure::new(deepest, Some(targets::STACK)),
        })
    };
    Choice::ALL.into_iter().filter_map(deepest).collect()
}

fn code(objects: &Path) -> Result<Code> {
    let [c, rust, inline] = ["c", "rust", "inline-rust"].map(|kernel| objects.join(kernel));
    let (rust, inline) = (Text::compare(&c, &rust)?, Text::compare(&c, &inline)?);
    let each = Each {
        c: rust.c.values().sum::<i64>() as f64,
        rust: rust.rust.values().sum::<i64>() as f64,
        inline: inline.rust.values().sum::<i64>() as f64,
    };
    Ok(Code {
        bytes: Figure::new(each, Some(targets::TEXT)),
        rust,
        inline,
    })
}

fn loaded(measured: &Each<Measured>, boots: fn(&Measured) -> &[Boot]) -> Result<Vec<Loaded>> {
    let loads = measured.try_map(|kernel| Ok(Boot::loads(boots(kernel))))?;
    let names = loads.c.keys().map(|name| &**name);
    names
        .map(|reader| {
            let middle = |f: fn(&Load, &Load) -> f64| {
                loads.try_map(|loads| {
                    let [with, without] = [reader, NOBODY].map(|reader| loads.get(reader));
                    let pairs = with
                        .into_iter()
                        .flatten()
                        .zip(without.into_iter().flatten());
                    let values = pairs.map(|(with, without)| f(with, without));
                    median(values)
                        .with_context(|| format!("not every kernel had the reader {reader}"))
                })
            };
            Ok(Loaded {
                reader: reader.to_owned(),
                answers: Figure::new(middle(|load, _| load.answers)?, None),
                throughput: Figure::new(middle(|load, _| load.throughput / 1e6)?, None),
                lost: middle(|load, none| 100.0 * (1.0 - load.throughput / none.throughput))?,
            })
        })
        .collect()
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn repeat(measured: &Each<Measured>) -> Result<Repeat> {
    let mut repeat = Repeat {
        difference: 0.0,
        rounds: BTreeMap::new(),
        failed: Vec::new(),
    };
    for (kernel, measured) in [
        ("C", &measured.c),
        ("Rust", &measured.rust),
        ("inlined", &measured.inline),
    ] {
        let [first, second] = &measured.boots;
        for Cost { name, cost, .. } in &first.costs {
            let difference = (second.cost(name)? / cost - 1.0).abs();
            repeat.difference = repeat.difference.max(difference);
            if difference > REPEATABLE {
                repeat
                    .failed
                    .push(format!("{kernel}: {name}, by {:.1} %", difference * 100.0));
            }
        }
        for (name, trace) in &measured.traces {
            let elsewhere = Name {
                subflows: 1,
                ..name.clone()
            };
            if !lock::alike(&trace.rounds, &measured.trace(&elsewhere)?.rounds) {
                repeat.failed.push(format!(
                    "{kernel}: {name} does not lock as with one subflow"
                ));
            }
        }
        for round in measured.traces.iter().flat_map(|(_, trace)| &trace.rounds) {
            let rounds = repeat.rounds.entry(round.lock.clone()).or_default();
            rounds.insert(round.instructions);
        }
    }
    for (lock, rounds) in &repeat.rounds {
        if rounds.len() > 1 {
            let failed = format!("a round of {lock}() took {rounds:?} instructions");
            repeat.failed.push(failed);
        }
    }
    Ok(repeat)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(instructions: &[u64]) -> Vec<Round> {
        let round = |instructions: &u64| Round {
            lock: "lock_sock_nested".to_owned(),
            caller: "mptcp_getsockopt".to_owned(),
            instructions: *instructions,
            held: 1000,
        };
        instructions.iter().map(round).collect()
    }

    fn alike(each: Each<f64>, rounds: Each<Vec<Round>>) -> Alike {
        Alike::new(&each, rounds, Some(1.0))
    }

    #[test]
    fn what_rust_does_without_is_off_the_cost_of_c() {
        let each = Each {
            c: 1000.0,
            rust: 800.0,
            inline: 600.0,
        };
        let fewer = alike(
            each,
            Each {
                c: rounds(&[100, 20, 80]),
                rust: rounds(&[100]),
                inline: rounds(&[]),
            },
        );
        assert_eq!((fewer.saved, fewer.inline_saved), (100, 200));
        assert_eq!((fewer.ratio, fewer.met), (800.0 / 900.0, Some(true)));
        assert_eq!(fewer.inline_ratio, 600.0 / 800.0);
    }

    #[test]
    fn what_rust_does_besides_is_its_own_cost() {
        let each = Each {
            c: 500.0,
            rust: 510.0,
            inline: 500.0,
        };
        let more = alike(
            each,
            Each {
                c: rounds(&[100]),
                rust: rounds(&[100, 100]),
                inline: rounds(&[100]),
            },
        );
        assert_eq!((more.saved, more.inline_saved), (0, 0));
        assert_eq!((more.ratio, more.met), (510.0 / 500.0, Some(false)));
    }
}
