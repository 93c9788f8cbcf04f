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
use mptcp_trials::request::SockOpt;
use serde::Serialize;

use crate::lock::{self, Round, locking};
use crate::requests;
use crate::results::{Cost, Load, NOBODY, Name};
use crate::text::Text;

/// The part by which two boots may differ.
const REPEATABLE: f64 = 0.005;

/// What to report, and where to.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The folder with a folder of results for each kernel
    results: PathBuf,
    /// The folder with a folder of objects for each kernel
    objects: PathBuf,
    /// The file for all figures
    #[arg(long)]
    json: PathBuf,
    /// The file for the plot
    #[arg(long)]
    svg: PathBuf,
}

/// Rust relative to C.
#[derive(Clone, Debug, Serialize)]
struct Ratio {
    rust: f64,
    /// With inlined helpers.
    inline: f64,
    /// What `rust` may be at most.
    target: Option<f64>,
}

impl Ratio {
    /// Whether the target is met, if there is one.
    fn met(&self) -> Option<bool> {
        self.target.map(|target| self.rust <= target)
    }
}

/// A figure of each kernel.
#[derive(Clone, Debug, Serialize)]
struct Row {
    name: String,
    #[serde(flatten)]
    each: Each<f64>,
    ratio: Ratio,
    #[serde(skip_serializing_if = "Option::is_none")]
    alike: Option<Alike>,
}

impl Row {
    fn new(name: &str, each: Each<f64>, target: Option<f64>) -> Self {
        let ratio = Ratio {
            rust: each.rust / each.c,
            inline: each.inline / each.c,
            target,
        };
        Self {
            name: name.to_owned(),
            each,
            ratio,
            alike: None,
        }
    }
}

/// Rust compared with a C that takes the connection's lock as often: C's figure less the
/// instructions of the rounds of that lock that Rust saves.
#[derive(Clone, Debug, Serialize)]
struct Alike {
    /// Instructions of the rounds that Rust saves.
    saved: u64,
    /// Rust / (C - saved).
    ratio: Ratio,
}

impl Alike {
    fn new(each: &Each<f64>, rounds: &Each<Vec<Round>>, target: Option<f64>) -> Self {
        let saved = |left: &[Round]| locking(&rounds.c).saturating_sub(locking(left));
        let ratio = |rust: f64, left: &[Round]| rust / (each.c - saved(left) as f64);
        Self {
            saved: saved(&rounds.rust),
            ratio: Ratio {
                rust: ratio(each.rust, &rounds.rust),
                inline: ratio(each.inline, &rounds.inline),
                target,
            },
        }
    }
}

/// Rows of the same unit.
#[derive(Debug, Serialize)]
struct Section {
    title: String,
    rows: Vec<Row>,
}

/// What a request costs.
#[derive(Debug)]
struct Request {
    name: Name,
    instructions: Row,
    /// Under KVM, where that works.
    nanoseconds: Option<Row>,
}

/// How well it repeats.
#[derive(Debug, Serialize)]
struct Repeat {
    /// The part by which two boots differ at most.
    difference: f64,
    /// Instructions of a round of the connection's lock, by the function that takes it. Each function
    /// has one number, unless something else uses the lock, or a segment arrives.
    rounds: BTreeMap<String, BTreeSet<u64>>,
    /// What does not repeat.
    failed: Vec<String>,
}

/// Everything.
#[derive(Debug, Serialize)]
struct Report {
    sections: Vec<Section>,
    /// The code of each implementation, by function.
    code: [Text; 2],
    repeat: Repeat,
}

