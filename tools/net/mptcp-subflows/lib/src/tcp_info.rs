// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! `struct tcp_info`, of which a kernel may have filled only a part.

use std::fmt;
use std::mem::{offset_of, size_of};
use std::time::Duration;

use crate::fields::{
    Filled, below_max, kernel_struct, micros, micros_below_max, millis, nonzero, nonzero_micros,
    raw,
};

/// What TCP knows about one subflow: the kernel's `struct tcp_info`.
///
/// An accessor returns `None` when the running kernel's structure ends before the field, and when the
/// kernel's value stands for "not measured".
///
/// ```
/// use mptcp_subflows::{TcpInfo, TcpState};
///
/// let mut recorded = [0; 232]; // as Linux 5.16 fills it
/// recorded[0] = 1;
/// let info = TcpInfo::from_bytes(&recorded);
/// assert_eq!(info.state(), Some(TcpState::Established));
/// assert_eq!(info.rtt(), None); // not measured
/// assert_eq!(info.rcv_wnd(), None); // not in this kernel
/// ```
///
/// The last 32 bits of the structure (the negotiated ECN mode and the AccECN failure bits) have no
/// accessor: Linux 6.18 and later kernels of the same structure size lay them out differently.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo {
    filled: Filled<{ size_of::<Layout>() }>,
}

