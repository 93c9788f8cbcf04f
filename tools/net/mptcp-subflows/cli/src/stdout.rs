// SPDX-License-Identifier: GPL-2.0

//! Standard output: what it can show, and reports that replace each other on a terminal.

use std::env::var_os;
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

/// What stdout, and who looks at it, can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns that a report may take, unless there is no limit.
    pub width: Option<usize>,
    pub color: bool,
    pub unicode: bool,
}

impl Style {
    /// As the terminal and the environment want it.
    pub fn detect() -> Self {
        let terminal = io::stdout().is_terminal();
        let columns = text("COLUMNS").and_then(|columns| columns.parse().ok());
        Self {
            width: columns.filter(|columns| *columns > 0).or_else(|| {
                let (columns, _) = size()?;
                Some(columns)
            }),
            color: terminal && !is_dumb() && text("NO_COLOR").is_none(),
            unicode: is_utf8(text("LC_ALL"), text("LC_CTYPE"), text("LANG")),
        }
    }

    pub fn arrow(self) -> &'static str {
        if self.unicode { "→" } else { "->" }
    }

    pub fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }
}

/// The value of a variable that is not empty.
fn text(name: &str) -> Option<String> {
    let value = var_os(name)?.into_string().ok()?;
    (!value.is_empty()).then_some(value)
}

/// The first of the variables that is set decides, as for setlocale(3).
fn is_utf8(all: Option<String>, ctype: Option<String>, lang: Option<String>) -> bool {
    let locale = all.or(ctype).or(lang).unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

fn is_dumb() -> bool {
    text("TERM").is_none_or(|term| term == "dumb")
}

/// The terminal's columns and rows, when stdout is one that knows.
fn size() -> Option<(usize, usize)> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    let known = size.ws_col > 0 && size.ws_row > 0;
    known.then_some((size.ws_col.into(), size.ws_row.into()))
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
        Self {
            in_place: in_place && !is_dumb() && io::stdout().is_terminal(),
            rows: 0,
        }
    }

    /// How many rows a report may have to be replaced as a whole. The last one is for the cursor.
    pub fn height(&self) -> Option<usize> {
        let (_, rows) = size().filter(|_| self.in_place)?;
        Some(rows.saturating_sub(1).max(1))
    }

    /// Shows a report whose lines are no longer than the terminal is wide.
    pub fn show(&mut self, report: &str) -> anyhow::Result<()> {
        let Some(height) = self.height() else {
            return print(report);
        };
        // Up to the first row of the last report, and clear from there.
        let up = match self.rows.min(height) {
            0 => String::new(),
            rows => format!("\x1b[{rows}F\x1b[J"),
        };
        self.rows = report.split('\n').count();
        print(&format!("{up}{report}"))
    }
}

#[cfg(test)]
mod tests {
    use super::is_utf8;

    #[test]
    fn the_first_variable_of_the_locale_decides() {
        let is_utf8 = |all: Option<&str>, ctype: Option<&str>, lang: Option<&str>| {
            is_utf8(
                all.map(Into::into),
                ctype.map(Into::into),
                lang.map(Into::into),
            )
        };
        assert!(is_utf8(None, None, Some("de_DE.UTF-8")));
        assert!(is_utf8(None, Some("C.utf8"), Some("C")));
        assert!(!is_utf8(Some("C"), Some("C.UTF-8"), Some("C.UTF-8")));
        assert!(!is_utf8(None, None, Some("POSIX")));
        assert!(!is_utf8(None, None, None));
    }
}
