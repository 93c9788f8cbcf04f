// SPDX-License-Identifier: GPL-2.0

//! The network namespace to look into.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::processes::{self, gone_is_default};
use crate::error::Trouble;

pub enum Entered {
    Yes,
    /// The right is missing.
    No(Trouble),
}

/// Enters a namespace that was named on the command line.
pub fn enter(name: &str) -> anyhow::Result<Entered> {
    let path = match name.contains('/') {
        true => PathBuf::from(name),
        false => Path::new("/run/netns").join(name),
    };
    join(&path).map_err(|source| {
        let name = name.into();
        Trouble::Namespace { name, source }
    })?;
    Ok(Entered::Yes)
}

/// Enters the namespace of a process, if it is another one.
pub fn enter_of(pid: i32) -> anyhow::Result<Entered> {
    let trouble = |source| Trouble::Namespace {
        name: format!("of process {pid}"),
        source,
    };
    let (theirs, path) = match of(pid) {
        Ok(Some(theirs)) => theirs,
        Ok(None) if !processes::exists(pid) => return Err(Trouble::NoProcess(pid).into()),
        // Its descriptors cannot be looked at either, which is said in more detail.
        Ok(None) | Err(_) => return Ok(Entered::Yes),
    };
    if theirs == number(OWN).map_err(trouble)? {
        return Ok(Entered::Yes);
    }
    match join(Path::new(&path)) {
        Ok(()) => Ok(Entered::Yes),
        Err(source) => Ok(Entered::No(trouble(source))),
    }
}

/// Whether the process is in the same namespace, as far as that can be seen.
pub fn is_same(pid: i32) -> bool {
    match (of(pid), number(OWN)) {
        (Ok(Some((theirs, _))), Ok(ours)) => theirs == ours,
        _ => true,
    }
}

const OWN: &str = "/proc/self/ns/net";

/// The namespace of a process, or of its first thread that has not ended: a main thread that has ended
/// is in none, while others live on.
fn of(pid: i32) -> io::Result<Option<(Number, String)>> {
    for tid in processes::threads(pid).or_else(gone_is_default)? {
        let path = format!("/proc/{pid}/task/{tid}/ns/net");
        if let Some(number) = number(&path).map(Some).or_else(gone_is_default)? {
            return Ok(Some((number, path)));
        }
    }
    Ok(None)
}

/// Device and inode.
type Number = (u64, u64);

fn number(path: &str) -> io::Result<Number> {
    fs::metadata(path).map(|data| (data.st_dev(), data.st_ino()))
}

fn join(path: &Path) -> io::Result<()> {
    let namespace = File::open(path)?;
    Ok(move_into_link_name_space(
        namespace.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}
