// SPDX-License-Identifier: GPL-2.0

//! The plot: the cost of Rust relative to C, by the number of subflows.

use std::path::Path;

use anyhow::Result;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Request, Row};
use crate::requests::FULL;

const COLORS: [RGBColor; 3] = [
    RGBColor(0, 90, 170),
    RGBColor(200, 80, 0),
    RGBColor(0, 130, 80),
];

/// Pixels of the plot, and of the part of it that the legend has.
const SIZE: (u32, u32) = (660, 360);
const LEGEND: i32 = 210;

/// Pixels of a dashed line.
const DASH: u32 = 7;
const GAP: u32 = 4;

const FONT: &str = "sans-serif";

/// Draws it, of requests for full elements.
pub fn draw(requests: &[Request], file: &Path) -> Result<()> {
    let full: Vec<_> = requests
        .iter()
        .filter(|request| request.name.request == FULL)
        .collect();
    let ratios = full.iter().flat_map(|request| {
        [
            request.instructions.ratio.rust,
            alike(&request.instructions),
        ]
    });
    let (lowest, highest) = ratios.fold((1.0f64, 1.0f64), |(low, high), ratio| {
        (low.min(ratio), high.max(ratio))
    });

    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    // The page may be dark.
    root.fill(&WHITE)?;
    let root = root.titled(
        "Instructions per call for full elements, Rust relative to C",
        (FONT, 20),
    )?;
    let (left, legend) = root.split_horizontally(SIZE.0 as i32 - LEGEND);
    let mut chart = ChartBuilder::on(&left)
        .margin(15)
        .x_label_area_size(35)
        .y_label_area_size(35)
        .build_cartesian_2d(
            (1.0..8.0f64).log_scale().base(2.0),
            lowest - 0.02..highest + 0.02,
        )?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 15))
        .x_desc("subflows")
        .x_labels(4)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.2}"))
        .draw()?;
    // What C costs.
    chart.draw_series(LineSeries::new([(1.0, 1.0), (8.0, 1.0)], BLACK))?;

    let text = (FONT, 15).into_text_style(&legend);
    let text = text.pos(Pos::new(HPos::Left, VPos::Center));
    let mut rows = (40..).step_by(22);
    let options = full.chunk_by(|a, b| a.name.option == b.name.option);
    for (requests, color) in options.zip(COLORS) {
        let points = |ratio: fn(&Row) -> f64| {
            let point =
                |request: &&Request| (request.name.subflows as f64, ratio(&request.instructions));
            requests.iter().map(point).collect::<Vec<_>>()
        };
        let style = color.stroke_width(2);
        let measured = points(|row| row.ratio.rust);
        chart.draw_series(LineSeries::new(measured, style.filled()).point_size(3))?;
        chart.draw_series(DashedLineSeries::new(points(alike), DASH, GAP, style))?;

        let option = requests[0].name.option.as_str();
        for (label, dashed) in [(option, false), ("like for like", true)] {
            let y = rows.next().unwrap_or_default();
            let line = [(0, y), (24, y)];
            match dashed {
                false => legend.draw(&PathElement::new(line, style))?,
                true => legend.draw(&DashedPathElement::new(line, DASH, GAP, style))?,
            }
            legend.draw_text(label, &text, (30, y))?;
        }
    }
    root.present()?;
    Ok(())
}

/// The ratio without the rounds of the lock that Rust saves.
fn alike(row: &Row) -> f64 {
    let ratio = row.alike.as_ref().map_or(&row.ratio, |alike| &alike.ratio);
    ratio.rust
}
