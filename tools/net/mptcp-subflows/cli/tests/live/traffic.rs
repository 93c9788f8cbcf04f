// SPDX-License-Identifier: GPL-2.0

//! `send` and `serve`.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;

use testkit::{network, sockets};

use crate::program::{Server, complaint, parse_all, program, run};

pub fn send_sees_every_subflow() {
    network::alone(&network::endpoints(2), || {
        let server = Server::start("127.0.0.1:0 --once");
        let output = run(&format!(
            "send {} --json --expect-subflows 3",
            server.address
        ));
        assert_eq!(output.status.code(), Some(0), "{output:?}");

        let reports = parse_all(std::str::from_utf8(&output.stdout).unwrap());
        let (last, others) = reports.split_last().unwrap();
        assert!(others.iter().all(|report| report["final"] == false));
        assert_eq!(last["final"], true);
        let list = last["paths"].as_array().unwrap();
        assert_eq!(list.len(), 3);
        for subflow in list {
            assert_eq!(subflow["state"], "ESTABLISHED");
            assert!(
                subflow["tcp_info"]["tcpi_bytes_acked"].as_u64() > Some(2),
                "{subflow}"
            );
        }
        let (status, text) = server.end();
        assert_eq!(status, Some(0));
        assert!(text.ends_with("over 3 subflows\n"), "{text}");
    });
}

pub fn send_misses_a_subflow() {
    network::alone(&network::endpoints(1), || {
        let server = Server::start("127.0.0.1:0");
        let arguments = format!("send {} --expect-subflows 3", server.address);
        runs_out_of_time(&arguments, "expected 3 subflows with data, saw ");
    });
}

pub fn send_moves_what_was_asked_for() {
    let server = Server::start("127.0.0.1:0 --once");
    let output = run(&format!("send {} --bytes 123456", server.address));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("at the end: 123 kB sent"), "{table}");
    assert!(table.contains(&format!("→ {}", server.address)), "{table}");
    let (status, text) = server.end();
    assert_eq!(status, Some(0));
    assert!(text.contains("received 123 kB"), "{text}");
}

pub fn send_runs_out_of_time() {
    let listener = sockets::listener("127.0.0.1:0");
    let address = listener.local_addr().unwrap();
    // Nobody reads.
    let arguments = format!("send {address} --bytes 1000000000");
    runs_out_of_time(&arguments, " of 1.00 GB");
}

/// Runs the program until it complains about what is missing. A busy machine may not even connect in a second.
fn runs_out_of_time(arguments: &str, missing: &str) {
    let mut texts = Vec::new();
    for deadline in [1, 10, 60] {
        let (status, text) = complaint(&run(&format!("{arguments} --deadline {deadline}")));
        if text.contains(missing) {
            assert_eq!(status, Some(1), "{text}");
            return;
        }
        texts.push(text);
    }
    panic!("no complaint with {missing:?}: {texts:?}");
}

pub fn send_waits_for_the_peer() {
    // A port of which nobody else makes use: bound, but not listening yet.
    let (socket, address) = sockets::bound("127.0.0.1:0");

    let mut command = program(&format!("send {address}"));
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let line = lines.next().unwrap();
    assert!(
        line.contains(&format!("waiting for {address} to listen")),
        "{line}"
    );

    socket.listen(1).unwrap();
    let (mut stream, _) = socket.accept().unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 1_000_000);

    let line = lines.next().unwrap();
    assert!(
        line.contains(&format!("waiting for {address} to close its side")),
        "{line}"
    );
    drop(stream);
    assert_eq!(lines.next(), None);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

pub fn send_has_no_peer() {
    let (_socket, address) = sockets::bound("127.0.0.1:0");
    let output = run(&format!("send {address} --deadline 0.2"));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    let last = text.lines().last().unwrap();
    assert!(
        last.contains(&format!("connect to {address}: Connection refused")),
        "{text}"
    );
}

pub fn send_has_a_tcp_peer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (status, text) = complaint(&run(&format!("send {}", listener.local_addr().unwrap())));
    assert_eq!(status, Some(2));
    assert!(text.contains("fell back to plain TCP"), "{text}");
}

pub fn send_loses_the_peer() {
    let listener = sockets::listener("127.0.0.1:0");
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || {
        drop(
            listener
                .accept()
                .unwrap()
                .0
                .shutdown(std::net::Shutdown::Both),
        )
    });
    let (status, text) = complaint(&run(&format!("send {address} --for 10")));
    peer.join().unwrap();
    assert_eq!(status, Some(2));
    assert!(text.contains(&address.to_string()), "{text}");
}

pub fn serve_refuses_to_call_tcp_mptcp() {
    let server = Server::start("127.0.0.1:0 --once");
    drop(TcpStream::connect(&server.address).unwrap());
    let (status, text) = server.end();
    assert_eq!(status, Some(1));
    assert!(text.ends_with("over plain TCP\n"), "{text}");
}

pub fn serve_address_in_use() {
    let server = Server::start("127.0.0.1:0");
    let (status, text) = complaint(&run(&format!("serve {}", server.address)));
    assert_eq!(status, Some(2));
    assert!(
        text.contains(&format!("listen on {}", server.address)),
        "{text}"
    );
}

pub fn reader_of_stdout_goes_away() {
    let server = Server::start("127.0.0.1:0");
    let mut command = program(&format!("send {} --for 10 --interval 0.01", server.address));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

pub fn wrong_arguments() {
    for arguments in [
        "show",
        "--pid 0",
        "--fd 3",
        "--watch 0",
        "--addr 10.0.0.0/33",
        "--state nowhere",
        "--name=",
        "--json --openmetrics",
        "send 127.0.0.1",
        "send 127.0.0.1:1 --for 0",
        "send 127.0.0.1:1 --for x",
        "send 127.0.0.1:1 --for 1e10",
        "send 127.0.0.1:1 --for nan",
        "send 127.0.0.1:1 --for 5 --bytes 5",
        "send 127.0.0.1:1 --for 5 --deadline 1",
        "serve nowhere",
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(!output.stderr.is_empty(), "{arguments}");
    }
}

pub fn hosts_have_names() {
    let server = Server::start("localhost:0 --once");
    let port = server.address.rsplit_once(':').unwrap().1;
    let output = run(&format!("send localhost:{port}"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(server.end().0, Some(0));

    let (status, text) = complaint(&run("send no-such-host.invalid:1"));
    assert_eq!(status, Some(2));
    assert!(text.contains("resolve no-such-host.invalid:1: "), "{text}");
}