kernel_struct! { TcpInfo, "tcpi_",
    fields {
        /// The state of the TCP connection.
        state: u8 => TcpState = state,
        /// The congestion control's state: 0 open, 1 disorder, 2 congestion window reduced,
        /// 3 recovery, 4 loss (`enum tcp_ca_state`).
        ca_state: u8 => u8 = raw,
        /// How often the oldest unacknowledged segment has timed out in a row. All retransmits are in
        /// [`total_retrans`](Self::total_retrans).
        retransmits: u8 => u8 = raw,
        /// Unanswered probes of a zero window or of keep-alive.
        probes: u8 => u8 = raw,
        /// The exponent of the retransmission timer's back-off.
        backoff: u8 => u8 = raw,
        /// The negotiated TCP options, a set of `TCPI_OPT_*` bits.
        options: u8 => u8 = raw,
    }
    bare {
        wscale: u8,
        flags: u8,
    }
    fields {
        /// Retransmission timeout (kernel unit: microseconds).
        rto: u32 => Duration = micros,
        /// Timeout of a delayed ACK (kernel unit: microseconds).
        ato: u32 => Duration = micros,
        /// Largest segment that is sent, in bytes.
        snd_mss: u32 => u32 = raw,
        /// Largest segment that was received, in bytes; an estimate.
        rcv_mss: u32 => u32 = raw,
        /// Segments that are sent and not acknowledged yet. For a listening socket: connections that
        /// wait for accept(2).
        unacked: u32 => u32 = raw,
        /// Segments that were acknowledged selectively (SACK). For a listening socket: its backlog.
        sacked: u32 => u32 = raw,
        /// Segments that are held to be lost.
        lost: u32 => u32 = raw,
        /// Retransmitted segments that are not acknowledged yet.
        retrans: u32 => u32 = raw,
    }
    bare {
        fackets: u32,
    }
    fields {
        /// Time since data was sent last (kernel unit: milliseconds).
        last_data_sent: u32 => Duration = millis,
    }
    bare {
        last_ack_sent: u32,
    }
    fields {
        /// Time since data was received last (kernel unit: milliseconds).
        last_data_recv: u32 => Duration = millis,
        /// Time since an ACK was received last (kernel unit: milliseconds).
        last_ack_recv: u32 => Duration = millis,
        /// Path MTU in bytes.
        pmtu: u32 => u32 = raw,
        /// The receive window's slow start threshold, in bytes.
        rcv_ssthresh: u32 => u32 = raw,
        /// Smoothed round-trip time (kernel unit: microseconds).
        rtt: u32 => Duration = nonzero_micros,
        /// Mean deviation of the round-trip time (kernel unit: microseconds). It means nothing without
        /// [`rtt`](Self::rtt).
        rttvar: u32 => Duration = micros,
        /// Slow start threshold, in segments. `None` until a loss set one.
        snd_ssthresh: u32 => u32 = threshold,
        /// Congestion window, in segments of [`snd_mss`](Self::snd_mss).
        snd_cwnd: u32 => u32 = raw,
        /// The segment size that was advertised to the peer, in bytes.
        advmss: u32 => u32 = raw,
        /// How many segments of reordering are tolerated before loss is assumed.
        reordering: u32 => u32 = raw,
        /// Round-trip time as estimated by the receiver (kernel unit: microseconds).
        rcv_rtt: u32 => Duration = nonzero_micros,
        /// What the receive buffer is tuned for: bytes copied to the reader in a round trip.
        rcv_space: u32 => u32 = raw,
        /// Segments retransmitted over the connection's whole life.
        total_retrans: u32 => u32 = raw,
        /// Rate at which the kernel spaces out segments, in bytes per second. `None` is no limit.
        pacing_rate: u64 => u64 = below_max,
        /// Upper limit of the pacing rate, in bytes per second. `None` is no limit.
        max_pacing_rate: u64 => u64 = below_max,
        /// Bytes that the peer acknowledged (RFC 4898 `tcpEStatsAppHCThruOctetsAcked`). SYN and FIN
        /// count as one byte each, so a subflow without any data reaches 1 or 2.
        bytes_acked: u64 => u64 = raw,
        /// Bytes received in order (RFC 4898 `tcpEStatsAppHCThruOctetsReceived`).
        bytes_received: u64 => u64 = raw,
        /// Segments sent, with or without data.
        segs_out: u32 => u32 = raw,
        /// Segments received, with or without data.
        segs_in: u32 => u32 = raw,
        /// Bytes that wait to be sent for the first time.
        notsent_bytes: u32 => u32 = raw,
        /// Smallest recent round-trip time (kernel unit: microseconds).
        min_rtt: u32 => Duration = micros_below_max,
        /// Segments with data received.
        data_segs_in: u32 => u32 = raw,
        /// Segments with data sent.
        data_segs_out: u32 => u32 = raw,
        /// Most recent rate at which data reached the peer, in bytes per second. It stays as it is when
        /// no more data gets through: for the rate of now, see [`Sample`](crate::Sample).
        delivery_rate: u64 => u64 = nonzero,
        /// Time with data outstanding (kernel unit: microseconds).
        busy_time: u64 => Duration = micros,
        /// Time for which the peer's receive window was the limit (kernel unit: microseconds).
        rwnd_limited: u64 => Duration = micros,
        /// Time for which the send buffer was the limit (kernel unit: microseconds).
        sndbuf_limited: u64 => Duration = micros,
        /// Segments with data that reached the peer, retransmits included.
        delivered: u32 => u32 = raw,
        /// Those of [`delivered`](Self::delivered) that the peer saw marked by a congested router.
        delivered_ce: u32 => u32 = raw,
        /// Bytes of data sent, retransmits included (RFC 4898 `tcpEStatsPerfHCDataOctetsOut`).
        bytes_sent: u64 => u64 = raw,
        /// Bytes of data sent again (RFC 4898 `tcpEStatsPerfOctetsRetrans`).
        bytes_retrans: u64 => u64 = raw,
        /// Duplicates that the peer reported (DSACK).
        dsack_dups: u32 => u32 = raw,
        /// Reordering events seen.
        reord_seen: u32 => u32 = raw,
        /// Segments received out of order.
        rcv_ooopack: u32 => u32 = raw,
        /// The receive window that the peer advertised last, in bytes.
        snd_wnd: u32 => u32 = raw,
        /// The receive window that this side advertised last, in bytes. Since Linux 6.2.
        rcv_wnd: u32 => u32 = raw,
        /// How often the flow was moved to another path by rehashing. Since Linux 6.2.
        rehash: u32 => u32 = raw,
        /// Retransmission timeouts, those of the handshake included. Since Linux 6.7.
        total_rto: u16 => u16 = raw,
        /// Recoveries from timeouts, one that is under way included. Since Linux 6.7.
        total_rto_recoveries: u16 => u16 = raw,
        /// Time spent in such recoveries (kernel unit: milliseconds). Since Linux 6.7.
        total_rto_time: u32 => Duration = millis,
        /// Segments received with a congestion mark. Since Linux 6.18.
        received_ce: u32 => u32 = raw,
        /// Bytes that reached the peer marked ECT(1). Since Linux 6.18.
        delivered_e1_bytes: u32 => u32 = raw,
        /// Bytes that reached the peer marked ECT(0). Since Linux 6.18.
        delivered_e0_bytes: u32 => u32 = raw,
        /// Bytes that reached the peer marked as congested. Since Linux 6.18.
        delivered_ce_bytes: u32 => u32 = raw,
        /// Bytes received that were marked ECT(1). Since Linux 6.18.
        received_e1_bytes: u32 => u32 = raw,
        /// Bytes received that were marked ECT(0). Since Linux 6.18.
        received_e0_bytes: u32 => u32 = raw,
        /// Bytes received that were marked as congested. Since Linux 6.18.
        received_ce_bytes: u32 => u32 = raw,
    }
    bare {
        ecn_bits: u32,
    }
}

