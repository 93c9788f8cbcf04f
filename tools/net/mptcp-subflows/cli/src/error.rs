// SPDX-License-Identifier: GPL-2.0

//! What stands in the way of a look, and words for it that stay the same, for programs.

use std::io;

use crate::text::plural;

#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("there is no process {0}")]
    NoProcess(i32),

    #[error("process {pid} has no file descriptor {fd}")]
    NoDescriptor { pid: i32, fd: i32 },

    #[error("process {pid}, file descriptor {fd}: not an MPTCP connection")]
    NotMptcp { pid: i32, fd: i32 },

    #[error("cannot look into {}: be its user, or have CAP_SYS_PTRACE", processes(.pids))]
    Refused { pids: Vec<i32>, source: io::Error },

    #[error("network namespace {name}")]
    Namespace { name: String, source: io::Error },
}

fn processes(pids: &[i32]) -> String {
    match pids {
        [pid] => format!("process {pid}"),
        _ => plural(pids.len(), "process", "processes"),
    }
}

/// The word for what went wrong first.
pub fn kind(error: &anyhow::Error) -> &'static str {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<mptcp_subflows::Error>() {
            if error.kind() != "os" {
                return error.kind();
            }
        } else if let Some(trouble) = cause.downcast_ref::<Trouble>() {
            match trouble {
                Trouble::NoProcess(_) => return "no_process",
                Trouble::NoDescriptor { .. } => return "no_descriptor",
                Trouble::NotMptcp { .. } => return "not_mptcp",
                Trouble::Refused { .. } | Trouble::Namespace { .. } => {}
            }
        } else if let Some(error) = cause.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::PermissionDenied => "permission_denied",
                io::ErrorKind::NotFound => "not_found",
                io::ErrorKind::Unsupported => "unsupported",
                _ => "os",
            };
        }
    }
    "os"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_kinds() {
        let source = || io::Error::from_raw_os_error(libc::EACCES);
        let refused = Trouble::Refused {
            pids: vec![1],
            source: source(),
        };
        let os = mptcp_subflows::Error::Os {
            call: "sock_diag",
            source: source(),
        };
        let denied = anyhow::Error::from(refused);
        assert_eq!(kind(&denied), "permission_denied");
        // The system's text is there once.
        let text = format!("{denied:#}");
        assert_eq!(text.matches("denied").count(), 1, "{text}");
        assert!(text.contains("process 1: be its user"), "{text}");

        assert_eq!(kind(&os.into()), "permission_denied");
        assert_eq!(kind(&mptcp_subflows::Error::NoDiag.into()), "no_diag");
        assert_eq!(kind(&Trouble::NoProcess(1).into()), "no_process");
        assert_eq!(kind(&anyhow::anyhow!("else")), "os");
    }
}
