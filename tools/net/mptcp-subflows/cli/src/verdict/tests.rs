// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::fixture::Tcp;

fn first_look(tcp: Tcp) -> Judgement {
    judge(&tcp.subflow("192.0.2.1:1", 1), None, false)
}

/// After a second.
fn later(before: Tcp, now: Tcp) -> Judgement {
    judge(
        &now.subflow("192.0.2.1:1", 1),
        Some(&now.since(before)),
        false,
    )
}

#[test]
fn data_makes_a_path_active() {
    let quiet = Tcp {
        last: 1500,
        ..Tcp::default()
    };
    assert_eq!(first_look(Tcp::default()).verdict, Verdict::Active);
    let idle = first_look(quiet);
    assert_eq!(idle.text(), "idle: no data for 1.5 s");
    assert!(idle.verdict.works());

    // With an earlier look, what happened since decides.
    let acked = Tcp { acked: 1, ..quiet };
    let received = Tcp {
        received: 1,
        ..quiet
    };
    assert_eq!(later(quiet, acked).verdict, Verdict::Active);
    assert_eq!(later(quiet, received).verdict, Verdict::Active);
    assert_eq!(later(Tcp::default(), Tcp::default()).verdict, Verdict::Idle);

    // There never was any.
    let fresh = Tcp {
        segments: 0,
        ..Tcp::default()
    };
    assert_eq!(first_look(fresh).text(), "idle");
}

#[test]
fn a_path_that_is_cut() {
    // In flight is not lost.
    let in_flight = Tcp {
        unacked: 12,
        ..Tcp::default()
    };
    assert_eq!(first_look(in_flight).verdict, Verdict::Active);

    let cut = Tcp {
        timeouts: 3,
        last: 3240,
        ..in_flight
    };
    let judgement = first_look(cut);
    assert_eq!(
        judgement.text(),
        "no ACK for 3.2 s: 12 in flight, timed out 3 times"
    );
    assert!(!judgement.verdict.works());
    // Whatever else there is to say, and at whichever look.
    let backup = Tcp {
        flags: 1 << 5,
        resent: 50,
        ..cut
    };
    assert_eq!(later(in_flight, backup).verdict, Verdict::NoAck);
    let once = Tcp { timeouts: 1, ..cut };
    assert!(first_look(once).text().ends_with("timed out once"));
}

#[test]
fn loss_counts_since_the_last_look() {
    let lossy = Tcp {
        resent: 5,
        ..Tcp::default()
    };
    assert_eq!(first_look(lossy).text(), "lossy: 5.0 % resent");
    // Long ago.
    assert_eq!(later(lossy, lossy).verdict, Verdict::Idle);
    let more = Tcp {
        resent: 15,
        segments: 200,
        acked: 1,
        ..lossy
    };
    assert_eq!(later(lossy, more).text(), "lossy: 10 % resent");
    // A single one says nothing.
    let one = Tcp {
        resent: 6,
        segments: 101,
        acked: 1,
        ..lossy
    };
    assert_eq!(later(lossy, one).verdict, Verdict::Active);
}

#[test]
fn backups_of_either_side() {
    for bit in [4, 5] {
        let backup = Tcp {
            flags: 1 << bit,
            last: 5000,
            ..Tcp::default()
        };
        assert_eq!(first_look(backup).text(), "backup");
        let used = Tcp { acked: 9, ..backup };
        assert_eq!(later(backup, used).text(), "backup: in use");
    }
}

#[test]
fn what_is_not_open() {
    let state = |state, timeouts| {
        first_look(Tcp {
            state,
            timeouts,
            ..Tcp::default()
        })
        .text()
    };
    assert_eq!(state(TcpState::SynSent, 0), "connecting");
    assert_eq!(state(TcpState::SynSent, 2), "connecting: SYN sent 3 times");
    assert_eq!(state(TcpState::CloseWait, 0), "closing: the peer closed it");
    assert_eq!(state(TcpState::FinWait2, 0), "closing: FIN_WAIT2");
}

#[test]
fn after_a_fallback() {
    let subflow = Tcp::default().subflow("192.0.2.1:1", 1);
    let judgement = judge(&subflow, None, true);
    assert_eq!(judgement.text(), "fell back");
    assert!(judgement.verdict.works());
}
