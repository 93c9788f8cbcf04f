// SPDX-License-Identifier: GPL-2.0

//! What Rust may cost at most, as a part of what C costs.

use crate::results::{Kind, Name};

/// Bytes of stack, of the whole call path.
pub const STACK: f64 = 1.00;
/// Bytes of text.
pub const TEXT: f64 = 1.20;

const TCP_INFO: Option<&str> = Some("MPTCP_TCPINFO");
const ANY: Option<&str> = None;

/// Option, sorts of requests (none: all), number of subflows (0: any), and the ratio. The first that
/// fits is the one.
const INSTRUCTIONS: &[(Option<&str>, &[Kind], usize, f64)] = &[
    (TCP_INFO, &[Kind::Full], 1, 0.90),
    (TCP_INFO, &[Kind::Full], 2, 0.94),
    (TCP_INFO, &[Kind::Full], 4, 0.96),
    (TCP_INFO, &[Kind::Full], 8, 0.97),
    (TCP_INFO, &[Kind::Count], 0, 0.90),
    (TCP_INFO, &[Kind::Refused], 0, 0.95),
    (TCP_INFO, &[], 0, 1.00),
    (ANY, &[Kind::Refused, Kind::Fault], 0, 1.00),
    (ANY, &[], 1, 0.95),
    (ANY, &[], 0, 1.00),
];

/// What a request may cost.
pub fn instructions(name: &Name, kind: Kind) -> Option<f64> {
    if kind == Kind::Floor {
        return None;
    }
    let target = INSTRUCTIONS.iter().find(|(option, kinds, subflows, _)| {
        option.is_none_or(|option| option == name.option)
            && (kinds.is_empty() || kinds.contains(&kind))
            && [0, name.subflows].contains(subflows)
    });
    target.map(|target| target.3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(option: &str, kind: Kind, subflows: usize) -> Option<f64> {
        let name = Name {
            option: option.to_owned(),
            subflows,
            request: String::new(),
        };
        instructions(&name, kind)
    }

    #[test]
    fn the_first_that_fits() {
        assert_eq!(target("getppid", Kind::Floor, 0), None);
        assert_eq!(target("MPTCP_TCPINFO", Kind::Full, 8), Some(0.97));
        assert_eq!(target("MPTCP_TCPINFO", Kind::Count, 8), Some(0.90));
        assert_eq!(target("MPTCP_TCPINFO", Kind::Refused, 1), Some(0.95));
        assert_eq!(target("MPTCP_TCPINFO", Kind::Fault, 1), Some(1.00));
        assert_eq!(target("MPTCP_FULL_INFO", Kind::Full, 1), Some(0.95));
        assert_eq!(target("MPTCP_FULL_INFO", Kind::Full, 2), Some(1.00));
        assert_eq!(target("MPTCP_FULL_INFO", Kind::Refused, 1), Some(1.00));
    }
}
