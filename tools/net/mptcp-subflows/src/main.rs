// SPDX-License-Identifier: GPL-2.0

//! The program around the library: see `mptcp-subflows --help`.

mod cli;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use cli::screen::StdoutClosed;
use cli::{send, serve, show};

/// Shows every subflow of MPTCP connections, as getsockopt(2) reports them.
///
/// Exit status: 0 success, 1 what was looked for is not there, 2 trouble.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Show(show::Args),
    Serve(serve::Args),
    Send(send::Args),
}

/// What a command found, when nothing went wrong.
enum Outcome {
    Yes,
    /// What was looked for is not there; the text says what is missing.
    No(String),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Show(args) => show::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Send(args) => send::run(&args),
    };
    let (text, status) = match outcome {
        Ok(Outcome::Yes) => return ExitCode::SUCCESS,
        Ok(Outcome::No(text)) => (text, 1),
        // As a shell reports a program that SIGPIPE ended.
        Err(error) if error.is::<StdoutClosed>() => return ExitCode::from(141),
        Err(error) => (format!("{error:#}"), 2),
    };
    say(&text);
    ExitCode::from(status)
}

/// One line for the person in front of the screen, apart from the data on stdout.
fn say(text: &str) {
    // There is nobody to tell when stderr is closed.
    let _ = writeln!(std::io::stderr(), "mptcp-subflows: {text}");
}
