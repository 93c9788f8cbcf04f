// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! What changed between two looks at a connection.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::{Subflows, TcpInfo};

/// The counters of each subflow at one moment, by a key that is the subflow's for as long as it lives.
///
/// ```
/// use std::time::{Duration, Instant};
/// use mptcp_subflows::{Sample, TcpInfo};
///
/// # fn tcp_info(acked: u64) -> TcpInfo {
/// #     let mut bytes = [0; TcpInfo::SIZE];
/// #     bytes[120..128].copy_from_slice(&acked.to_ne_bytes());
/// #     TcpInfo::from_bytes(&bytes)
/// # }
/// let (then, now) = (tcp_info(1_000), tcp_info(251_000));
/// let start = Instant::now();
/// let before = Sample::new(start, [(7, &then)]);
/// let after = Sample::new(start + Duration::from_secs(2), [(7, &now), (8, &now)]);
///
/// let deltas = after.since(&before);
/// assert_eq!(deltas[&7].acked_rate(), Some(125_000.0)); // bytes per second
/// assert!(!deltas.contains_key(&8)); // there is no earlier look at this one
/// ```
#[derive(Debug, Clone)]
pub struct Sample<K> {
    at: Instant,
    counters: BTreeMap<K, Counters>,
}

#[derive(Debug, Clone, Copy)]
struct Counters {
    acked: Option<u64>,
    received: Option<u64>,
    data_segs_out: Option<u32>,
    retransmitted: Option<u32>,
}

impl From<&TcpInfo> for Counters {
    fn from(info: &TcpInfo) -> Self {
        Self {
            acked: info.bytes_acked(),
            received: info.bytes_received(),
            data_segs_out: info.data_segs_out(),
            retransmitted: info.total_retrans(),
        }
    }
}

impl Sample<u32> {
    /// Of what [`subflows()`](crate::subflows()) returned at the moment `at`, by the subflows' ids.
    /// Those without an id are left out.
    pub fn of(at: Instant, subflows: &Subflows) -> Self {
        let known = subflows
            .iter()
            .filter_map(|s| Some((s.id()?, s.tcp_info())));
        Self::new(at, known)
    }
}

impl<K: Ord + Copy> Sample<K> {
    /// Of `subflows`, as they were at the moment `at`.
    pub fn new<'a>(at: Instant, subflows: impl IntoIterator<Item = (K, &'a TcpInfo)>) -> Self {
        let counters = subflows.into_iter().map(|(key, info)| (key, info.into()));
        Self {
            at,
            counters: counters.collect(),
        }
    }

    /// What changed since `earlier`, for each subflow that is in both samples. One whose counters went
    /// back is another subflow with the same key, and is left out.
    pub fn since(&self, earlier: &Self) -> BTreeMap<K, Delta> {
        let elapsed = self.at.saturating_duration_since(earlier.at);
        let delta = |(key, now): (&K, &Counters)| {
            let then = earlier.counters.get(key)?;
            Some((*key, Delta::between(elapsed, then, now)?))
        };
        self.counters.iter().filter_map(delta).collect()
    }
}

/// What one subflow did between two samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta {
    elapsed: Duration,
    acked: Option<u64>,
    received: Option<u64>,
    data_segs_out: Option<u32>,
    retransmitted: Option<u32>,
}

impl Delta {
    /// `None` when a counter went back.
    fn between(elapsed: Duration, then: &Counters, now: &Counters) -> Option<Self> {
        let bytes = |then: Option<u64>, now: Option<u64>| match (then, now) {
            (Some(then), Some(now)) => now.checked_sub(then).map(Some),
            _ => Some(None),
        };
        // These have 32 bits only and start again from zero on a connection that lives long.
        let segments = |then: Option<u32>, now: Option<u32>| Some(now?.wrapping_sub(then?));
        Some(Self {
            elapsed,
            acked: bytes(then.acked, now.acked)?,
            received: bytes(then.received, now.received)?,
            data_segs_out: segments(then.data_segs_out, now.data_segs_out),
            retransmitted: segments(then.retransmitted, now.retransmitted),
        })
    }

    /// The time between the samples.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Bytes that the peer acknowledged.
    pub fn acked(&self) -> Option<u64> {
        self.acked
    }

    /// Bytes that were received in order.
    pub fn received(&self) -> Option<u64> {
        self.received
    }

    /// Acknowledged bytes per second.
    pub fn acked_rate(&self) -> Option<f64> {
        self.rate(self.acked?)
    }

    /// Received bytes per second.
    pub fn received_rate(&self) -> Option<f64> {
        self.rate(self.received?)
    }

    /// Segments that were sent again.
    pub fn retransmitted(&self) -> Option<u32> {
        self.retransmitted
    }

    /// Which part of the data segments that were sent had been sent before. `None` when none was sent.
    pub fn resent(&self) -> Option<f64> {
        let sent = self.data_segs_out.filter(|sent| *sent > 0)?;
        Some(f64::from(self.retransmitted?) / f64::from(sent))
    }

    fn rate(&self, bytes: u64) -> Option<f64> {
        (!self.elapsed.is_zero()).then(|| bytes as f64 / self.elapsed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(acked: u64, received: u64, out: u32, resent: u32) -> TcpInfo {
        let mut bytes = [0; TcpInfo::SIZE];
        bytes[100..104].copy_from_slice(&resent.to_ne_bytes());
        bytes[120..128].copy_from_slice(&acked.to_ne_bytes());
        bytes[128..136].copy_from_slice(&received.to_ne_bytes());
        bytes[156..160].copy_from_slice(&out.to_ne_bytes());
        TcpInfo::from_bytes(&bytes)
    }

    fn delta(then: &TcpInfo, now: &TcpInfo) -> Option<Delta> {
        let start = Instant::now();
        let before = Sample::new(start, [(1, then)]);
        let after = Sample::new(start + Duration::from_millis(500), [(1, now)]);
        after.since(&before).get(&1).copied()
    }

    #[test]
    fn rates_come_from_differences() {
        let delta = delta(&info(100, 0, u32::MAX, 3), &info(1100, 50, 9, 5)).unwrap();
        assert_eq!(delta.acked(), Some(1000));
        assert_eq!(delta.acked_rate(), Some(2000.0));
        assert_eq!(delta.received_rate(), Some(100.0));
        assert_eq!(delta.retransmitted(), Some(2));
        assert_eq!(delta.resent(), Some(0.2));
    }

    #[test]
    fn no_rate_from_nothing() {
        let still = info(100, 100, 1, 0);
        let delta = delta(&still, &still).unwrap();
        assert_eq!(delta.acked_rate(), Some(0.0));
        assert_eq!(delta.resent(), None);
        let sample = Sample::new(Instant::now(), [(1, &still)]);
        assert_eq!(sample.since(&sample)[&1].acked_rate(), None);
    }

    #[test]
    fn another_subflow_of_the_same_key() {
        assert_eq!(delta(&info(100, 0, 0, 0), &info(99, 0, 0, 0)), None);
        let short = TcpInfo::from_bytes(&[1; 100]);
        assert_eq!(delta(&short, &short).unwrap().acked(), None);
    }
}
