// SPDX-License-Identifier: GPL-2.0

//! What the guest prints: lines of JSON.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The kind of a request, on which its target depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Any other system call.
    Floor,
    /// Elements as long as the kernel's.
    Full,
    /// Elements of another size.
    Cut,
    /// No room for elements.
    Count,
    /// EINVAL.
    Refused,
    /// EFAULT.
    Fault,
}

/// Identifies a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// The option.
    pub option: String,
    /// Subflows of the connection.
    pub subflows: usize,
    /// The rest, in words.
    pub request: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.option, self.subflows, self.request)
    }
}

/// What a request costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cost {
    /// The request.
    #[serde(flatten)]
    pub name: Name,
    /// Its kind.
    pub kind: Kind,
    /// Nanoseconds by the guest's clock: instructions, where QEMU lets it count them.
    pub cost: f64,
}

/// A line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// A measured request.
    Cost(Cost),
    /// A request that was marked for `bench trace`.
    Mark(Name),
    /// A reader beside a connection.
    Load(Load),
}

/// The reader that calls nothing.
pub const NOBODY: &str = "nobody";

/// A reader that calls as fast as it can, beside a connection at full speed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Load {
    /// What it calls, or [`NOBODY`].
    pub reader: String,
    /// Bytes per second that arrive.
    pub throughput: f64,
    /// Calls per second.
    pub calls: f64,
}

/// Prints a line.
pub fn print(line: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(line)?);
    Ok(())
}

/// Reads what was printed.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let context = || format!("{} is not as bench wrote it", path.display());
    let text = fs::read_to_string(path).with_context(context)?;
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().with_context(context)
}
