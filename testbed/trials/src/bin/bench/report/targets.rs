// SPDX-License-Identifier: GPL-2.0

//! What Rust may cost at most, relative to C.

use crate::results::{Kind, Name};

/// Bytes of stack, of the whole call path.
pub const STACK: f64 = 1.00;
/// Bytes of text.
pub const TEXT: f64 = 1.30;

/// What a request may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Relative to C.
    pub ratio: f64,
    /// Relative to C less the rounds of the connection's lock that Rust saves.
    pub alike: Option<f64>,
}

const TCP_INFO: Option<&str> = Some("MPTCP_TCPINFO");
const ADDRS: Option<&str> = Some("MPTCP_SUBFLOW_ADDRS");
const FULL_INFO: Option<&str> = Some("MPTCP_FULL_INFO");
const ANY: Option<&str> = None;

/// Option, kinds of requests (none: all), number of subflows (0: any), and the target. The first row
/// that fits counts.
const REQUESTS: &[(Option<&str>, &[Kind], usize, Target)] = &[
    (TCP_INFO, &[Kind::Full], 1, both(0.91, 0.97)),
    (TCP_INFO, &[Kind::Full], 8, both(0.90, 0.91)),
    (TCP_INFO, &[Kind::Full], 0, both(0.90, 0.95)),
    (ADDRS, &[Kind::Full], 1, both(0.95, 1.05)),
    (ADDRS, &[Kind::Full], 8, both(1.00, 1.03)),
    (ADDRS, &[Kind::Full], 0, both(0.99, 1.04)),
    (FULL_INFO, &[Kind::Full], 1, both(0.90, 0.96)),
    (FULL_INFO, &[Kind::Full], 8, both(0.90, 0.91)),
    (FULL_INFO, &[Kind::Full], 0, both(0.90, 0.94)),
    (ANY, &[Kind::Count], 0, both(0.94, 1.07)),
    (ANY, &[Kind::Refused], 0, both(1.07, 1.07)),
    (ANY, &[Kind::Fault], 0, plain(1.02)),
    (TCP_INFO, &[], 0, plain(1.00)),
    (ANY, &[], 1, plain(0.95)),
    (ANY, &[], 0, plain(1.00)),
];

const fn both(ratio: f64, alike: f64) -> Target {
    Target {
        ratio,
        alike: Some(alike),
    }
}

const fn plain(ratio: f64) -> Target {
    Target { ratio, alike: None }
}

/// What a request may cost.
pub fn request(name: &Name, kind: Kind) -> Option<Target> {
    if kind == Kind::Floor {
        return None;
    }
    let target = REQUESTS.iter().find(|(option, kinds, subflows, _)| {
        option.is_none_or(|option| option == name.option)
            && (kinds.is_empty() || kinds.contains(&kind))
            && [0, name.subflows].contains(subflows)
    });
    target.map(|target| target.3)
}
