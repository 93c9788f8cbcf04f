// SPDX-License-Identifier: GPL-2.0

use mptcp_subflows::diag::Fallback;

use super::*;
use crate::fixture::{Tcp, connection, snapshot};

fn words(before: Option<&Snapshot>, after: &Snapshot) -> Vec<&'static str> {
    between(before, after)
        .iter()
        .map(|event| event.kind.word())
        .collect()
}

fn of(paths: &[(u64, Tcp)]) -> Snapshot {
    let subflow = |(cookie, tcp): &(u64, Tcp)| tcp.subflow("192.0.2.1:1", *cookie);
    snapshot(vec![connection(1, paths.iter().map(subflow).collect())])
}

#[test]
fn connections_come_and_go() {
    let (none, one) = (snapshot(Vec::new()), of(&[(1, Tcp::default())]));
    assert_eq!(words(None, &one), ["present"]);
    assert_eq!(words(Some(&none), &one), ["new"]);
    assert_eq!(words(Some(&one), &none), ["closed"]);
    assert!(words(Some(&one), &one).is_empty());

    // Another one with the same addresses.
    let mut other = one.clone();
    other.connections[0].cookie = Some(2);
    assert_eq!(words(Some(&one), &other), ["closed", "new"]);
}

#[test]
fn a_connection_outlives_its_file() {
    let one = of(&[(1, Tcp::default())]);
    let mut orphan = one.clone();
    orphan.connections[0].inode = 0;
    assert!(words(Some(&one), &orphan).is_empty());
    assert!(words(Some(&orphan), &one).is_empty());
}

#[test]
fn paths_come_and_go() {
    let (one, two) = (
        of(&[(1, Tcp::default())]),
        of(&[(1, Tcp::default()), (2, Tcp::default())]),
    );
    assert_eq!(words(Some(&one), &two), ["path_new"]);
    assert_eq!(words(Some(&two), &one), ["path_closed"]);
}

#[test]
fn paths_fail_and_recover() {
    let cut = Tcp {
        timeouts: 1,
        unacked: 1,
        last: 400,
        ..Tcp::default()
    };
    let (good, bad) = (of(&[(1, Tcp::default())]), of(&[(1, cut)]));
    assert_eq!(words(None, &bad), ["present", "path_down"]);
    assert_eq!(words(Some(&good), &bad), ["path_down"]);
    assert!(words(Some(&bad), &bad).is_empty());
    assert_eq!(words(Some(&bad), &good), ["path_up"]);

    let events = between(Some(&good), &bad);
    let style = Style {
        width: None,
        color: false,
        unicode: false,
    };
    assert_eq!(
        events[0].line(&bad, style),
        "1970-01-01T00:00:00.000Z path_down   192.0.2.1:1 -> 192.0.2.200:50000  \
         no ACK for 0.4 s: 1 in flight, timed out once"
    );
}

#[test]
fn a_fallback_is_said_once() {
    let before = of(&[(1, Tcp::default())]);
    let mut after = before.clone();
    after.connections[0].fallback = Some(Fallback::Later);
    assert_eq!(words(Some(&before), &after), ["fell_back"]);
    assert!(words(Some(&after), &after).is_empty());
    assert_eq!(words(None, &after), ["present", "fell_back"]);
}
