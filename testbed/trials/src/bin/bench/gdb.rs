// SPDX-License-Identifier: GPL-2.0

//! The part of GDB's remote protocol that steps through a guest of QEMU's.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use mptcp_trials::net::wait_for;

/// The registers that a trace needs.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// Of the next instruction.
    pub ip: u64,
    /// Of the top of the stack.
    pub sp: u64,
    /// The first argument, where a function begins.
    pub di: u64,
}

/// A connection to QEMU, which has stopped the guest.
#[derive(Debug)]
pub struct Gdb {
    stream: BufReader<UnixStream>,
}

impl Gdb {
    /// Connects as soon as QEMU listens at the socket.
    pub fn connect(socket: &Path) -> Result<Self> {
        let stream = wait_for("QEMU", || Ok(UnixStream::connect(socket).ok()))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    fn send(&mut self, command: &str) -> Result<()> {
        let sum = command.bytes().fold(0, u8::wrapping_add);
        // The plus sign acknowledges the reply before.
        write!(self.stream.get_mut(), "+${command}#{sum:02x}").context("QEMU is gone")
    }

    /// The next reply, or `None` if QEMU has ended.
    fn receive(&mut self) -> Result<Option<String>> {
        let mut reply = Vec::new();
        self.stream.skip_until(b'$')?;
        self.stream.read_until(b'#', &mut reply)?;
        if reply.pop() != Some(b'#') {
            return Ok(None);
        }
        self.stream.read_exact(&mut [0; 2])?;
        Ok(Some(String::from_utf8(reply)?))
    }

    fn call(&mut self, command: &str) -> Result<String> {
        self.send(command)?;
        self.receive()?
            .context("QEMU ended in the middle of a trace")
    }

    /// Makes the guest stop at this address.
    pub fn break_at(&mut self, address: u64) -> Result<()> {
        self.send(&format!("Z0,{address:x},1"))?;
        loop {
            match self.receive()?.as_deref() {
                Some("OK") => return Ok(()),
                // The guest was stopped for the connection.
                Some(stopped) if stopped.starts_with('T') => (),
                reply => bail!("QEMU sets no breakpoint: {reply:?}"),
            }
        }
    }

    /// Lets the guest run until it stops. Returns whether it did, and has not ended.
    pub fn run(&mut self) -> Result<bool> {
        self.send("c")?;
        let reply = self.receive().ok().flatten();
        Ok(reply.is_some_and(|reply| reply.starts_with('T')))
    }

    /// Lets the guest execute one instruction, and no interrupt.
    pub fn step(&mut self) -> Result<Registers> {
        let reply = self.call("s")?;
        ensure!(reply.starts_with('T'), "QEMU does not step: {reply}");

        let all = self.call("g")?;
        // In the order of GDB: ax, bx, cx, dx, si, di, bp, sp, 8 to 15, ip.
        let register = |n: usize| -> Result<u64> {
            let digits = all
                .get(n * 16..(n + 1) * 16)
                .context("QEMU shows no registers")?;
            Ok(u64::from_str_radix(digits, 16)?.swap_bytes())
        };
        Ok(Registers {
            ip: register(16)?,
            sp: register(7)?,
            di: register(5)?,
        })
    }
}

impl Drop for Gdb {
    fn drop(&mut self) {
        // If QEMU still listens, the guest goes on alone.
        let _ = self.send("D");
    }
}
