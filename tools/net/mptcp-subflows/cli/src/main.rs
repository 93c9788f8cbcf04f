// SPDX-License-Identifier: GPL-2.0

//! The program around the library: see `mptcp-subflows --help`.

mod args;
mod error;
#[cfg(test)]
mod fixture;
mod generate;
mod look;
mod model;
mod show;
mod stdout;
mod text;
mod traffic;
mod verdict;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use stdout::StdoutClosed;

/// What a command found, when nothing went wrong.
enum Outcome {
    Found,
    /// What was looked for is not there; the text says what is missing.
    Nothing(String),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.show.json && cli.command.is_none();
    let outcome = match &cli.command {
        None => show::run(&cli.show),
        Some(Command::Serve(args)) => traffic::serve::run(args),
        Some(Command::Send(args)) => traffic::send::run(args),
        Some(Command::Generate(args)) => generate::run(args),
    };
    let (text, status) = match outcome {
        Ok(Outcome::Found) => return ExitCode::SUCCESS,
        Ok(Outcome::Nothing(text)) => (text, 1),
        // As a shell reports a program that SIGPIPE ended.
        Err(error) if error.is::<StdoutClosed>() => return ExitCode::from(141),
        Err(error) => {
            if json {
                // What reads stdout learns about it there; if it cannot, stderr is left.
                let _ = stdout::print(&show::json::error(&error).to_string());
            }
            (format!("{error:#}"), 2)
        }
    };
    say(&text);
    ExitCode::from(status)
}

/// One line for the person in front of the screen, apart from the data on stdout.
fn say(text: &str) {
    // There is nobody to tell when stderr is closed.
    let _ = writeln!(std::io::stderr(), "mptcp-subflows: {text}");
}
