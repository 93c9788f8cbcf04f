// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! Against a kernel that answers with what Linux 6.18 on x86-64 did.

#![cfg(target_endian = "little")]

use std::collections::{BTreeMap, VecDeque};
use std::io;

use super::*;

/// A connection of three subflows, of which one is a backup; one that fell back; one that nobody has
/// accepted yet; and their listener. For the clients at 127.0.0.1, ports 40000 to 40002.
const MPTCP: &[u8] = include_bytes!("recorded/mptcp.bin");
/// The TCP sockets of the same moment.
const TCP: &[u8] = include_bytes!("recorded/tcp.bin");

/// `struct nlmsghdr` and `struct inet_diag_msg`.
const HEADERS: usize = 16 + 72;

/// Answers requests for IPv4, and lists nothing for IPv6.
struct FakeKernel {
    mptcp: Vec<u8>,
    tcp: Vec<u8>,
    /// Instead of an answer.
    error: Option<(u16, i32)>,
    requests: Vec<(u8, u32)>,
    answers: VecDeque<Vec<u8>>,
}

impl FakeKernel {
    fn new() -> Self {
        Self {
            mptcp: MPTCP.to_vec(),
            tcp: TCP.to_vec(),
            error: None,
            requests: Vec::new(),
            answers: VecDeque::new(),
        }
    }

