// SPDX-License-Identifier: GPL-2.0

//! C against Rust: from what was measured to a table, a file and a plot.

mod measured;
mod plot;
mod table;
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use measured::{Boot, Each, Measured};
use mptcp_trials::request::Choice;
use serde::Serialize;

use crate::results::{Cost, Kind, Load, NOBODY, Name};
use crate::text::Text;

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
}

impl Figure {
    fn new(each: Each<f64>, target: Option<f64>) -> Self {
        let ratio = each.rust / each.c;
        Self {
            ratio,
            inline_ratio: each.inline / each.c,
            target,
            met: target.map(|target| ratio <= target),
            each,
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
    /// The requests of which that is too much.
    failed: Vec<String>,
}

/// Everything.
#[derive(Debug, Serialize)]
struct Report {
    requests: Vec<Request>,
    traced: Vec<Traced>,
    code: Code,
    loaded: Vec<Loaded>,
    /// Under KVM, where that works.
    loaded_kvm: Vec<Loaded>,
    repeat: Repeat,
}

/// Reports, and fails if the measurement does not repeat.
pub fn run(options: &Options) -> Result<ExitCode> {
    let measured = Each::new(|kernel| Measured::read(&options.results.join(kernel)))?;
    let report = Report {
        requests: requests(&measured)?,
        traced: traced(&measured)?,
        code: code(&options.objects)?,
        loaded: loaded(&measured, |kernel| &kernel.boots)?,
        loaded_kvm: loaded(&measured, |kernel| &kernel.kvm)?,
        repeat: repeat(&measured)?,
    };

    plot::draw(&report.requests, &options.svg).context("the plot cannot be drawn")?;
    let json = serde_json::to_string_pretty(&report)? + "\n";
    fs::write(&options.json, json).with_context(|| options.json.display().to_string())?;
    table::print(&report);
    Ok(ExitCode::from(u8::from(!report.repeat.failed.is_empty())))
}

fn requests(measured: &Each<Measured>) -> Result<Vec<Request>> {
    let costs = measured.c.boots[0].costs.iter();
    let mut requests = costs
        .map(|cost| {
            let (name, kind) = (&cost.name, cost.kind);
            let instructions = measured.try_map(|kernel| kernel.boots[0].cost(name))?;
            let nanoseconds = measured.try_map(|kernel| kernel.nanoseconds(name))?;
            Ok(Request {
                name: name.clone(),
                kind,
                instructions: Figure::new(instructions, targets::instructions(name, kind)),
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
            let figure = |f: fn(&_) -> u64, target| -> Result<Figure> {
                Ok(Figure::new(
                    traces.try_map(|trace| Ok(f(trace) as f64))?,
                    target,
                ))
            };
            Ok(Traced {
                name: name.clone(),
                stack: figure(|trace| trace.stack, Some(targets::STACK))?,
                locked: figure(|trace| trace.locked, None)?,
                functions: traces.try_map(|trace| Ok(trace.functions()))?,
            })
        })
        .collect()
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
    }
    Ok(repeat)
}
