// SPDX-License-Identifier: GPL-2.0

//! Processes of ip(8) that go on: to start one for each command would take long in an emulated guest.

use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// What runs commands in a network.
#[derive(Debug)]
pub struct Ip {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Ip {
    /// Starts it in the network of the calling thread.
    pub fn begin() -> Result<Self> {
        // Without stdbuf, output to a pipe comes late.
        let mut process = Command::new("stdbuf")
            .args(["--output=L", "ip", "-batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("stdbuf does not run")?;
        let output = BufReader::new(process.stdout.take().context("no pipe")?);
        Ok(Self { process, output })
    }

    /// Runs a command. Returns what it prints.
    pub fn run(&mut self, command: &str) -> Result<String> {
        /// Prints one line: behind the output of the command.
        const LAST: &str = "mptcp limits show";
        let commands = self.process.stdin.as_mut().context("no pipe")?;
        writeln!(commands, "{command}\n{LAST}").context("ip has ended")?;
        let mut printed = String::new();
        loop {
            let len = printed.len();
            let read = self.output.read_line(&mut printed)?;
            ensure!(read > 0, "ip {command} failed");
            if printed[len..].starts_with("add_addr_accepted") {
                printed.truncate(len);
                return Ok(printed);
            }
        }
    }

    /// The number of the path manager's endpoint for an address. Those that the kernel has added by
    /// itself do not count: another one for the same address replaces them.
    pub fn endpoint(&mut self, address: IpAddr) -> Result<Option<String>> {
        let endpoints = self.run("mptcp endpoint show")?;
        let begin = format!("{address} id ");
        let mut rest = endpoints
            .lines()
            .filter(|line| !line.contains("implicit"))
            .filter_map(|line| line.strip_prefix(&begin));
        Ok(rest.find_map(|rest| Some(rest.split(' ').next()?.to_owned())))
    }
}

impl Drop for Ip {
    fn drop(&mut self) {
        // This closes the pipe, so that there are no more commands.
        let _ = self.process.wait();
    }
}

/// The events of a path manager.
#[derive(Debug)]
pub struct Events {
    monitor: Child,
    lines: Receiver<String>,
}

impl Events {
    /// Reports those of the calling thread's network from now on.
    pub fn begin() -> Result<Self> {
        // Room for more events than come in a second. If some are lost nevertheless, there were more
        // changes than are counted.
        let mut monitor = Command::new("ip")
            .args(["-rcvbuf", "8388608", "mptcp", "monitor"])
            .stdout(Stdio::piped())
            .spawn()
            .context("ip (package iproute2) does not run")?;
        let output = monitor.stdout.take().context("no pipe")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
        Ok(Self { monitor, lines })
    }

    /// Waits for events, at most so long. Returns how many subflows were established, and closed.
    pub fn wait(&self, timeout: Duration) -> Result<(usize, usize)> {
        let first = match self.lines.recv_timeout(timeout) {
            Err(RecvTimeoutError::Disconnected) => bail!("ip mptcp monitor has ended"),
            first => first.ok(),
        };
        let (mut established, mut closed) = (0, 0);
        for line in first.into_iter().chain(self.lines.try_iter()) {
            established += usize::from(line.contains("SF_ESTABLISHED"));
            closed += usize::from(line.contains("SF_CLOSED"));
        }
        Ok((established, closed))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}
