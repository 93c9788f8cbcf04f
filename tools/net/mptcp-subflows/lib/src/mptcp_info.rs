// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! `struct mptcp_info`, of which a kernel may have filled only a part.

use std::mem::{offset_of, size_of};
use std::time::Duration;

use crate::fields::{Filled, flag, kernel_struct, millis, raw};

/// What the kernel knows about an MPTCP connection as a whole: its `struct mptcp_info`.
///
/// The totals count the connection's data once, over whatever subflow it went, and outlive the
/// subflows. An accessor returns `None` when the running kernel's structure ends before the field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MptcpInfo {
    filled: Filled<{ size_of::<Layout>() }>,
}

kernel_struct! { MptcpInfo, "mptcpi_",
    fields {
        /// Subflows besides the first one.
        subflows: u8 => u8 = raw,
        /// Addresses that were announced to the peer.
        add_addr_signal: u8 => u8 = raw,
        /// Addresses of the peer's that were accepted.
        add_addr_accepted: u8 => u8 = raw,
        /// Limit of [`subflows`](Self::subflows).
        subflows_max: u8 => u8 = raw,
        /// Endpoints that are configured to be announced.
        add_addr_signal_max: u8 => u8 = raw,
        /// Limit of [`add_addr_accepted`](Self::add_addr_accepted).
        add_addr_accepted_max: u8 => u8 = raw,
    }
    bare {
        hole: u16,
        flags: u32,
    }
    fields {
        /// The number that identifies the connection on this host, within its network namespace.
        token: u32 => u32 = raw,
        /// Sequence number of the next byte that the application writes.
        write_seq: u64 => u64 = raw,
        /// Sequence number of the first byte that the peer has not acknowledged.
        snd_una: u64 => u64 = raw,
        /// Sequence number of the next byte that is expected from the peer.
        rcv_nxt: u64 => u64 = raw,
        /// Local addresses in use besides the first one.
        local_addr_used: u8 => u8 = raw,
        /// Endpoints that are configured to open subflows.
        local_addr_max: u8 => u8 = raw,
        /// Whether data is protected by MPTCP's own checksum.
        csum_enabled: u8 => bool = flag,
    }
    bare {
        hole2: u8,
    }
    fields {
        /// How often a retransmission over another subflow timed out in a row.
        retransmits: u32 => u32 = raw,
        /// Bytes that were sent again, over another subflow.
        bytes_retrans: u64 => u64 = raw,
        /// Bytes sent.
        bytes_sent: u64 => u64 = raw,
        /// Bytes received.
        bytes_received: u64 => u64 = raw,
        /// Bytes that the peer acknowledged.
        bytes_acked: u64 => u64 = raw,
        /// Subflows, the first one included while it lasts.
        subflows_total: u8 => u8 = raw,
        /// Endpoints of the kind `laminar`.
        endp_laminar_max: u8 => u8 = raw,
        /// Endpoints of the kind `fullmesh`.
        endp_fullmesh_max: u8 => u8 = raw,
    }
    bare {
        reserved: u8,
    }
    fields {
        /// Time since data was sent last (kernel unit: milliseconds).
        last_data_sent: u32 => Duration = millis,
        /// Time since data was received last (kernel unit: milliseconds).
        last_data_recv: u32 => Duration = millis,
        /// Time since the peer acknowledged data last (kernel unit: milliseconds).
        last_ack_recv: u32 => Duration = millis,
    }
    bare {}
}

impl MptcpInfo {
    /// The size in bytes of the structure that this crate knows: the one of Linux 7.3.
    pub const SIZE: usize = size_of::<Layout>();

    const FALLBACK: u32 = 1 << 0;
    const REMOTE_KEY_RECEIVED: u32 = 1 << 1;

    /// From the bytes that a kernel filled, for example for `MPTCP_INFO` or in a recording.
    /// Those beyond [`SIZE`](Self::SIZE) are left out.
    pub fn from_bytes(filled: &[u8]) -> Self {
        let len = match filled.len() {
            // The structure ended in padding here, where later kernels have a field.
            48 => offset_of!(Layout, retransmits),
            88 => offset_of!(Layout, last_data_sent),
            len => len,
        };
        Self {
            filled: Filled::new(&filled[..len]),
        }
    }

    fn flag(&self, flag: u32) -> Option<bool> {
        let flags: u32 = self.filled.read(offset_of!(Layout, flags))?;
        Some(flags & flag != 0)
    }

    /// Whether the connection fell back to plain TCP.
    pub fn is_fallback(&self) -> Option<bool> {
        self.flag(Self::FALLBACK)
    }

    /// Whether the peer's key was received, so that further subflows can join.
    pub fn remote_key_received(&self) -> Option<bool> {
        self.flag(Self::REMOTE_KEY_RECEIVED)
    }

    /// Bytes that were written and that the peer has not acknowledged yet, over whatever subflow.
    pub fn unacknowledged(&self) -> Option<u64> {
        Some(self.write_seq()?.wrapping_sub(self.snd_una()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ABI: offsets as a C compiler gives them for `struct mptcp_info`.
    #[test]
    fn layout_is_the_kernels() {
        assert_eq!(MptcpInfo::SIZE, 96);
        for (offset, expected) in [
            (offset_of!(Layout, flags), 8),
            (offset_of!(Layout, token), 12),
            (offset_of!(Layout, write_seq), 16),
            (offset_of!(Layout, csum_enabled), 42),
            (offset_of!(Layout, retransmits), 44),
            (offset_of!(Layout, bytes_retrans), 48),
            (offset_of!(Layout, subflows_total), 80),
            (offset_of!(Layout, last_ack_recv), 92),
        ] {
            assert_eq!(offset, expected);
        }
    }

    #[test]
    fn padding_of_an_older_kernel_is_no_field() {
        let whole = MptcpInfo::from_bytes(&[1; 120]);
        assert_eq!(whole.size(), MptcpInfo::SIZE);
        assert!(whole.last_ack_recv().is_some());
        let older = MptcpInfo::from_bytes(&[1; 88]);
        assert_eq!(older.last_data_sent(), None);
        assert_eq!(older.subflows_total(), Some(1));
        let oldest = MptcpInfo::from_bytes(&[1; 48]);
        assert_eq!(oldest.retransmits(), None);
        assert_eq!(oldest.csum_enabled(), Some(true));
    }

    #[test]
    fn flags_and_distance() {
        let mut bytes = [0; MptcpInfo::SIZE];
        bytes[8..12].copy_from_slice(&1u32.to_ne_bytes());
        bytes[16..24].copy_from_slice(&5u64.to_ne_bytes());
        bytes[24..32].copy_from_slice(&(u64::MAX - 1).to_ne_bytes());
        let info = MptcpInfo::from_bytes(&bytes);
        assert_eq!(info.is_fallback(), Some(true));
        assert_eq!(info.remote_key_received(), Some(false));
        assert_eq!(info.unacknowledged(), Some(7));
        assert_eq!(MptcpInfo::from_bytes(&[]).unacknowledged(), None);
    }
}