impl TcpInfo {
    /// The size in bytes of the structure that this crate knows: the one of Linux 6.18 to 7.3.
    pub const SIZE: usize = size_of::<Layout>();

    /// From the bytes that a kernel filled, for example for `TCP_INFO` or in a recording. Those
    /// beyond [`SIZE`](Self::SIZE) are left out.
    pub fn from_bytes(filled: &[u8]) -> Self {
        Self {
            filled: Filled::new(filled),
        }
    }

    /// The `width` bits from bit `first`, in the order in which C declares them.
    fn bits(&self, offset: usize, first: u32, width: u32) -> Option<u8> {
        let shift = if cfg!(target_endian = "big") {
            u8::BITS - first - width
        } else {
            first
        };
        let byte: u8 = self.filled.read(offset)?;
        Some((byte >> shift) & ((1 << width) - 1))
    }

    /// Window scaling of what is sent: the peer's window is shifted left by this many bits.
    pub fn snd_wscale(&self) -> Option<u8> {
        self.bits(offset_of!(Layout, wscale), 0, 4)
    }

    /// Window scaling of what is received: this side's window is shifted left by this many bits.
    pub fn rcv_wscale(&self) -> Option<u8> {
        self.bits(offset_of!(Layout, wscale), 4, 4)
    }

    /// Whether the sender, rather than the network, limited
    /// [`delivery_rate`](Self::delivery_rate).
    pub fn delivery_rate_app_limited(&self) -> Option<bool> {
        Some(self.bits(offset_of!(Layout, flags), 0, 1)? != 0)
    }

    /// Why TCP Fast Open failed on this side (`enum tcp_fastopen_client_fail`).
    pub fn fastopen_client_fail(&self) -> Option<u8> {
        self.bits(offset_of!(Layout, flags), 1, 2)
    }
}

fn state(number: u8) -> Option<TcpState> {
    Some(number.into())
}

/// Half of what 32 bits hold stands for "none yet".
fn threshold(segments: u32) -> Option<u32> {
    (segments != i32::MAX as u32).then_some(segments)
}

