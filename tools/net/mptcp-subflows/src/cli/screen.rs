// SPDX-License-Identifier: GPL-2.0

//! Standard output: in place on a terminal, one report after the other elsewhere.

use std::io::{self, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

/// The reader of our output is gone: no reason to say anything to anybody.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub struct StdoutClosed;

/// Writes `text` and a line end to stdout, at once.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => StdoutClosed.into(),
        _ => anyhow::Error::from(error).context("standard output"),
    })
}

/// The terminal's columns and rows, when stdout is one that knows.
fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// Columns that a table may take.
pub fn columns() -> u16 {
    size().map_or(120, |(columns, _)| columns)
}

/// Reports of which each replaces the one before, where that is possible.
pub struct Screen {
    in_place: bool,
    /// Rows of the report that stands there now.
    rows: usize,
}

impl Screen {
    /// `in_place` is what the user wants; it takes a terminal as well.
    pub fn new(in_place: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            in_place: in_place && !dumb && io::stdout().is_terminal(),
            rows: 0,
        }
    }

    pub fn show(&mut self, report: &str) -> anyhow::Result<()> {
        let Some((columns, height)) = size().filter(|_| self.in_place) else {
            return print(report);
        };
        let rows = report
            .split('\n')
            .map(|line| line.chars().count().div_ceil(columns.into()).max(1))
            .sum();
        // Up to the first row of the last report, and clear from there. What has left the screen
        // is out of reach.
        let up = match self.rows {
            0 => String::new(),
            rows => format!("\x1b[{}F\x1b[J", rows.min(usize::from(height) - 1)),
        };
        self.rows = rows;
        print(&format!("{up}{report}"))
    }
}
