// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

#![doc = include_str!("../README.md")]

#[cfg(feature = "diag")]
pub mod diag;
mod error;
mod fields;
mod mptcp_info;
mod query;
mod sample;
mod subflow;
mod sys;
mod tcp_info;

use std::os::fd::AsFd;

pub use error::Error;
pub use mptcp_info::MptcpInfo;
pub use sample::{Delta, Sample};
pub use subflow::{Details, Subflow, SubflowFlags, Subflows};
pub use tcp_info::{TcpInfo, TcpState};

/// Reads every subflow of the MPTCP socket `fd` from the kernel.
///
/// A socket that is not connected yet has no subflow, or one that is closed or listening.
///
/// Any descriptor of the socket will do, also a duplicate that came from another process. Such a
/// duplicate keeps the socket open, and registered with the owner's epoll, when the owner closes its
/// own: hold it for this call only.
///
/// # Errors
///
/// See [`Error`]: most often the socket is not an MPTCP one, or the connection fell back to TCP.
pub fn subflows(fd: impl AsFd) -> Result<Subflows, Error> {
    let mut reader = Reader::new();
    reader.read(fd)?;
    Ok(reader.subflows)
}

/// Reads subflows again and again, into buffers that it keeps.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stream = std::net::TcpStream::connect("192.0.2.1:80")?;
/// let mut reader = mptcp_subflows::Reader::new();
/// loop {
///     println!("{} subflows", reader.read(&stream)?.len());
///     std::thread::sleep(std::time::Duration::from_secs(1));
/// }
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Reader {
    buffers: query::Buffers,
    subflows: Subflows,
}

impl Reader {
    /// One with empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`subflows()`]; what it returns lasts until the next call.
    ///
    /// # Errors
    ///
    /// As those of [`subflows()`].
    pub fn read(&mut self, fd: impl AsFd) -> Result<&Subflows, Error> {
        query::snapshot(&fd.as_fd(), &mut self.buffers, &mut self.subflows)?;
        Ok(&self.subflows)
    }
}

/// Reads what the kernel knows about the connection of the MPTCP socket `fd` as a whole
/// (`MPTCP_INFO`).
///
/// # Errors
///
/// As those of [`subflows()`].
pub fn mptcp_info(fd: impl AsFd) -> Result<MptcpInfo, Error> {
    query::mptcp_info(&fd.as_fd())
}

/// Reads the one TCP connection that is left of an MPTCP connection that fell back, or `None` if it
/// did not fall back.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stream = std::net::TcpStream::connect("192.0.2.1:80")?;
/// match mptcp_subflows::subflows(&stream) {
///     Err(mptcp_subflows::Error::Fallback) => {
///         if let Some(tcp) = mptcp_subflows::fallback(&stream)? {
///             println!("plain TCP to {}, RTT {:?}", tcp.remote(), tcp.tcp_info().rtt());
///         }
///     }
///     subflows => println!("{} subflows", subflows?.len()),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As those of [`subflows()`], except [`Error::Fallback`].
pub fn fallback(fd: impl AsFd) -> Result<Option<Subflow>, Error> {
    query::fallback(&fd.as_fd())
}
