// SPDX-License-Identifier: GPL-2.0

//! The table.

use super::{Alike, REPEATABLE, Ratio, Report, Row};

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
    for section in &report.sections {
        println!("\n{}", section.title);
        section.rows.iter().for_each(line);
    }

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

    let (mut met, mut missed) = (0, 0);
    for section in &report.sections {
        for row in &section.rows {
            let alike = row.alike.as_ref().map(|alike| ("alike ", &alike.ratio));
            for (kind, ratio) in [("", &row.ratio)].into_iter().chain(alike) {
                met += usize::from(ratio.met() == Some(true));
                if ratio.met() == Some(false) {
                    missed += 1;
                    let (title, name) = (&section.title, &row.name);
                    let target = ratio.target.unwrap_or_default();
                    println!(
                        "MISSED: {title}, {name}: {kind}{:.3}, at most {target:.2}",
                        ratio.rust
                    );
                }
            }
        }
    }
    println!("targets: {met} met, {missed} missed");
    missed
}

fn line(row: &Row) {
    let number = |figure: f64| format!("{figure:7.*}", usize::from(figure < 100.0));
    let [c, rust, inline] = [row.each.c, row.each.rust, row.each.inline].map(number);
    let (saved, inline_alike) = match &row.alike {
        Some(Alike { saved, ratio }) => (
            format!("{saved:5} {}", self::ratio(ratio)),
            format!("{:6.3}", ratio.inline),
        ),
        None => Default::default(),
    };
    let line = format!(
        "{:39} {c} {rust} {}  {saved:28}  {inline} {:6.3} {inline_alike}",
        row.name,
        ratio(&row.ratio),
        row.ratio.inline,
    );
    println!("{}", line.trim_end());
}

/// A ratio, its target, and whether that is met.
fn ratio(ratio: &Ratio) -> String {
    let target = ratio
        .target
        .map_or(String::new(), |target| format!("{target:.2}"));
    let met = ratio
        .met()
        .map_or("", |met| if met { "met" } else { "MISSED" });
    format!("{:6.3}  {target:>7} {met:6}", ratio.rust)
}
