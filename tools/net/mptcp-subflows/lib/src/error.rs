// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

use std::io;

/// Why a call failed. The text of each error says what to do about it.
///
/// The kernel's error number does not distinguish the first three: all of them can be
/// `EOPNOTSUPP`, and the last two are `ENOPROTOOPT` with IPv6.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel supports MPTCP but lacks the socket option: it is older than Linux 5.16.
    #[error("this kernel has no {0}: Linux 5.16 or newer is needed")]
    Unsupported(&'static str),

    /// The descriptor is not an MPTCP socket, or not a socket at all.
    ///
    /// A listening MPTCP socket returns plain TCP sockets for peers that do not support MPTCP.
    #[error(
        "not an MPTCP socket: create it with IPPROTO_MPTCP; one that was accepted as plain TCP has a peer without MPTCP"
    )]
    NotMptcp,

    /// The connection was opened as MPTCP and fell back to plain TCP, as RFC 8684 section 3.7
    /// allows: the kernel then treats it as the one TCP connection that it is, which
    /// [`fallback()`](crate::fallback) returns.
    #[error(
        "the connection fell back to plain TCP: the peer does not support MPTCP, or something on the path strips its options"
    )]
    Fallback,

    /// Subflows came and went too fast for one consistent picture.
    #[error("the connection's subflows changed during each of {0} attempts: try again")]
    Unstable(u32),

    /// The kernel cannot list MPTCP connections.
    #[error("this kernel cannot list MPTCP connections: it needs CONFIG_INET_MPTCP_DIAG")]
    NoDiag,

    /// The kernel's reply contradicts itself or the interface.
    #[error("the kernel's reply to {call} is malformed ({reason}): report this as a bug")]
    Malformed {
        /// What was read, for example the name of a socket option.
        call: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// Any other error of the system call. Its [source](std::error::Error::source) is the system's error.
    #[error("cannot read {call}")]
    Os {
        /// What was read, for example the name of a socket option.
        call: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

impl Error {
    /// A word for the kind of error that stays the same, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unsupported(_) => "unsupported",
            Self::NotMptcp => "not_mptcp",
            Self::Fallback => "fallback",
            Self::Unstable(_) => "unstable",
            Self::NoDiag => "no_diag",
            Self::Malformed { .. } => "malformed",
            Self::Os { .. } => "os",
        }
    }
}

/// Keeps the error, with the kind of the system's where there is one.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Unsupported(_) | Error::NoDiag | Error::Fallback => io::ErrorKind::Unsupported,
            Error::NotMptcp => io::ErrorKind::InvalidInput,
            Error::Unstable(_) => io::ErrorKind::WouldBlock,
            Error::Malformed { .. } => io::ErrorKind::InvalidData,
            Error::Os { source, .. } => source.kind(),
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn the_systems_error_is_said_once() {
        let source = io::Error::from_raw_os_error(libc::EACCES);
        let error = Error::Os {
            call: "MPTCP_INFO",
            source,
        };
        assert_eq!(error.to_string(), "cannot read MPTCP_INFO");
        assert!(error.source().unwrap().to_string().contains("denied"));

        let error = io::Error::from(error);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let inner = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
        assert_eq!(inner.kind(), "os");
    }
}
