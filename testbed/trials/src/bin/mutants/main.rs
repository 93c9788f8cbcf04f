// SPDX-License-Identifier: GPL-2.0

//! Changes Rust code in one place at a time, which a test should notice.

mod accepted;
mod find;
mod mutant;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser};
use mutant::{Mutant, mutants};

/// Changes Rust code in one place at a time, which a test should notice
#[derive(Parser)]
enum Command {
    /// List the mutants of files: name, FILE:LINE, and the change
    List(Sources),
    /// Show a mutant as a patch
    Show {
        /// A Rust file
        file: PathBuf,
        /// The name of one of its mutants
        name: String,
    },
    /// Write a mutant over the file
    Apply {
        /// A Rust file
        file: PathBuf,
        /// The name of one of its mutants
        name: String,
        /// Write this file instead
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Check a list of the mutants that no test can catch
    Check {
        /// A file with a line "NAME: REASON" for each of them; other lines are empty or start with #
        list: PathBuf,
        #[command(flatten)]
        sources: Sources,
    },
}

#[derive(Args)]
struct Sources {
    /// Rust files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// An older version of a file, with the same file name: leave out the code that it has too
    #[arg(long, value_name = "FILE")]
    base: Vec<PathBuf>,
}

impl Sources {
    /// Returns each file with its mutants.
    fn mutants(&self) -> Result<Vec<(&Path, Vec<Mutant>)>> {
        let mut all: Vec<(&Path, Vec<Mutant>)> = Vec::new();
        for file in &self.files {
            let same_name = |other: &&Path| other.file_name() == file.file_name();
            // The name of a mutant begins with that of its file.
            if let Some(other) = all.iter().map(|(other, _)| *other).find(same_name) {
                bail!("{} and {}: same name", other.display(), file.display());
            }
            let base = self.base.iter().map(PathBuf::as_path).find(same_name);
            let base = base.map(read).transpose()?;
            all.push((file, of_file(file, &read(file)?, base.as_deref())?));
        }
        Ok(all)
    }
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::List(sources) => list(&sources),
        Command::Show { file, name } => show(&file, &name),
        Command::Apply { file, name, output } => apply(&file, &name, output.as_deref()),
        Command::Check { list, sources } => check(&list, &sources),
    };
    mptcp_trials::exit(result.map(|()| ExitCode::SUCCESS))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn of_file(path: &Path, source: &str, base: Option<&str>) -> Result<Vec<Mutant>> {
    let stem = path.file_stem().context("no file name")?.to_string_lossy();
    mutants(&stem, source, base).with_context(|| path.display().to_string())
}

/// Returns the source and one of its mutants.
fn named(file: &Path, name: &str) -> Result<(String, Mutant)> {
    let source = read(file)?;
    let mutant = of_file(file, &source, None)?
        .into_iter()
        .find(|mutant| mutant.name == name)
        .with_context(|| format!("{}: no mutant {name}", file.display()))?;
    Ok((source, mutant))
}

fn list(sources: &Sources) -> Result<()> {
    let mut stdout = io::stdout().lock();
    for (file, mutants) in sources.mutants()? {
        for Mutant {
            name, line, change, ..
        } in mutants
        {
            writeln!(stdout, "{name} {}:{line} {change}", file.display())?;
        }
    }
    Ok(())
}

fn show(file: &Path, name: &str) -> Result<()> {
    let (source, mutant) = named(file, name)?;
    let path = file.display().to_string();
    let path = path.trim_start_matches('/');
    let mutated = mutant.apply(&source);
    let patch = diffy::DiffOptions::new()
        .set_original_filename(format!("a/{path}"))
        .set_modified_filename(format!("b/{path}"))
        .create_patch(&source, &mutated)
        .to_string();
    Ok(io::stdout().write_all(patch.as_bytes())?)
}

fn apply(file: &Path, name: &str, output: Option<&Path>) -> Result<()> {
    let (source, mutant) = named(file, name)?;
    let output = output.unwrap_or(file);
    replace(output, &mutant.apply(&source)).with_context(|| output.display().to_string())
}

/// Writes a whole file or nothing. A hard link to the old file keeps its contents.
fn replace(path: &Path, contents: &str) -> io::Result<()> {
    let part = path.with_added_extension("part");
    fs::write(&part, contents)?;
    if let Ok(metadata) = fs::metadata(path) {
        fs::set_permissions(&part, metadata.permissions())?;
    }
    fs::rename(part, path)
}

fn check(list: &Path, sources: &Sources) -> Result<()> {
    let mutants = sources.mutants()?;
    let names: Vec<&str> = mutants
        .iter()
        .flat_map(|(_, mutants)| mutants)
        .map(|mutant| mutant.name.as_str())
        .collect();
    let wrong = accepted::check(&read(list)?, &names);
    ensure!(wrong.is_empty(), "{}: {}", list.display(), wrong.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hard_link_keeps_the_original() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["a.rs", "link.rs"].map(|name| folder.path().join(name));
        fs::write(&file, "fn f() -> bool { true }").unwrap();
        fs::hard_link(&file, &link).unwrap();
        let mut permissions = fs::metadata(&file).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&file, permissions.clone()).unwrap();

        apply(&file, "a/f/true-to-false", None).unwrap();

        assert_eq!(read(&file).unwrap(), "fn f() -> bool { false }");
        assert_eq!(read(&link).unwrap(), "fn f() -> bool { true }");
        assert_eq!(fs::metadata(&file).unwrap().permissions(), permissions);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn output_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let [file, other] = ["a.rs", "other.rs"].map(|name| folder.path().join(name));
        fs::write(&file, "fn f() -> bool { true }").unwrap();

        apply(&file, "a/f/true-to-false", Some(&other)).unwrap();

        assert_eq!(read(&file).unwrap(), "fn f() -> bool { true }");
        assert_eq!(read(&other).unwrap(), "fn f() -> bool { false }");
    }

    #[test]
    fn unknown_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rs");
        fs::write(&file, "fn f() -> bool { true }").unwrap();

        let error = apply(&file, "a/f/false-to-true", None).unwrap_err();
        assert!(
            error.to_string().ends_with("no mutant a/f/false-to-true"),
            "{error}"
        );
    }

    #[test]
    fn files_of_the_same_name() {
        let files = ["a/mod.rs", "b/mod.rs"].map(PathBuf::from);
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<_> = files
            .iter()
            .map(|file| {
                let file = folder.path().join(file);
                fs::create_dir(file.parent().unwrap()).unwrap();
                fs::write(&file, "").unwrap();
                file
            })
            .collect();

        let sources = Sources {
            files,
            base: Vec::new(),
        };
        let error = sources.mutants().unwrap_err();
        assert!(error.to_string().ends_with("same name"), "{error}");
    }
}