/// Reports, and fails if a target is missed or the measurement does not repeat.
pub fn run(options: &Options) -> Result<()> {
    let measured = Each::new(|kernel| Measured::read(&options.results.join(kernel)))?;
    let requests = requests(&measured)?;
    plot::draw(&requests, &options.svg).context("the plot cannot be drawn")?;

    let instructions = |request: &Request| Some(request.instructions.clone());
    let mut sections = grouped(&requests, "instructions per call", instructions);
    let (bytes, code) = code(&options.objects)?;
    sections.extend([stack(&measured)?, bytes, locked(&measured)?]);
    sections.extend(load(&measured, |kernel| &kernel.boots, "")?);
    if measured.c.kvm.is_empty() {
        sections.push(Section {
            title: "under KVM: not available here".to_owned(),
            rows: Vec::new(),
        });
    } else {
        let nanoseconds = |request: &Request| request.nanoseconds.clone();
        sections.extend(grouped(
            &requests,
            "nanoseconds per call, under KVM",
            nanoseconds,
        ));
        sections.extend(load(&measured, |kernel| &kernel.kvm, ", under KVM")?);
    }
    let report = Report {
        sections,
        code,
        repeat: repeat(&measured)?,
    };

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

/// All requests, by option and number of subflows.
fn requests(measured: &Each<Measured>) -> Result<Vec<Request>> {
    let costs = measured.c.boots[0].costs.iter();
    let mut requests = costs
        .map(|Cost { name, kind, .. }| {
            let target = targets::request(name, *kind);
            let each = measured.try_map(|kernel| kernel.boots[0].cost(name))?;
            let mut instructions = Row::new(&name.request, each, target.map(|target| target.ratio));
            if let Some(traced) = requests::traced(name, *kind) {
                let rounds =
                    measured.try_map(|kernel| Ok(kernel.trace(&traced)?.rounds.clone()))?;
                let target = target.and_then(|target| target.alike);
                instructions.alike = Some(Alike::new(&each, &rounds, target));
            }
            let nanoseconds = measured.try_map(|kernel| kernel.nanoseconds(name))?.all();
            Ok(Request {
                name: name.clone(),
                instructions,
                nanoseconds: nanoseconds.map(|each| Row::new(&name.request, each, None)),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    requests.sort_by_key(|Request { name, .. }| {
        let option = SockOpt::ALL.iter().position(|it| it.name() == name.option);
        (option, name.subflows)
    });
    Ok(requests)
}

/// A section for each option and number of subflows.
fn grouped(
    requests: &[Request],
    unit: &str,
    row: impl Fn(&Request) -> Option<Row>,
) -> Vec<Section> {
    let group = |request: &Request| (request.name.option.clone(), request.name.subflows);
    let groups = requests.chunk_by(|a, b| group(a) == group(b));
    let section = |requests: &[Request]| Section {
        title: match group(&requests[0]) {
            (option, 0) => format!("{option}: {unit}"),
            (option, 1) => format!("{option}, 1 subflow: {unit}"),
            (option, subflows) => format!("{option}, {subflows} subflows: {unit}"),
        },
        rows: requests.iter().filter_map(&row).collect(),
    };
    groups.map(section).collect()
}

/// The deepest stack of each option.
fn stack(measured: &Each<Measured>) -> Result<Section> {
    let deepest = |option: SockOpt| {
        let each = measured.try_map(|kernel| {
            let traces = kernel.traces.iter();
            let of_option = traces.filter(|(name, _)| name.option == option.name());
            let stacks = of_option.map(|(_, trace)| trace.stack as f64);
            stacks
                .reduce(f64::max)
                .with_context(|| format!("no request for {} was traced", option.name()))
        })?;
        Ok(Row::new(option.name(), each, Some(targets::STACK)))
    };
    Ok(Section {
        title: "bytes of stack, from mptcp_getsockopt() down".to_owned(),
        rows: SockOpt::ALL
            .into_iter()
            .map(deepest)
            .collect::<Result<_>>()?,
    })
}

fn locked(measured: &Each<Measured>) -> Result<Section> {
    let names = measured.c.traces.iter().map(|(name, _)| name);
    let full = names.filter(|name| name.request == requests::FULL && name.subflows == 1);
    let row = |name: &Name| {
        let each = measured.try_map(|kernel| Ok(kernel.trace(name)?.locked() as f64))?;
        Ok(Row::new(&name.to_string(), each, None))
    };
    Ok(Section {
        title: "instructions with the lock of the connection held".to_owned(),
        rows: full.map(row).collect::<Result<_>>()?,
    })
}

/// The size of the code, and the code of Rust with helpers called and inlined.
fn code(objects: &Path) -> Result<(Section, [Text; 2])> {
    let [c, rust, inline] = ["c", "rust", "inline-rust"].map(|kernel| objects.join(kernel));
    let (rust, inline) = (Text::compare(&c, &rust)?, Text::compare(&c, &inline)?);
    let each = Each {
        c: rust.c.values().sum::<i64>() as f64,
        rust: rust.rust.values().sum::<i64>() as f64,
        inline: inline.rust.values().sum::<i64>() as f64,
    };
    let name = "of the implementation, helpers included";
    let section = Section {
        title: "bytes of code".to_owned(),
        rows: vec![Row::new(name, each, Some(targets::TEXT))],
    };
    Ok((section, [rust, inline]))
}

/// Readers beside a connection at full speed: the middle of what was measured.
fn load(
    measured: &Each<Measured>,
    boots: fn(&Measured) -> &[Boot],
    place: &str,
) -> Result<Vec<Section>> {
    let loads = measured.try_map(|kernel| Ok(Boot::loads(boots(kernel))))?;
    let row = |reader: &str, figure: fn(&Load, &Load) -> f64| {
        let each = loads.try_map(|loads| {
            let of = |reader| loads.get(reader).into_iter().flatten();
            let values = of(reader).zip(of(NOBODY));
            median(values.map(|(with, without)| figure(with, without)))
                .with_context(|| format!("not every kernel had the reader {reader}"))
        })?;
        Ok(Row::new(reader, each, None))
    };
    let readers = loads.c.keys().filter(|reader| *reader != NOBODY);
    let section = |title: &str, figure: fn(&Load, &Load) -> f64| {
        anyhow::Ok(Section {
            title: format!("{title}{place}"),
            rows: readers
                .clone()
                .map(|reader| row(reader, figure))
                .collect::<Result<_>>()?,
        })
    };
    Ok(vec![
        section(
            "calls per second beside a connection at full speed, of",
            |with, _| with.calls,
        )?,
        section(
            "% of the speed of that connection that is left with these calls",
            |with, without| 100.0 * with.throughput / without.throughput,
        )?,
        Section {
            title: format!("MB per second over that connection{place}"),
            rows: vec![row(NOBODY, |with, _| with.throughput / 1e6)?],
        },
    ])
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

    #[test]
    fn a_saved_round_is_off_the_cost_of_c() {
        let each = Each {
            c: 1000.0,
            rust: 800.0,
            inline: 600.0,
        };
        let rounds = Each {
            c: rounds(&[100, 20, 80]),
            rust: rounds(&[100]),
            inline: rounds(&[]),
        };
        let Alike { saved, ratio } = Alike::new(&each, &rounds, Some(1.0));
        assert_eq!((saved, ratio.rust), (100, 800.0 / 900.0));
        assert_eq!(ratio.inline, 600.0 / 800.0);
        assert_eq!(ratio.met(), Some(true));
    }

    #[test]
    fn another_round_is_a_cost_of_rust() {
        let each = Each {
            c: 500.0,
            rust: 510.0,
            inline: 500.0,
        };
        let rounds = Each {
            c: rounds(&[100]),
            rust: rounds(&[100, 100]),
            inline: rounds(&[100]),
        };
        let Alike { saved, ratio } = Alike::new(&each, &rounds, Some(1.0));
        assert_eq!((saved, ratio.rust), (0, 510.0 / 500.0));
        assert_eq!(ratio.met(), Some(false));
    }
}
