// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! Connects, sends a request and shows the paths that it took, or why there is but one:
//! `cargo run --example std -- HOST:PORT`

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use mptcp_subflows::{Error, fallback, subflows};
use socket2::{Domain, Protocol, Socket, Type};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = std::env::args().nth(1).ok_or("usage: std HOST:PORT")?;
    let address = host.to_socket_addrs()?.next().ok_or("no address")?;

    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP))?;
    socket.connect(&address.into())?;
    // From here on nothing differs from TCP.
    let mut stream = TcpStream::from(socket);
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let len = stream.read(&mut [0; 1 << 16])?;
    println!("{len} bytes");

    match subflows(&stream) {
        Ok(all) => {
            for subflow in &all {
                let rtt = subflow.tcp_info().rtt();
                println!("{} -> {}: {rtt:?}", subflow.local(), subflow.remote());
            }
        }
        Err(error @ Error::Fallback) => {
            println!("{error}");
            if let Some(tcp) = fallback(&stream)? {
                println!("RTT {:?}", tcp.tcp_info().rtt());
            }
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
