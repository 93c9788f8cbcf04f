// SPDX-License-Identifier: GPL-2.0

//! Rows of paths that fit into the columns there are: first the less important cells go, then the
//! others move below the addresses.

use anstyle::{AnsiColor, Style as Color};

use crate::model::Path;
use crate::stdout::Style;
use crate::text;
use crate::verdict::Verdict;

/// What stands in front of each row of a path.
const INDENT: &str = "  ";
const GAP: &str = "  ";

/// The cells that can be left out, the less important in front.
const TOTALS: [Cell; 7] = [
    Cell::Cwnd,
    Cell::Resent,
    Cell::Interface,
    Cell::Received,
    Cell::Sent,
    Cell::Rtt,
    Cell::Addresses,
];
const RATES: [Cell; 8] = [
    Cell::Cwnd,
    Cell::Resent,
    Cell::Interface,
    Cell::Rtt,
    Cell::Share,
    Cell::Received,
    Cell::Sent,
    Cell::Addresses,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Addresses,
    Interface,
    Rtt,
    Sent,
    Received,
    Share,
    Resent,
    Cwnd,
    Verdict,
}

/// In the order in which they are shown.
const ORDER: [Cell; 9] = [
    Cell::Addresses,
    Cell::Interface,
    Cell::Rtt,
    Cell::Sent,
    Cell::Received,
    Cell::Share,
    Cell::Resent,
    Cell::Cwnd,
    Cell::Verdict,
];

/// The path of a connection, and what all of that connection's paths carry.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub path: &'a Path,
    pub total: f64,
}

impl Cell {
    fn heading(self, rates: bool) -> &'static str {
        match self {
            Self::Addresses => "path",
            Self::Interface => "via",
            Self::Rtt => "RTT",
            Self::Sent if rates => "tx bit/s",
            Self::Sent => "sent",
            Self::Received if rates => "rx bit/s",
            Self::Received => "received",
            Self::Share => "share",
            Self::Resent => "resent",
            Self::Cwnd => "cwnd",
            Self::Verdict => "verdict",
        }
    }

    /// A width that keeps the column from jumping when its values change.
    fn least(self) -> usize {
        match self {
            Self::Rtt => 7,
            Self::Sent | Self::Received => 7,
            Self::Share => 5,
            Self::Cwnd => 4,
            _ => 0,
        }
    }

    fn is_left(self) -> bool {
        matches!(self, Self::Addresses | Self::Interface | Self::Verdict)
    }

    fn text(self, row: Row, rates: bool, style: Style, reasons: bool) -> Option<String> {
        let Row { path, total } = row;
        let subflow = &path.subflow;
        let tcp = subflow.tcp_info();
        match self {
            Self::Addresses => {
                let [local, remote] = ends(path);
                Some(format!("{local} {} {remote}", style.arrow()))
            }
            Self::Interface => path.interface.clone(),
            Self::Rtt => tcp.rtt().map(text::milliseconds),
            Self::Sent if rates => path.delta?.acked_rate().map(text::bit_rate),
            Self::Sent => tcp.bytes_sent().map(text::bytes),
            Self::Received if rates => path.delta?.received_rate().map(text::bit_rate),
            Self::Received => tcp.bytes_received().map(text::bytes),
            Self::Share => path
                .share(total)
                .map(|share| format!("{:.0} %", share * 100.0)),
            Self::Resent => tcp.total_retrans().map(|resent| resent.to_string()),
            Self::Cwnd => tcp.snd_cwnd().map(|cwnd| cwnd.to_string()),
            Self::Verdict => Some(match reasons {
                true => path.judgement.text(),
                false => path.judgement.short.clone(),
            }),
        }
    }
}

fn ends(path: &Path) -> [String; 2] {
    [path.subflow.local(), path.subflow.remote()].map(text::address)
}

/// How rows are laid out: one way for all of them.
pub struct Layout {
    style: Style,
    rates: bool,
    cells: Vec<(Cell, usize)>,
    reasons: bool,
    /// The addresses have rows of their own.
    stacked: bool,
}

impl Layout {
    /// The one that shows most of `rows` within the style's width. With `rates`, these stand in place
    /// of the totals.
    pub fn fit(rows: &[Row], style: Style, rates: bool) -> Self {
        let mut least = None;
        for layout in Self::candidates(rows, style, rates) {
            let width = layout.width();
            if style.width.is_none_or(|most| width <= most) {
                return layout;
            }
            least = Some(layout);
        }
        // Even this is too wide; the lines are cut.
        least.unwrap_or(Self {
            style,
            rates,
            cells: Vec::new(),
            reasons: false,
            stacked: true,
        })
    }

