// SPDX-License-Identifier: GPL-2.0

//! The table.

use super::measured::Each;
use super::{Figure, Loaded, REPEATABLE, Report, Request, Stack, Traced};
use crate::requests::FULL;

/// Prints it, and returns how many targets are missed.
pub fn print(report: &Report) -> usize {
    println!(
        "{:39} {:>7} {:>7} {:>6}  {:>7} {:6}  {:>5} {:>6}  {:>7} {:6}  {:>7} {:>6} {:>6}",
        "",
        "C",
        "Rust",
        "ratio",
        "at most",
        "",
        "saved",
        "alike",
        "at most",
        "",
        "inlined",
        "ratio",
        "alike"
    );
    requests("instructions per call", report, |request| {
        Some(&request.instructions)
    });
    title("bytes of stack, from mptcp_getsockopt() down");
    for Stack { option, bytes } in &report.stacks {
        line(option, bytes);
    }
    title("bytes of code");
    line(
        "of the implementation, helpers included",
        &report.code.bytes,
    );
    title("instructions with the lock of the connection held");
    for Traced { name, locked, .. } in &report.traced {
        if name.request == FULL && name.subflows == 1 {
            line(&name.to_string(), locked);
        }
    }
    loaded(&report.loaded);

    if report.loaded_kvm.is_empty() {
        title("under KVM: not available here");
    } else {
        requests("nanoseconds per call, under KVM", report, |request| {
            request.nanoseconds.as_ref()
        });
        title("under KVM:");
        loaded(&report.loaded_kvm);
    }
    summary(report)
}

fn title(text: &str) {
    println!("\n{text}");
}

fn line(name: &str, figure: &Figure) {
    let Each { c, rust, inline } = figure.each;
    let (ratio, inline_ratio) = (figure.ratio, figure.inline_ratio);
    let at_most = at_most(figure.target, figure.met);
    let (saved, inline_alike) = match &figure.alike {
        Some(alike) => (
            format!(
                "{:5} {:6.3}  {}",
                alike.saved,
                alike.ratio,
                self::at_most(alike.target, alike.met)
            ),
            format!("{:6.3}", alike.inline_ratio),
        ),
        None => Default::default(),
    };
    let line = format!(
        "{name:39} {c:7.0} {rust:7.0} {ratio:6.3}  {at_most}  {saved:28}  {inline:7.0} {inline_ratio:6.3} {inline_alike}"
    );
    println!("{}", line.trim_end());
}

fn at_most(target: Option<f64>, met: Option<bool>) -> String {
    let target = target.map_or(String::new(), |target| format!("{target:.2}"));
    let met = met.map_or("", |met| if met { "met" } else { "MISSED" });
    format!("{target:>7} {met:6}")
}

fn requests(what: &str, report: &Report, figure: fn(&Request) -> Option<&Figure>) {
    let group = |request: &Request| (request.name.option.clone(), request.name.subflows);
    for requests in report.requests.chunk_by(|a, b| group(a) == group(b)) {
        match group(&requests[0]) {
            (option, 0) => title(&format!("{option}: {what}")),
            (option, 1) => title(&format!("{option}, 1 subflow: {what}")),
            (option, subflows) => title(&format!("{option}, {subflows} subflows: {what}")),
        }
        for request in requests {
            if let Some(figure) = figure(request) {
                line(&request.name.request, figure);
            }
        }
    }
}

fn loaded(loaded: &[Loaded]) {
    let calling = || loaded.iter().filter(|loaded| loaded.answers.each.c > 0.0);
    title("calls per second beside a connection at full speed, of");
    for loaded in calling() {
        line(&loaded.reader, &loaded.answers);
    }
    title("MB per second over that connection, with these calls by");
    for loaded in loaded {
        line(&loaded.reader, &loaded.throughput);
    }
    title("% of it that is lost, compared with no calls");
    for Loaded {
        reader,
        lost: Each { c, rust, inline },
        ..
    } in calling()
    {
        println!("{reader:40} {c:9.1} {rust:9.1} {:25}{inline:9.1}", "");
    }
}

/// Prints what it comes to, and returns how many targets are missed.
fn summary(report: &Report) -> usize {
    println!(
        "\nalike: like for like, Rust / (C - saved), where saved are the instructions of the lock rounds that Rust saves"
    );
    for (lock, instructions) in &report.repeat.rounds {
        println!("a round of {lock}(): {instructions:?} instructions");
    }
    let (difference, limit) = (100.0 * report.repeat.difference, 100.0 * REPEATABLE);
    println!(
        "two boots of a kernel differ by {difference:.2} % at most, of {limit:.1} % that may be"
    );
    for failed in &report.repeat.failed {
        println!("NOT REPEATABLE: {failed}");
    }
    println!();

    let mut targets = Targets::default();
    for request in &report.requests {
        targets.check(&request.name.to_string(), &request.instructions);
    }
    for Stack { option, bytes } in &report.stacks {
        targets.check(&format!("bytes of stack for {option}"), bytes);
    }
    targets.check("bytes of code", &report.code.bytes);
    println!("targets: {} met, {} missed", targets.met, targets.missed);
    targets.missed
}

/// How many targets there are.
#[derive(Default)]
struct Targets {
    met: usize,
    missed: usize,
}

impl Targets {
    /// Counts the targets of something, and prints both ratios if one is missed.
    fn check(&mut self, name: &str, figure: &Figure) {
        let alike = figure.alike.as_ref();
        let met = [figure.met, alike.and_then(|alike| alike.met)];
        self.met += met.iter().filter(|met| **met == Some(true)).count();
        self.missed += met.iter().filter(|met| **met == Some(false)).count();
        if !met.contains(&Some(false)) {
            return;
        }
        let Each { c, rust, .. } = figure.each;
        let is = |ratio: f64, target: Option<f64>| {
            let at_most = target.map_or(String::new(), |target| format!(", at most {target:.2}"));
            format!("{ratio:.3}{at_most}")
        };
        let ratio = is(figure.ratio, figure.target);
        let alike = alike.map_or(String::new(), |alike| {
            format!("; alike {}", is(alike.ratio, alike.target))
        });
        println!("MISSED: {name}: {rust:.0} of C's {c:.0}, {ratio}{alike}");
    }
}
