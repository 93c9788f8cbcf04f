// SPDX-License-Identifier: GPL-2.0

//! The plot: what Rust costs compared with C, by the number of subflows.

use std::path::Path;

use anyhow::Result;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::{Figure, Request};
use crate::requests::FULL;

const COLORS: [RGBColor; 3] = [
    RGBColor(0, 90, 170),
    RGBColor(200, 80, 0),
    RGBColor(0, 130, 80),
];

/// Pixels of a dashed line.
const DASH: u32 = 5;
const GAP: u32 = 4;

/// Draws it, of requests for full elements.
pub fn draw(requests: &[Request], file: &Path) -> Result<()> {
    let full: Vec<_> = requests
        .iter()
        .filter(|request| request.name.request == FULL)
        .collect();
    let ratios = full.iter().flat_map(|request| {
        [
            request.instructions.ratio,
            request.instructions.inline_ratio,
        ]
    });
    let (lowest, highest) = ratios.fold((1.0f64, 1.0f64), |(low, high), ratio| {
        (low.min(ratio), high.max(ratio))
    });

    let root = SVGBackend::new(file, (720, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(
            "full elements: instructions per call, Rust / C",
            ("sans-serif", 18),
        )
        .margin(15)
        .x_label_area_size(40)
        .y_label_area_size(50)
        // The legend has the place below.
        .build_cartesian_2d(
            (1.0..8.0f64).log_scale().base(2.0),
            lowest - 0.15..highest + 0.05,
        )?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("subflows")
        .x_labels(4)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.2}"))
        .draw()?;

    for (requests, color) in full
        .chunk_by(|a, b| a.name.option == b.name.option)
        .zip(COLORS)
    {
        let option = &requests[0].name.option;
        let points = |ratio: fn(&Figure) -> f64| {
            let point =
                |request: &&Request| (request.name.subflows as f64, ratio(&request.instructions));
            requests.iter().map(point).collect::<Vec<_>>()
        };
        let style = color.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points(|figure| figure.ratio), style).point_size(4))?
            .label(option)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        chart
            .draw_series(DashedLineSeries::new(
                points(|figure| figure.inline_ratio),
                DASH,
                GAP,
                style,
            ))?
            .label(format!("{option}, helpers inlined"))
            .legend(move |(x, y)| DashedPathElement::new([(x, y), (x + 20, y)], DASH, GAP, style));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE)
        .border_style(BLACK)
        .position(SeriesLabelPosition::LowerRight)
        .draw()?;
    root.present()?;
    Ok(())
}
