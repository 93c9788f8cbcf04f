// SPDX-License-Identifier: GPL-2.0

//! The events of the path manager.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Events of a network.
#[derive(Debug)]
pub struct Events {
    monitor: Child,
    lines: Receiver<String>,
}

impl Events {
    /// Reports those of the calling thread's network from now on.
    pub fn begin() -> Result<Self> {
        // Room for more events than come in a second. If some are lost nevertheless, there were more changes
        // than are counted.
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
