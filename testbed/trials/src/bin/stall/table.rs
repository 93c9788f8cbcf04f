// SPDX-License-Identifier: GPL-2.0

//! Tables of a line for each row, whose name and cells are two spaces or more apart.

use std::ffi::c_int;

use anyhow::Result;
use mptcp_trials::net::Family;
use mptcp_trials::request::Choice;

use crate::stalled::Access;

/// A table, printed row by row.
#[derive(Debug)]
pub struct Table {
    widths: Vec<usize>,
    failed: bool,
}

impl Table {
    /// Prints the names of the columns, whose cells have at most `widest` characters.
    pub fn new(title: &str, columns: &[&str], widest: usize) -> Self {
        let table = Self {
            widths: columns.iter().map(|name| name.len().max(widest)).collect(),
            failed: false,
        };
        table.print(title, columns);
        table
    }

    /// Prints a row.
    pub fn row<const N: usize>(&mut self, name: &str, cells: Result<[&str; N]>) {
        match cells {
            Ok(cells) => self.print(name, &cells),
            Err(error) => {
                println!("{name}: failed\n# {error:#}");
                self.failed = true;
            }
        }
    }

    /// Whether a row failed.
    pub fn failed(self) -> bool {
        self.failed
    }

    fn print(&self, name: &str, cells: &[&str]) {
        let mut row = format!("{name:<40}");
        for (cell, width) in cells.iter().zip(&self.widths) {
            row += &format!("  {cell:<width$}");
        }
        println!("{}", row.trim_end());
    }
}

/// The name and the cells of a row.
pub fn split(row: &str) -> (&str, &str) {
    let (name, cells) = row.split_once("  ").unwrap_or((row, ""));
    (name, cells.trim())
}

/// The name of the row of a connection whose request stalls.
pub fn stall(option: Choice, access: Access) -> String {
    format!("{}, {}", option.name(), access.name())
}

/// The name of the row of a connection that falls back during a request.
pub fn fallback(family: Family, option: Choice) -> String {
    format!("{family:?}, {}", option.name())
}

/// A cell for a call: whether it waits.
pub fn waits(waits: bool) -> &'static str {
    if waits { "waits" } else { "-" }
}

/// A cell for a call: what it returned, if it waited.
pub fn returned(returned: Option<c_int>) -> &'static str {
    match returned {
        Some(0) => "0",
        Some(error) => ERRORS
            .iter()
            .find_map(|(number, name)| (error == -number).then_some(*name))
            .unwrap_or("another error"),
        None => "-",
    }
}

/// The errors with which a call fails once the connection has fallen back.
const ERRORS: [(c_int, &str); 2] = [
    (libc::EOPNOTSUPP, "EOPNOTSUPP"),
    (libc::ENOPROTOOPT, "ENOPROTOOPT"),
];
