// SPDX-License-Identifier: GPL-2.0

//! Results in the kernel's test anything protocol, on standard output.

use std::fmt::Display;

/// A list of tests, whose plan is printed at the end.
#[derive(Debug)]
pub struct Ktap {
    tests: usize,
    failed: usize,
}

impl Ktap {
    /// Begins the list.
    #[expect(clippy::new_without_default, reason = "it prints")]
    pub fn new() -> Self {
        println!("KTAP version 1");
        Self {
            tests: 0,
            failed: 0,
        }
    }

    /// Prints a line for whoever reads the log.
    pub fn note(&self, text: impl Display) {
        for line in text.to_string().lines() {
            println!("# {line}");
        }
    }

    /// Prints the result of a test, and why it failed. Returns whether it passed.
    pub fn result<E: Display>(&mut self, name: &str, result: Result<(), E>) -> bool {
        let passed = result.is_ok();
        self.tests += 1;
        if let Err(error) = result {
            self.failed += 1;
            self.note(format_args!("{error:#}"));
        }
        let not = if passed { "" } else { "not " };
        println!("{not}ok {} {name}", self.tests);
        passed
    }

    /// Prints the plan, and returns the exit status: whether all passed, and there was any.
    pub fn end(self) -> std::process::ExitCode {
        println!("1..{}", self.tests);
        (u8::from(self.failed > 0 || self.tests == 0)).into()
    }
}
