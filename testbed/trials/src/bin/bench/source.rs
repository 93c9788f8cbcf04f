// SPDX-License-Identifier: GPL-2.0

//! Where in the source an instruction comes from.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// A function that an instruction is of, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Frame {
    /// The function.
    pub function_name: String,
    /// The file, which may be relative to the folder of the kernel, or nothing where the kernel has no
    /// debug information.
    pub file_name: String,
    /// The line of the instruction, or of the call that is inlined there.
    pub line: usize,
}

/// What `llvm-symbolizer` prints of an address.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Symbolized {
    #[serde(default)]
    symbol: Vec<Frame>,
}

/// The functions that each instruction is of: the one that is there, and those that are inlined into it,
/// the innermost last. `objects` is the folder of the kernel.
///
/// # Errors
///
/// `llvm-symbolizer` fails.
pub fn frames(objects: &Path, addresses: &[u64]) -> Result<HashMap<u64, Vec<Frame>>> {
    let mut symbolizer = Command::new("llvm-symbolizer")
        .args(["--output-style=JSON", "--inlines", "--demangle", "--obj"])
        .arg("vmlinux")
        .current_dir(objects)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("llvm-symbolizer does not start")?;
    let mut stdin = symbolizer.stdin.take().context("no pipe")?;
    let asked: String = addresses.iter().map(|a| format!("{a:#x}\n")).collect();
    // It prints while it reads.
    let writer = thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let output = symbolizer.wait_with_output()?;
    ensure!(
        output.status.success() && writer.join().is_ok_and(|written| written.is_ok()),
        "llvm-symbolizer fails"
    );
    parse(addresses, &String::from_utf8(output.stdout)?)
}

/// Parses what it prints, a line for each address.
fn parse(addresses: &[u64], printed: &str) -> Result<HashMap<u64, Vec<Frame>>> {
    let lines: Vec<_> = printed.lines().collect();
    ensure!(
        lines.len() == addresses.len(),
        "llvm-symbolizer has not printed a line for each address"
    );
    let parse = |(address, line): (&u64, &&str)| -> Result<_> {
        let mut symbolized: Symbolized = serde_json::from_str(line)?;
        symbolized.symbol.reverse();
        Ok((*address, symbolized.symbol))
    };
    addresses.iter().zip(&lines).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_comes_last() {
        let printed = concat!(
            r#"{"Address":"0x10","ModuleName":"vmlinux","Symbol":["#,
            r#"{"Column":9,"FileName":"a.rs","FunctionName":"inner","Line":7,"StartLine":0},"#,
            r#"{"Column":5,"FileName":"b.rs","FunctionName":"outer","Line":8,"StartLine":0}]}"#,
            "\n",
            r#"{"Address":"0x20","ModuleName":"vmlinux","Symbol":["#,
            r#"{"Column":0,"FileName":"","FunctionName":"no_lines","Line":0}]}"#,
            "\n",
        );
        let frame = |function: &str, file: &str, line| Frame {
            function_name: function.to_owned(),
            file_name: file.to_owned(),
            line,
        };
        let frames = parse(&[0x10, 0x20], printed).unwrap();
        assert_eq!(
            frames[&0x10],
            [frame("outer", "b.rs", 8), frame("inner", "a.rs", 7)]
        );
        assert_eq!(frames[&0x20], [frame("no_lines", "", 0)]);
        assert!(parse(&[0x10], printed).is_err());
    }
}