    fn list(mut self) -> Result<Connections, Error> {
        connections(&mut self, &CONNECTED)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// A message that ends a list, with an error number.
fn end(kind: u16, number: i32) -> Vec<u8> {
    let mut bytes = vec![0; 20];
    bytes[..4].copy_from_slice(&20u32.to_ne_bytes());
    bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
    bytes[16..].copy_from_slice(&number.to_ne_bytes());
    bytes
}

impl Transport for FakeKernel {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        assert_eq!(datagram.len(), word(datagram, 0) as usize);
        assert_eq!(datagram.len(), 16 + 56 + 8);
        let (family, protocol) = (datagram[16], word(datagram, 76));
        self.requests.push((family, protocol));
        let answer = match (self.error, i32::from(family), protocol as i32) {
            (Some((kind, number)), ..) => end(kind, number),
            (None, libc::AF_INET, libc::IPPROTO_MPTCP) => self.mptcp.clone(),
            (None, libc::AF_INET, libc::IPPROTO_TCP) => self.tcp.clone(),
            _ => end(3, 0),
        };
        self.answers = [answer].into();
        Ok(())
    }

    fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let answer = self.answers.pop_front();
        buffer.extend(answer.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Where each message of `bytes` begins.
fn messages(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![0];
    while let Some(next) = starts.last().map(|at| at + word(bytes, *at) as usize) {
        if next >= bytes.len() {
            break;
        }
        starts.push(next);
    }
    starts
}

#[test]
fn connections_have_their_subflows() {
    let found = FakeKernel::new().list().unwrap();
    assert!(!found.limited);
    let by_ports: BTreeMap<_, _> = found
        .list
        .iter()
        .map(|c| ((c.local.port(), c.remote.port()), c))
        .collect();
    assert_eq!(
        Vec::from_iter(by_ports.keys().copied()),
        [
            (5000, 0),
            (5000, 40000),
            (5000, 40002),
            (40000, 5000),
            (40001, 6000),
            (40002, 5000)
        ]
    );

    let client = by_ports[&(40000, 5000)];
    assert_eq!(client.state, TcpState::Established);
    assert_eq!(client.info.token(), Some(0xde6d1ca0));
    assert_eq!(client.info.subflows_total(), Some(3));
    assert_ne!(client.inode, 0);
    assert_eq!(client.fallback(), None);
    let rows: Vec<_> = client
        .subflows
        .iter()
        .map(|subflow| {
            let details = subflow.details().unwrap();
            let flags = details.flags().unwrap();
            assert!(subflow.tcp_info().rtt().is_some());
            assert_eq!(subflow.remote().to_string(), "127.0.0.1:5000");
            (
                subflow.local().ip().to_string(),
                details.local_id(),
                details.interface().map(u32::from),
                (flags.is_join(), flags.backup_local()),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("127.0.0.1".into(), Some(0), None, (false, false)),
            ("127.0.0.2".into(), Some(1), Some(1), (true, false)),
            ("127.0.0.3".into(), Some(2), Some(1), (true, true)),
        ]
    );
    let server = by_ports[&(5000, 40000)];
    let backup = server.subflows[2].details().unwrap();
    assert!(backup.flags().unwrap().backup_remote());
    assert_eq!(backup.remote_id(), Some(2));

    let fallback = by_ports[&(40001, 6000)];
    assert_eq!(fallback.fallback(), Some(Fallback::Handshake));
    assert_eq!(fallback.subflows.len(), 1);

    let not_accepted = by_ports[&(5000, 40002)];
    assert_eq!((not_accepted.inode, not_accepted.subflows.len()), (0, 1));
    let listener = by_ports[&(5000, 0)];
    assert_eq!(listener.state, TcpState::Listen);
    assert_eq!((listener.receive_queue, listener.subflows.len()), (1, 0));
}

#[test]
fn more_subflows_than_any_limit() {
    let mut kernel = FakeKernel::new();
    let starts = messages(TCP);
    let more = starts
        .windows(2)
        .map(|pair| &TCP[pair[0]..pair[1]])
        .collect::<Vec<_>>()
        .concat();
    kernel.tcp = [more.repeat(65), TCP.to_vec()].concat();
    let found = kernel.list().unwrap();
    let most = found
        .list
        .iter()
        .map(|connection| connection.subflows.len())
        .max();
    assert_eq!(most, Some(3 * 66));
}

#[test]
fn both_families_are_asked_for() {
    let mut kernel = FakeKernel::new();
    connections(&mut kernel, &CONNECTED).unwrap();
    assert_eq!(kernel.requests, [(2, 262), (10, 262), (2, 6), (10, 6)]);
}

/// As Linux before 6.15 lists connections to a caller without CAP_NET_ADMIN. It is the only test of that
/// where no machine has such a kernel.
#[test]
fn without_tokens_the_addresses_are_left() {
    let mut kernel = FakeKernel::new();
    for start in messages(&kernel.tcp) {
        let end = start + word(&kernel.tcp, start) as usize;
        let mut at = start + HEADERS;
        while at + 4 <= end {
            let len = u16::from_ne_bytes([kernel.tcp[at], kernel.tcp[at + 1]]);
            if kernel.tcp[at + 2..at + 4] == 19u16.to_ne_bytes() {
                kernel.tcp[at + 2] = 200; // a kind that nobody knows
            }
            at += usize::from(len).next_multiple_of(4);
        }
    }
    let found = kernel.list().unwrap();
    assert!(found.limited);
    for connection in &found.list {
        let connected = connection.state != TcpState::Listen;
        assert_eq!(connection.subflows.len(), usize::from(connected));
        for subflow in &connection.subflows {
            assert_eq!(subflow.local(), connection.local);
            assert_eq!(subflow.details().unwrap().flags(), None);
        }
    }
    let fallbacks = found.list.iter().filter_map(Connection::fallback);
    assert_eq!(Vec::from_iter(fallbacks), [Fallback::Unknown]);
}

#[test]
fn refusals_are_told_apart() {
    for kind in [2, 3] {
        let mut kernel = FakeKernel::new();
        kernel.error = Some((kind, -libc::ENOENT));
        assert!(matches!(kernel.list(), Err(Error::NoDiag)));

        let mut kernel = FakeKernel::new();
        kernel.error = Some((kind, -libc::EPERM));
        let error = kernel.list().unwrap_err();
        assert!(
            matches!(&error, Error::Os { call: "sock_diag of MPTCP", source }
                if source.raw_os_error() == Some(libc::EPERM)),
            "{error:?}"
        );
    }
    let mut kernel = FakeKernel::new();
    kernel.error = Some((3, 1));
    assert!(matches!(kernel.list(), Err(Error::Malformed { .. })));
}

#[test]
fn what_is_cut_short_is_no_answer() {
    for len in 0..TCP.len() {
        let mut kernel = FakeKernel::new();
        kernel.tcp.truncate(len);
        let answer = kernel.list();
        // Between two messages another datagram could follow.
        let expected = match messages(TCP).contains(&len) && len > 0 {
            true => matches!(answer, Err(Error::Os { .. })),
            false => matches!(answer, Err(Error::Malformed { .. })),
        };
        assert!(expected, "{len}: {answer:?}");
    }
}

#[test]
fn an_attribute_beyond_its_message() {
    let mut kernel = FakeKernel::new();
    kernel.mptcp[HEADERS..HEADERS + 2].copy_from_slice(&u16::MAX.to_ne_bytes());
    assert!(matches!(kernel.list(), Err(Error::Malformed { .. })));
}
