// SPDX-License-Identifier: GPL-2.0

use std::io;

/// Why there is no answer. The text of each says what to do about it.
///
/// The kernel's error number alone does not tell the first three apart: all of them can be
/// `EOPNOTSUPP`, and the last two are `ENOPROTOOPT` with IPv6.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel speaks MPTCP but does not have the socket option: it is older than Linux 5.16.
    #[error("this kernel has no {0}: Linux 5.16 or newer is needed")]
    Unsupported(&'static str),

    /// The descriptor is no MPTCP socket, or no socket.
    ///
    /// A listening MPTCP socket also hands out plain TCP sockets: one for each peer that does not
    /// speak MPTCP.
    #[error(
        "not an MPTCP socket: create it with IPPROTO_MPTCP; one that was accepted as plain TCP has a peer without MPTCP"
    )]
    NotMptcp,

    /// The connection was opened as MPTCP and fell back to plain TCP, as RFC 8684 section 3.7
    /// allows: the kernel then treats it as the one TCP connection that it is.
    #[error(
        "the connection fell back to plain TCP: the peer does not speak MPTCP, or something on the path strips its options; TCP_INFO describes the one connection there is"
    )]
    Fallback,

    /// Subflows came and went too fast for one consistent picture.
    #[error("the connection's subflows changed during each of {0} attempts: try again")]
    Unstable(u32),

    /// The kernel's answer contradicts itself or the interface.
    #[error("the kernel's answer to {option} is not understood ({reason}): report this as a bug")]
    Malformed {
        /// The socket option that was read.
        option: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// Any other error of the system call.
    #[error("getsockopt({option}): {source}")]
    Os {
        /// The socket option that was read.
        option: &'static str,
        /// The system's error.
        source: io::Error,
    },
}
