// SPDX-License-Identifier: GPL-2.0

//! MPTCP sockets and connections.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Protocol, Socket, Type};

use crate::PATIENCE;

/// An MPTCP socket for connections to or from `address`.
pub fn socket(address: &str) -> io::Result<Socket> {
    let address: SocketAddr = address.parse().unwrap();
    let domain = Domain::for_address(address);
    Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP))
}

/// One that is bound to `address`, but does not listen.
pub fn bound(address: &str) -> (Socket, SocketAddr) {
    let socket = socket(address).unwrap();
    let address: SocketAddr = address.parse().unwrap();
    socket.bind(&address.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// One that listens at `address`.
pub fn listener(address: &str) -> TcpListener {
    let (socket, _) = bound(address);
    socket.listen(4096).unwrap();
    socket.into()
}

/// One that is connected to `address`.
pub fn connect(address: SocketAddr) -> TcpStream {
    let socket = socket(&address.to_string()).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Both ends of an MPTCP connection to a listener, over which data went in both directions: before
/// that no further subflow can join.
pub fn connected(listener: &TcpListener) -> (TcpStream, TcpStream) {
    connected_after(listener, |_| ())
}

/// The same with a listener of its own: without it no further subflow can join either.
pub fn pair(address: &str) -> (TcpStream, TcpStream, TcpListener) {
    pair_after(address, |_| ())
}

/// The same, with a server that is accepted when `joined` returns, which waits for the client's further
/// subflows. Where both ends have the same endpoints, an accepted server uses them too, and each
/// attempt takes one of the places that the limit leaves for subflows.
pub fn pair_after(
    address: &str,
    joined: impl FnOnce(&TcpStream),
) -> (TcpStream, TcpStream, TcpListener) {
    let listener = listener(address);
    let (client, server) = connected_after(&listener, joined);
    (client, server, listener)
}

fn connected_after(
    listener: &TcpListener,
    joined: impl FnOnce(&TcpStream),
) -> (TcpStream, TcpStream) {
    let mut client = connect(listener.local_addr().unwrap());
    client.write_all(&[1; 5000]).unwrap();
    joined(&client);
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();

    server.read_exact(&mut [0; 5000]).unwrap();
    server.write_all(&[2; 300]).unwrap();
    client.read_exact(&mut [0; 300]).unwrap();
    (client, server)
}
