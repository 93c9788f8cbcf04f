// SPDX-License-Identifier: GPL-2.0

//! Files with a line for each result, and the comparison of two.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use lz4_flex::frame::{FrameDecoder, FrameEncoder};

use crate::ktap::Ktap;

/// The last line of a complete file.
const END: &str = "end";

/// Writes a file.
pub struct Recorder {
    file: FrameEncoder<File>,
}

impl Recorder {
    /// Begins the file with a line that identifies the requests.
    pub fn new(path: &Path, title: &str) -> Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let mut recorder = Self {
            file: FrameEncoder::new(file),
        };
        recorder.line(title)?;
        Ok(recorder)
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.file, "{line}")?)
    }

    /// Ends the file.
    pub fn end(mut self) -> Result<()> {
        self.line(END)?;
        self.file.finish()?;
        Ok(())
    }
}

/// The files of two kernels.
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// Two folders with results, those of the C kernel first
    #[arg(num_args = 2, required = true)]
    folders: Vec<PathBuf>,
    /// A file that both have
    #[arg(long = "file", required = true)]
    pub files: Vec<String>,
}

impl Compare {
    /// A file of each kernel.
    pub fn paths(&self, file: &str) -> [PathBuf; 2] {
        [0, 1].map(|kernel| self.folders[kernel].join(file))
    }

    /// Compares all files, and prints a test for each, and how many `results` are the same. For `words`,
    /// see [`compare()`].
    pub fn run(&self, results: &str, words: impl Fn(&str, u64) -> Result<String>) -> ExitCode {
        let mut ktap = Ktap::new(self.files.len());
        let mut same = 0;
        for file in &self.files {
            let [a, b] = self.paths(file);
            let compared = compare(&a, &b, &words).map(|results| same += results);
            ktap.result(&format!("{file}: the same results"), compared);
        }
        ktap.figure(same, results);
        ktap.end()
    }
}

/// Compares two files, and returns how many results they have. Fails if they differ: the error has the
/// first differences, each introduced by what `words` makes of the title and the number of the line.
/// Fails too if a file is not complete, or the requests are not the same.
fn compare(a: &Path, b: &Path, words: impl Fn(&str, u64) -> Result<String>) -> Result<u64> {
    const SHOWN: u64 = 10;
    let open = |path: &Path| {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        anyhow::Ok(BufReader::new(FrameDecoder::new(file)).lines())
    };
    let mut files = [open(a)?, open(b)?];
    let mut next = || {
        let [a, b] = files.each_mut().map(|file| match file.next() {
            Some(line) => line.context("a file of results cannot be read"),
            None => bail!("a file of results ends too early"),
        });
        anyhow::Ok((a?, b?))
    };

    let (title, other) = next()?;
    ensure!(
        title == other,
        "results of different requests: {title}; {other}"
    );
    let (mut results, mut different, mut shown) = (0, 0, String::new());
    loop {
        let (in_a, in_b) = next()?;
        if in_a == END || in_b == END {
            ensure!(in_a == in_b, "a file of results ends too early");
            break;
        }
        if in_a != in_b {
            different += 1;
            if different <= SHOWN {
                let words = words(&title, results)?;
                let (a, b) = (a.display(), b.display());
                shown += &format!("\n{words}\n{a}: {in_a}\n{b}: {in_b}");
            }
        }
        results += 1;
    }
    ensure!(results > 0, "no results: {title}");
    if different > 0 {
        bail!("{different} of {results} results differ, of which the first are:{shown}");
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares two files with these lines, of which the last may be their end.
    fn compared(a: &[&str], b: &[&str]) -> Result<u64, String> {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = [("a", a), ("b", b)].map(|(name, lines)| {
            let path = folder.path().join(name);
            let mut file = Recorder::new(&path, lines[0]).unwrap();
            for line in &lines[1..] {
                file.line(line).unwrap();
            }
            file.file.finish().unwrap();
            path
        });
        let words = |title: &str, n| Ok(format!("{title}, {n}:"));
        compare(&a, &b, words).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn same() {
        let lines = ["title", "0 a", "-22", "end"];
        assert_eq!(compared(&lines, &lines), Ok(2));
    }

    #[test]
    fn one_result_differs() {
        let error = compared(&["t", "0 a", "-22", "end"], &["t", "0 a", "-14", "end"]).unwrap_err();
        assert!(error.starts_with("1 of 2 results differ"), "{error}");
        assert!(error.contains("\nt, 1:\n"), "{error}");
        assert!(
            error.contains("/a: -22\n") && error.ends_with("/b: -14"),
            "{error}"
        );
    }

    #[test]
    fn not_comparable() {
        let whole = ["t", "0", "end"];
        assert!(
            compared(&whole, &["t", "0"])
                .unwrap_err()
                .contains("ends too early")
        );
        assert!(
            compared(&whole, &["t", "end"])
                .unwrap_err()
                .contains("ends too early")
        );
        assert!(
            compared(&whole, &["u", "0", "end"])
                .unwrap_err()
                .contains("different requests")
        );
        assert!(
            compared(&["t", "end"], &["t", "end"])
                .unwrap_err()
                .contains("no results")
        );
    }
}
