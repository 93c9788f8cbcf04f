// SPDX-License-Identifier: GPL-2.0

//! In the guest: a connection at full speed, and a reader that makes requests as fast as it can.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mptcp_trials::net::{
    Connection, Family, SERVER, cable_address, cabled, ip, listen_at, socket, wait_for,
};
use mptcp_trials::request::{Request, SockOpt};
use socket2::{Protocol, Socket};

use crate::results::{Line, Load, NOBODY, print};

const PORT: u16 = 5000;
const SUBFLOWS: usize = 2;
/// Sent and received at once.
const BLOCK: usize = 1 << 16;
/// Received when the connection has found its speed.
const SETTLED: u64 = 100_000_000;

/// How long, and how often.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The time for each reader, by the guest's clock
    #[arg(long, default_value_t = 200)]
    milliseconds: u64,
    /// The number of connections: no two settle at the same speed
    #[arg(long, default_value_t = 3)]
    repeat: u32,
}

/// Prints a line of JSON for each reader.
pub fn run(options: &Options) -> Result<()> {
    let duration = Duration::from_millis(options.milliseconds);
    let [client, server] = [2, SERVER].map(|n| cable_address(Family::V4, n));
    for _ in 0..options.repeat {
        let networks = cabled(2)?;
        let listen = || Ok(listen_at(Family::V4, Protocol::MPTCP, (server, PORT))?);
        let listener = networks[1].within(listen)?;
        networks[0].enter()?;
        ip(&format!("mptcp endpoint add {client} dev cable subflow\n"))?;
        let connection = Connection::connect(socket(Family::V4, Protocol::MPTCP)?, &listener)?;
        connection.exchange()?;
        connection.wait_for_subflows(SUBFLOWS)?;
        load(&connection, duration)?;
    }
    Ok(())
}

fn load(connection: &Connection, duration: Duration) -> Result<()> {
    let received = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| send(&connection.client));
        scope.spawn(|| receive(&connection.server, &received));

        let result = wait_for("the connection to settle", || {
            Ok((received.load(Relaxed) > SETTLED).then_some(()))
        });
        let result = result.and_then(|()| read(&connection.client, &received, duration));
        connection.client.shutdown(Shutdown::Both)?;
        result
    })
}

fn send(mut socket: &Socket) {
    while socket.write_all(&[0; BLOCK]).is_ok() {}
}

fn receive(mut socket: &Socket, received: &AtomicU64) {
    let mut block = vec![0; BLOCK];
    while let Ok(len @ 1..) = socket.read(&mut block) {
        received.fetch_add(len as u64, Relaxed);
    }
}

/// Measures one reader after the other.
fn read(socket: &Socket, received: &AtomicU64, duration: Duration) -> Result<()> {
    let report = |reader: &str, calls: &mut dyn FnMut(Instant) -> Result<u64>| -> Result<()> {
        // The speed settles.
        calls(Instant::now() + duration / 5)?;

        let (start, before) = (Instant::now(), received.load(Relaxed));
        let calls = calls(start + duration)? as f64;
        let (bytes, time) = (
            (received.load(Relaxed) - before) as f64,
            start.elapsed().as_secs_f64(),
        );
        ensure!(bytes > 0.0, "no data arrives beside the reader {reader}");
        print(&Line::Load(Load {
            reader: reader.to_owned(),
            throughput: bytes / time,
            calls: calls / time,
        }))
    };

    report(NOBODY, &mut |end| {
        thread::sleep(end - Instant::now());
        Ok(0)
    })?;
    report("getppid", &mut |end| {
        // SAFETY: This one has no arguments.
        poll(end, || unsafe { libc::syscall(libc::SYS_getppid) > 0 })
    })?;
    for option in SockOpt::ALL {
        let request = Request::new(option, SUBFLOWS);
        let mut reply = request.buffers(0);
        report(option.name(), &mut |end| {
            poll(end, || {
                request.repeat(socket, &mut reply);
                reply.ret == 0
            })
        })?;
    }
    Ok(())
}

/// Makes calls until `end`. Returns how many.
fn poll(end: Instant, mut call: impl FnMut() -> bool) -> Result<u64> {
    let mut calls = 0;
    while Instant::now() < end {
        for _ in 0..16 {
            ensure!(
                call(),
                "a request of the reader fails: {}",
                std::io::Error::last_os_error()
            );
            calls += 1;
        }
    }
    Ok(calls)
}
