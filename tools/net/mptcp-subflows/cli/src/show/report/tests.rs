// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::fixture::{Tcp, connection, snapshot};

const STYLE: Style = Style {
    width: Some(80),
    color: false,
    unicode: true,
};

fn many(count: u64) -> Snapshot {
    let connection = |number: u64| {
        let local = format!("192.0.2.1:{number}");
        let subflows = vec![
            Tcp::default().subflow(&local, 2 * number),
            Tcp::default().subflow(&local, 2 * number + 1),
        ];
        connection(number, subflows)
    };
    snapshot((1..=count).map(connection).collect())
}

#[test]
fn a_connection_with_its_paths() {
    let mut seen = many(1);
    seen.connections[0].processes.push(Process {
        pid: 7,
        command: "iperf3".into(),
        fds: vec![3, 5],
    });
    seen.connections[0].fallback = Some(Fallback::Handshake);
    let text = report(&seen, STYLE, None);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[1..3],
        [
            "192.0.2.1:1 → 192.0.2.200:50000  2 of 2 paths work",
            "    fell back to TCP: no MPTCP in the peer's SYN-ACK  iperf3[7] fd 3,5",
        ]
    );
    assert_eq!(lines.len(), 5);
}

#[test]
fn every_height_is_kept() {
    let seen = many(4); // 13 lines
    for height in 1..20 {
        let text = report(&seen, STYLE, Some(height));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() <= height, "{height}: {text}");
        let complete = text.matches("paths work").count() == 4;
        assert_eq!(complete, height >= 13, "{height}: {text}");
        let last = lines.last().unwrap();
        assert_eq!(last.contains("no room for"), !complete, "{height}: {text}");
    }
    let text = report(&seen, STYLE, Some(8));
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("… no room for 2 connections with 4 paths:"),
        "{last}"
    );
}

#[test]
fn what_does_not_work_comes_first() {
    let mut seen = many(9);
    let cut = Tcp {
        timeouts: 1,
        unacked: 1,
        ..Tcp::default()
    };
    seen.connections
        .push(connection(99, vec![cut.subflow("192.0.2.99:1", 99)]));
    let text = report(&seen, STYLE, Some(6));
    let line = text.lines().nth(1).unwrap();
    assert!(
        line.starts_with("192.0.2.99:1 ") && line.contains("0 of 1 path works"),
        "{line}"
    );
}

#[test]
fn listeners_have_no_paths() {
    let mut seen = many(1);
    let listener = &mut seen.connections[0];
    listener.state = TcpState::Listen;
    listener.paths.clear();
    listener.receive_queue = Some(3);
    listener.inode = 0;
    let text = report(&seen, STYLE, None);
    assert!(
        text.ends_with("\n192.0.2.1:1  listening  3 to accept  no process"),
        "{text}"
    );
}
