// SPDX-License-Identifier: GPL-2.0

//! `serve`: the peer for `send`.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::thread;

use anyhow::{Context, anyhow};
use mptcp_subflows::subflows;
use socket2::{Protocol, Socket};

use super::{Host, is_retry, mptcp_socket};
use crate::text::{bytes, plural};
use crate::{Outcome, say, stdout};

/// Be the peer for `send`: accept MPTCP connections, read all they bring and send some of it back
///
/// Prints "listening on ADDR:PORT" once connections are accepted, and one line for each that ends.
#[derive(clap::Args)]
pub struct Args {
    /// Address to listen on: 0.0.0.0 or [::] if subflows come to several, port 0 for a free one
    #[arg(value_name = "HOST:PORT")]
    address: Host,

    /// End with the first connection; exit status 1 if that one is plain TCP
    #[arg(long)]
    once: bool,
}

/// Of this many bytes read, one is sent back.
const ECHO: usize = 8;

pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let listener = listen(&args.address).with_context(|| format!("listen on {}", args.address))?;
    let address = listener.local_addr()?.as_socket();
    let address = address.map_or_else(|| args.address.to_string(), |address| address.to_string());
    stdout::print(&format!("listening on {address}"))?;

    loop {
        let (socket, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error).context("accept"),
        };
        let peer = peer.as_socket().map_or_else(String::new, |p| p.to_string());
        let is_mptcp = socket.protocol()? == Some(Protocol::MPTCP);
        if args.once {
            serve(&socket, &peer)?;
            return Ok(match is_mptcp {
                true => Outcome::Found,
                false => Outcome::Nothing(format!("{peer} does not use MPTCP")),
            });
        }
        thread::Builder::new()
            .spawn(move || {
                if let Err(error) = serve(&socket, &peer) {
                    say(&format!("{error:#}"));
                }
            })
            .context("thread for a connection")?;
    }
}

/// At the first of the host's addresses where that is possible.
fn listen(host: &Host) -> anyhow::Result<Socket> {
    let mut last = None;
    for address in host.resolve()? {
        match listen_at(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| anyhow!("{host} has no address")))
}

fn listen_at(address: SocketAddr) -> anyhow::Result<Socket> {
    let socket = mptcp_socket(address)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(16)?;
    Ok(socket)
}

/// One connection, until the peer ends it.
fn serve(mut socket: &Socket, peer: &str) -> anyhow::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    let (mut received, mut echoed) = (0, 0);
    loop {
        let len = match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if is_retry(&error) => continue,
            Err(error) => return Err(error).with_context(|| format!("read from {peer}")),
        };
        received += len as u64;
        // Never waits: a peer that does not read must not keep us from reading.
        let echo = &buffer[..len.div_ceil(ECHO)];
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        match socket.send_with_flags(echo, flags) {
            Ok(len) => echoed += len as u64,
            Err(error) if is_retry(&error) => {}
            Err(error) => return Err(error).with_context(|| format!("send to {peer}")),
        }
    }
    let over = match subflows(socket) {
        Ok(subflows) => plural(subflows.len(), "subflow", "subflows"),
        Err(_) => "plain TCP".into(),
    };
    let (received, echoed) = (bytes(received), bytes(echoed));
    stdout::print(&format!(
        "{peer}: received {received}, sent back {echoed}, over {over}"
    ))
}
