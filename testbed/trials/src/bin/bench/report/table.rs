// SPDX-License-Identifier: GPL-2.0

//! The table.

use super::measured::Each;
use super::{Figure, Loaded, REPEATABLE, Report, Request};

/// Prints it.
pub fn print(report: &Report) {
    println!(
        "{:40} {:>9} {:>9} {:>6}  {:>7} {:6}  {:>9} {:>6}",
        "", "C", "Rust", "ratio", "at most", "", "inlined", "ratio"
    );
    requests("instructions per call", report, |request| {
        Some(&request.instructions)
    });
    title("bytes of stack, from mptcp_getsockopt() down");
    for traced in &report.traced {
        line(&traced.name.to_string(), &traced.stack);
    }
    title("bytes of code");
    line(
        "of the implementation, helpers included",
        &report.code.bytes,
    );
    title("instructions with the lock of the connection held");
    for traced in &report.traced {
        line(&traced.name.to_string(), &traced.locked);
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
    summary(report);
}

fn title(text: &str) {
    println!("\n{text}");
}

fn line(name: &str, figure: &Figure) {
    let Each { c, rust, inline } = figure.each;
    let (ratio, inline_ratio) = (figure.ratio, figure.inline_ratio);
    let target = figure
        .target
        .map_or(String::new(), |target| format!("{target:.2}"));
    let met = figure
        .met
        .map_or("", |met| if met { "met" } else { "MISSED" });
    println!(
        "{name:40} {c:9.0} {rust:9.0} {ratio:6.3}  {target:>7} {met:6}  {inline:9.0} {inline_ratio:6.3}"
    );
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

fn summary(report: &Report) {
    let (difference, limit) = (100.0 * report.repeat.difference, 100.0 * REPEATABLE);
    println!(
        "\ntwo boots of a kernel differ by {difference:.2} % at most, of {limit:.1} % that may be"
    );
    for failed in &report.repeat.failed {
        println!("NOT REPEATABLE: {failed}");
    }

    let requests = report.requests.iter();
    let instructions = requests.map(|request| (request.name.to_string(), &request.instructions));
    let traced = report.traced.iter();
    let stack = traced.map(|traced| (format!("stack of {}", traced.name), &traced.stack));
    let code = ("bytes of code".to_owned(), &report.code.bytes);
    let targets: Vec<_> = instructions.chain(stack).chain([code]).collect();
    for (name, figure) in targets
        .iter()
        .filter(|(_, figure)| figure.met == Some(false))
    {
        println!("MISSED: {name}: {:.3} of C", figure.ratio);
    }
    let reached = |met| {
        targets
            .iter()
            .filter(|(_, figure)| figure.met == Some(met))
            .count()
    };
    println!("targets: {} met, {} missed", reached(true), reached(false));
}
