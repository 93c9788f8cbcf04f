// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! A server that echoes what it gets, and logs the paths of each connection when it ends:
//! `cargo run --example server -- ADDR:PORT`

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use mptcp_subflows::subflows;
use socket2::{Domain, Protocol, Socket, Type};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: server ADDR:PORT")?;
    let address: SocketAddr = address.parse()?;

    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;

    for stream in TcpListener::from(socket).incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) = serve(stream) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let peer = stream.peer_addr()?;
    let mut buffer = [0; 1 << 16];
    loop {
        match stream.read(&mut buffer)? {
            0 => break,
            len => stream.write_all(&buffer[..len])?,
        }
    }
    match subflows(&stream) {
        Ok(all) => {
            for subflow in &all {
                let tcp = subflow.tcp_info();
                let (received, rtt) = (tcp.bytes_received(), tcp.rtt());
                println!(
                    "{peer}: {} received {received:?}, RTT {rtt:?}",
                    subflow.remote()
                );
            }
        }
        // A peer without MPTCP is welcome, too.
        Err(error) => println!("{peer}: {error}"),
    }
    Ok(())
}
