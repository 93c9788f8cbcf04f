// SPDX-License-Identifier: GPL-2.0

//! Man pages and completions, from the definition of the command line.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::Outcome;
use crate::args::Cli;

/// Write man pages and shell completions into a folder
#[derive(clap::Args)]
pub struct Args {
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let folder = &args.folder;
    let context = || format!("write to {}", folder.display());
    fs::create_dir_all(folder).with_context(context)?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(context)?;
    let mut command = Cli::command();
    let name = command.get_name().to_string();
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut command, &name, folder).with_context(context)?;
    }
    Ok(Outcome::Found)
}
