// SPDX-License-Identifier: GPL-2.0

//! Results in the kernel's test anything protocol, on standard output.

use std::fmt::Display;

/// A list of tests.
#[derive(Debug)]
pub struct Ktap {
    planned: usize,
    tests: usize,
    failed: usize,
}

impl Ktap {
    /// Begins a list of so many tests.
    pub fn new(planned: usize) -> Self {
        println!("KTAP version 1\n1..{planned}");
        Self {
            planned,
            tests: 0,
            failed: 0,
        }
    }

    /// Prints a comment.
    pub fn note(&self, text: impl Display) {
        for line in text.to_string().lines() {
            println!("# {line}");
        }
    }

    /// Prints a figure that is shown in the list of all results.
    pub fn figure(&self, number: impl Display, of: &str) {
        println!("# figure: {number} {of}");
    }

    /// Prints the result of a test, and why it failed.
    pub fn result<E: Display>(&mut self, name: &str, result: Result<(), E>) {
        self.tests += 1;
        let ok = match result {
            Ok(()) => "ok",
            Err(error) => {
                self.failed += 1;
                self.note(format_args!("{error:#}"));
                "not ok"
            }
        };
        println!("{ok} {} {name}", self.tests);
    }

    /// Returns the exit status: whether each test was there, and passed.
    pub fn end(self) -> std::process::ExitCode {
        u8::from(self.failed > 0 || self.tests != self.planned || self.tests == 0).into()
    }
}