    /// The preferred ones in front.
    fn candidates<'a>(
        rows: &'a [Row<'a>],
        style: Style,
        rates: bool,
    ) -> impl Iterator<Item = Self> + 'a {
        let optional: &[Cell] = if rates { &RATES } else { &TOTALS };
        // Reasons go before what is measured. Totals go before the addresses leave the row, rates do
        // not. There, everything has room again.
        let most = if rates { 4 } else { 5 };
        let in_row = [(0, true), (2, true), (3, true), (3, false), (most, false)];
        let in_row = in_row.map(|(left_out, reasons)| (left_out, reasons, false));
        let stacked = (0..optional.len()).flat_map(|n| [(n, true, true), (n, false, true)]);
        let choices = in_row.into_iter().chain(stacked);
        choices.map(move |(left_out, reasons, stacked)| {
            let shown = |cell: &Cell| {
                !optional[..left_out].contains(cell)
                    && (rates || *cell != Cell::Share)
                    && (!stacked || *cell != Cell::Addresses)
            };
            let cells = ORDER.into_iter().filter(shown).map(|cell| {
                let lengths = rows
                    .iter()
                    .filter_map(|row| cell.text(*row, rates, style, reasons))
                    .map(|text| text.chars().count());
                let least = cell.heading(rates).len().max(cell.least());
                (cell, lengths.fold(least, usize::max))
            });
            Self {
                style,
                rates,
                cells: cells.collect(),
                reasons,
                stacked,
            }
        })
    }

    fn indent(&self) -> String {
        INDENT.repeat(if self.stacked { 2 } else { 1 })
    }

    fn width(&self) -> usize {
        let cells: usize = self.cells.iter().map(|(_, width)| width + GAP.len()).sum();
        self.indent().len() + cells.saturating_sub(GAP.len())
    }

    /// The heading, of one line.
    pub fn heading(&self) -> String {
        let cells = self.cells.iter();
        let cells = cells.map(|(cell, width)| {
            let heading = cell.heading(self.rates);
            match cell.is_left() {
                true => format!("{heading:<width$}"),
                false => format!("{heading:>width$}"),
            }
        });
        let line = format!("{}{}", self.indent(), Vec::from_iter(cells).join(GAP));
        cut(line.trim_end(), self.style)
    }

    /// The lines of one path.
    pub fn lines(&self, row: Row) -> Vec<String> {
        let mut lines = Vec::new();
        if self.stacked {
            let [local, remote] = ends(row.path);
            let remote = format!("{} {remote}", self.style.arrow());
            let whole = format!("{INDENT}{local} {remote}");
            match self
                .style
                .width
                .is_none_or(|most| whole.chars().count() <= most)
            {
                true => lines.push(whole),
                false => {
                    lines.push(cut(&format!("{INDENT}{local}"), self.style));
                    lines.push(cut(&format!("{INDENT}{remote}"), self.style));
                }
            }
        }

        let mut line = self.indent();
        let mut color = Color::new();
        for (at, (cell, width)) in self.cells.iter().enumerate() {
            let text = cell.text(row, self.rates, self.style, self.reasons);
            let text = text.unwrap_or_else(|| "-".into());
            if at > 0 {
                line += GAP;
            }
            if *cell == Cell::Verdict {
                color = color_of(row.path.judgement.verdict);
            }
            line += &match cell.is_left() {
                true => format!("{text:<width$}"),
                false => format!("{text:>width$}"),
            };
        }
        let line = cut(line.trim_end(), self.style);
        lines.push(match self.style.color {
            true => format!("{color}{line}{color:#}"),
            false => line,
        });
        lines
    }
}

fn color_of(verdict: Verdict) -> Color {
    match verdict {
        Verdict::NoAck => AnsiColor::Red.on_default(),
        Verdict::Lossy | Verdict::FellBack | Verdict::Connecting => AnsiColor::Yellow.on_default(),
        Verdict::Active => AnsiColor::Green.on_default(),
        Verdict::Idle | Verdict::Backup | Verdict::Closing => Color::new().dimmed(),
    }
}

/// What of `line` fits.
pub fn cut(line: &str, style: Style) -> String {
    match style.width {
        Some(most) if line.chars().count() > most => {
            let ellipsis = style.ellipsis();
            let kept = most.saturating_sub(ellipsis.chars().count());
            let mut line: String = line.chars().take(kept).collect();
            line += ellipsis;
            line.chars().take(most).collect()
        }
        _ => line.into(),
    }
}

/// All paths of one connection, under a heading.
pub fn paths(paths: &[Path], style: Style) -> String {
    let total = paths.iter().filter_map(Path::rate).sum();
    let rates = paths.iter().any(|path| path.delta.is_some());
    let rows: Vec<_> = paths.iter().map(|path| Row { path, total }).collect();
    let layout = Layout::fit(&rows, style, rates);
    let lines = rows.iter().flat_map(|row| layout.lines(*row));
    let lines: Vec<_> = [layout.heading()].into_iter().chain(lines).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
