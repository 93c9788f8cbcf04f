// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! Sends as fast as possible, and shows the rate of each path every second:
//! `cargo run --example tokio -- ADDR:PORT`

use std::time::{Duration, Instant};

use mptcp_subflows::{Reader, Sample};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::interval;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: tokio ADDR:PORT")?;
    let address: std::net::SocketAddr = address.parse()?;

    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP))?;
    socket.connect(&address.into())?;
    socket.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(socket.into())?;

    let mut reader = Reader::new();
    let mut before = None;
    let mut tick = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            sent = stream.write(&[0; 1 << 16]) => {
                sent?;
            }
            _ = tick.tick() => {
                let all = reader.read(&stream)?;
                let now = Sample::of(Instant::now(), all);
                let deltas = before.map(|before| now.since(&before)).unwrap_or_default();
                for subflow in all {
                    let delta = subflow.id().and_then(|id| deltas.get(&id));
                    let rate = delta.and_then(|delta| delta.acked_rate());
                    println!("{} -> {}: {rate:?} B/s", subflow.local(), subflow.remote());
                }
                before = Some(now);
            }
        }
    }
}