macro_rules! tcp_state {
    ($($(#[$doc:meta])* $state:ident = $number:literal $text:literal,)*) => {
        /// The state of a TCP connection.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum TcpState {
            $($(#[$doc])* $state,)*
            /// A state that this crate does not know.
            Other(u8),
        }

        impl From<u8> for TcpState {
            fn from(number: u8) -> Self {
                match number {
                    $($number => Self::$state,)*
                    other => Self::Other(other),
                }
            }
        }

        /// The kernel's number.
        impl From<TcpState> for u8 {
            fn from(state: TcpState) -> Self {
                match state {
                    $(TcpState::$state => $number,)*
                    TcpState::Other(number) => number,
                }
            }
        }

        /// The kernel's name without its `TCP_`, for example `ESTABLISHED`.
        impl fmt::Display for TcpState {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$state => f.pad($text),)*
                    Self::Other(number) => f.pad(&format!("state {number}")),
                }
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for TcpState {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

tcp_state! {
    /// Open: data can flow.
    Established = 1 "ESTABLISHED",
    /// A SYN was sent; the reply has not arrived.
    SynSent = 2 "SYN_SENT",
    /// A SYN was received and acknowledged; the last step of the handshake is missing.
    SynRecv = 3 "SYN_RECV",
    /// This side closed, the FIN is not acknowledged.
    FinWait1 = 4 "FIN_WAIT1",
    /// This side closed, the FIN is acknowledged.
    FinWait2 = 5 "FIN_WAIT2",
    /// Both sides closed; the addresses stay reserved for a while.
    TimeWait = 6 "TIME_WAIT",
    /// No connection.
    Close = 7 "CLOSE",
    /// The peer closed.
    CloseWait = 8 "CLOSE_WAIT",
    /// The peer closed first, then this side; the FIN is not acknowledged.
    LastAck = 9 "LAST_ACK",
    /// Waiting for connections.
    Listen = 10 "LISTEN",
    /// Both sides closed at the same time.
    Closing = 11 "CLOSING",
    /// A handshake that the kernel keeps apart from full sockets.
    NewSynRecv = 12 "NEW_SYN_RECV",
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ABI: offsets as a C compiler gives them for `struct tcp_info`.
    #[test]
    fn layout_is_the_kernels() {
        assert_eq!(TcpInfo::SIZE, 280);
        for (offset, expected) in [
            (offset_of!(Layout, rto), 8),
            (offset_of!(Layout, last_data_sent), 44),
            (offset_of!(Layout, rtt), 68),
            (offset_of!(Layout, snd_cwnd), 80),
            (offset_of!(Layout, total_retrans), 100),
            (offset_of!(Layout, pacing_rate), 104),
            (offset_of!(Layout, bytes_acked), 120),
            (offset_of!(Layout, min_rtt), 148),
            (offset_of!(Layout, delivery_rate), 160),
            (offset_of!(Layout, bytes_sent), 200),
            (offset_of!(Layout, rcv_wnd), 232), // the end in Linux 5.16
            (offset_of!(Layout, total_rto), 240), // the end in Linux 6.2
            (offset_of!(Layout, received_ce), 248), // the end in Linux 6.7
            (offset_of!(Layout, ecn_bits), 276),
        ] {
            assert_eq!(offset, expected);
        }
    }

    #[test]
    fn values_have_their_unit() {
        let mut bytes = [0; TcpInfo::SIZE];
        bytes[0] = 8;
        bytes[44..48].copy_from_slice(&1500u32.to_ne_bytes());
        bytes[68..72].copy_from_slice(&25_000u32.to_ne_bytes());
        bytes[120..128].copy_from_slice(&(1u64 << 40).to_ne_bytes());
        let info = TcpInfo::from_bytes(&bytes);

        assert_eq!(info.state(), Some(TcpState::CloseWait));
        assert_eq!(info.last_data_sent(), Some(Duration::from_millis(1500)));
        assert_eq!(info.rtt(), Some(Duration::from_millis(25)));
        assert_eq!(info.bytes_acked(), Some(1 << 40));
        let rtt = info.fields().find(|(name, _)| *name == "tcpi_rtt");
        assert_eq!(rtt, Some(("tcpi_rtt", Some(25_000))));
    }

    #[test]
    fn bit_fields_come_apart() {
        let mut bytes = [0; TcpInfo::SIZE];
        // C allocates bit fields from the lowest bit, or from the highest on a big-endian machine.
        (bytes[6], bytes[7]) = if cfg!(target_endian = "big") {
            (0x7a, 0b1100_0000)
        } else {
            (0xa7, 0b101)
        };
        let info = TcpInfo::from_bytes(&bytes);

        assert_eq!(info.snd_wscale(), Some(7));
        assert_eq!(info.rcv_wscale(), Some(10));
        assert_eq!(info.delivery_rate_app_limited(), Some(true));
        assert_eq!(info.fastopen_client_fail(), Some(2));
    }

    #[test]
    fn what_the_kernel_lacks_is_absent() {
        let old = TcpInfo::from_bytes(&[1; 232]);
        assert!(old.snd_wnd().is_some());
        assert_eq!(old.rcv_wnd(), None);
        assert_eq!(old.total_rto(), None);
        assert_eq!(old.received_ce_bytes(), None);
        let absent = old.fields().filter(|(_, value)| value.is_none()).count();
        assert_eq!(absent, 12);

        // A structure that ends within a field does not have that field.
        assert_eq!(TcpInfo::from_bytes(&[1; 231]).snd_wnd(), None);
        assert_eq!(TcpInfo::from_bytes(&[]).state(), None);
        assert_eq!(TcpInfo::from_bytes(&[]).snd_wscale(), None);
    }

    #[test]
    fn what_was_not_measured_is_absent() {
        let mut bytes = [0; TcpInfo::SIZE];
        bytes[offset_of!(Layout, min_rtt)..][..4].fill(0xff);
        bytes[offset_of!(Layout, pacing_rate)..][..16].fill(0xff);
        bytes[offset_of!(Layout, snd_ssthresh)..][..4]
            .copy_from_slice(&0x7fff_ffffu32.to_ne_bytes());
        let info = TcpInfo::from_bytes(&bytes);
        assert_eq!(info.rtt().or(info.min_rtt()).or(info.rcv_rtt()), None);
        assert_eq!(info.delivery_rate().or(info.pacing_rate()), None);
        assert_eq!(info.max_pacing_rate(), None);
        assert_eq!(info.snd_ssthresh(), None);
        assert_eq!(info.total_retrans(), Some(0));
    }

    #[test]
    fn states_have_the_kernels_numbers() {
        assert_eq!(TcpState::from(1).to_string(), "ESTABLISHED");
        assert_eq!(TcpState::from(10), TcpState::Listen);
        assert_eq!(u8::from(TcpState::LastAck), 9);
        assert_eq!(TcpState::from(99).to_string(), "state 99");
    }
}
