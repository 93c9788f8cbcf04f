// SPDX-License-Identifier: GPL-2.0

//! What the tests of the library and of the program share: connections, networks of their own, and
//! kernels that refuse something.

pub mod kernel;
pub mod network;
pub mod sockets;
mod suite;

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};

pub use suite::{Need, Suite};

/// Ends what would hang, and is far longer than anything here takes, also on a machine that is emulated
/// and busy.
pub const PATIENCE: Duration = Duration::from_secs(100);

/// Allows this process as many descriptors as thousands of connections take.
pub fn raise_descriptor_limit() {
    let limit = Rlimit {
        current: Some(1 << 14),
        maximum: Some(1 << 14),
    };
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// What `look` returns, as soon as that is something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::yield_now();
    }
}
