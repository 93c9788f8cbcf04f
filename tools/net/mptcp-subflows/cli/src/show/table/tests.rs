// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::fixture::Tcp;

pub const PLAIN: Style = Style {
    width: None,
    color: false,
    unicode: true,
};

const IPV4: &str = "192.0.2.100:40000";
const IPV6: &str = "[2001:db8:1111:2222:3333:4444:5555:7777]:40000";

fn table(local: &str, width: usize, rates: bool) -> Vec<String> {
    let cut = Tcp {
        timeouts: 3,
        unacked: 12,
        last: 3200,
        acked: 123_456_789,
        ..Tcp::default()
    };
    let mut list = vec![
        Path::new(Tcp::default().subflow(local, 1)),
        Path::new(cut.subflow(local, 2)),
    ];
    for path in list.iter_mut().filter(|_| rates) {
        path.delta = Some(cut.since(Tcp::default()));
        path.interface = Some("eth0".into());
    }
    let style = Style {
        width: Some(width),
        ..PLAIN
    };
    paths(&list, style).lines().map(String::from).collect()
}

#[test]
fn every_width_is_kept() {
    for local in [IPV4, IPV6] {
        for rates in [false, true] {
            for width in 1..200 {
                for line in table(local, width, rates) {
                    assert!(line.chars().count() <= width, "{width}: {line}");
                }
            }
        }
    }
}

#[test]
fn cells_go_before_rows_are_split() {
    let wide = table(IPV4, 150, false);
    assert_eq!(
        wide[0],
        "  path                                   via      RTT     sent  received  resent  cwnd  verdict"
    );
    assert!(wide[2].ends_with("no ACK for 3.2 s: 12 in flight, timed out 3 times"));

    // 80 columns: the addresses, what is measured, and the verdict.
    let [heading, first, second] = &table(IPV4, 80, false)[..] else {
        panic!();
    };
    assert!(
        heading.contains("RTT") && !heading.contains("sent"),
        "{heading}"
    );
    assert!(
        first.contains("192.0.2.100:40000 → 192.0.2.200:50000  17.7 ms"),
        "{first}"
    );
    assert!(second.contains("no ACK for 3.2 s"), "{second}");
}

#[test]
fn narrow_rows_are_stacked() {
    // An IPv6 address of each side takes more than a row.
    let lines = table(IPV6, 80, true);
    assert_eq!(lines[1], format!("  {IPV6}"));
    assert!(lines[2].starts_with("  → [2001:db8"), "{}", lines[2]);
    assert!(
        lines[3].contains("988 M") && lines[3].contains("50 %"),
        "{}",
        lines[3]
    );
    let lines = table(IPV6, 50, true);
    assert!(lines[6].ends_with("no ACK for 3.2 s"), "{}", lines[6]);
}

#[test]
fn only_ascii_without_unicode() {
    let list = [Path::new(Tcp::default().subflow(IPV4, 1))];
    let style = Style {
        width: Some(20),
        unicode: false,
        ..PLAIN
    };
    let text = paths(&list, style);
    assert!(text.is_ascii() && text.contains("-> "), "{text}");
}

#[test]
fn colors_only_if_wanted() {
    let list = [Path::new(Tcp::default().subflow(IPV4, 1))];
    assert!(!paths(&list, PLAIN).contains('\x1b'));
    let style = Style {
        color: true,
        ..PLAIN
    };
    assert!(paths(&list, style).contains("\x1b[32m"));
}

#[test]
fn a_watch_has_one_row_for_each_path() {
    let lines = table("10.0.0.1:36536", 81, true);
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(
        lines[2].contains("988 M") && lines[2].ends_with("no ACK for 3.2 s"),
        "{}",
        lines[2]
    );
}
