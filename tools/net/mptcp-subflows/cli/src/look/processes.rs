// SPDX-License-Identifier: GPL-2.0

//! The descriptors of processes, as /proc shows them.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::Trouble;
use crate::model::Process;

/// Whose descriptors.
pub enum Which<'a> {
    All,
    Pid(i32),
    Name(&'a str),
}

/// A descriptor of a socket.
pub struct Descriptor<'a> {
    pub pid: i32,
    /// The thread in which it was found.
    pub tid: i32,
    pub command: &'a str,
    pub fd: i32,
    pub inode: u64,
    pub path: PathBuf,
}

/// A process that could not be looked into.
pub struct Refused {
    pub pid: i32,
    pub source: io::Error,
}

impl Descriptor<'_> {
    /// Adds it to those that hold its socket.
    pub fn add_to(&self, holders: &mut Vec<Process>) {
        if let Some(known) = holders.iter_mut().find(|known| known.pid == self.pid) {
            known.fds.push(self.fd);
            known.fds.sort_unstable();
            return;
        }
        holders.push(Process {
            pid: self.pid,
            command: self.command.into(),
            fds: vec![self.fd],
        });
    }
}

/// Calls `visit` with every descriptor of a socket, one after the other.
pub fn walk(
    which: &Which,
    refused: &mut Vec<Refused>,
    mut visit: impl FnMut(&Descriptor),
) -> anyhow::Result<()> {
    let pids = match which {
        Which::Pid(pid) => vec![*pid],
        Which::All | Which::Name(_) => all(refused),
    };
    for pid in pids {
        let command = match command(pid) {
            Ok(command) => command,
            Err(error) if is_gone(&error) && !exists(pid) => match which {
                Which::Pid(_) => return Err(Trouble::NoProcess(pid).into()),
                Which::All | Which::Name(_) => continue,
            },
            Err(source) => {
                refused.push(Refused { pid, source });
                continue;
            }
        };
        if matches!(which, Which::Name(name) if cut(name) != command) {
            continue;
        }
        if let Err(source) = walk_process(pid, &command, &mut visit) {
            refused.push(Refused { pid, source });
        }
    }
    Ok(())
}

/// The processes that /proc shows.
fn all(refused: &mut Vec<Refused>) -> Vec<i32> {
    let (pids, source) = match numbers("/proc").or_else(gone_is_default) {
        // There always is a process 1.
        Ok(pids) if pids.contains(&1) => return pids,
        Ok(pids) => {
            let text = "/proc is not mounted, or hides processes";
            (pids, io::Error::new(io::ErrorKind::PermissionDenied, text))
        }
        Err(source) => (Vec::new(), source),
    };
    refused.push(Refused { pid: 1, source });
    pids
}

/// What the kernel keeps of a process's name: `TASK_COMM_LEN` less a zero.
fn cut(name: &str) -> Cow<'_, str> {
    String::from_utf8_lossy(&name.as_bytes()[..name.len().min(15)])
}

fn walk_process(pid: i32, command: &str, visit: &mut impl FnMut(&Descriptor)) -> io::Result<()> {
    if walk_folder(format!("/proc/{pid}/fd"), [pid, pid], command, visit)? {
        return Ok(());
    }
    // A main thread that has ended has no descriptors, while others of the process live on with them.
    for tid in threads(pid).or_else(gone_is_default)? {
        if walk_folder(
            format!("/proc/{pid}/task/{tid}/fd"),
            [pid, tid],
            command,
            visit,
        )? {
            return Ok(());
        }
    }
    Ok(())
}

/// Returns whether there was any descriptor.
fn walk_folder(
    folder: String,
    [pid, tid]: [i32; 2],
    command: &str,
    visit: &mut impl FnMut(&Descriptor),
) -> io::Result<bool> {
    let fds = numbers(&folder).or_else(gone_is_default)?;
    for fd in &fds {
        let path = PathBuf::from(format!("{folder}/{fd}"));
        let target = match fs::read_link(&path) {
            Ok(target) => target,
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(error),
        };
        let inode = target.to_str().and_then(|target| {
            let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?;
            inode.parse().ok()
        });
        if let Some(inode) = inode {
            visit(&Descriptor {
                pid,
                tid,
                command,
                fd: *fd,
                inode,
                path,
            });
        }
    }
    Ok(!fds.is_empty())
}

/// The threads of a process, the main thread included.
pub fn threads(pid: i32) -> io::Result<Vec<i32>> {
    numbers(&format!("/proc/{pid}/task"))
}

fn numbers(folder: &str) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        numbers.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i32>().ok()),
        );
    }
    Ok(numbers)
}

fn command(pid: i32) -> io::Result<String> {
    let command = fs::read(format!("/proc/{pid}/comm"))?;
    Ok(String::from_utf8_lossy(&command)
        .trim_end_matches('\n')
        .into())
}

/// Only what has ended or was closed may be passed over.
pub fn is_gone(error: &io::Error) -> bool {
    let gone = [libc::ENOENT, libc::ESRCH, libc::EBADF];
    error
        .raw_os_error()
        .is_some_and(|errno| gone.contains(&errno))
}

/// For `or_else`.
pub fn gone_is_default<T: Default>(error: io::Error) -> io::Result<T> {
    match is_gone(&error) {
        true => Ok(T::default()),
        false => Err(error),
    }
}

/// Whether there is such a process, whatever /proc shows of it.
pub fn exists(pid: i32) -> bool {
    !open(pid, PidfdFlags::empty()).is_err_and(|error| is_gone(&error))
}

/// A descriptor for a process.
pub fn open(pid: i32, flags: PidfdFlags) -> io::Result<std::os::fd::OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(Errno::SRCH)?;
    Ok(pidfd_open(pid, flags)?)
}

/// Waits until the process ends, but no longer than `time`; returns whether it did.
pub fn ends_within(pid: i32, time: Duration) -> io::Result<bool> {
    let process = match open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(error) if is_gone(&error) => return Ok(true),
        Err(error) => return Err(error),
    };
    // It becomes readable when the process ends.
    let mut fds = [PollFd::new(&process, PollFlags::IN)];
    match poll(
        &mut fds,
        Some(&Timespec::try_from(time).map_err(io::Error::other)?),
    ) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
