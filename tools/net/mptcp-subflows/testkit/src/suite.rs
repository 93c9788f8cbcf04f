// SPDX-License-Identifier: GPL-2.0

//! A harness that reports what cannot run here as ignored, with what it needs behind its name.

use std::net::TcpListener;
use std::path::Path;
use std::thread;

use libtest_mimic::{Arguments, Trial};

use crate::{kernel, network, sockets};

/// What a test may need from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A kernel with MPTCP.
    Mptcp,
    /// IPv6.
    Ipv6,
    /// Network namespaces of one's own, and so mostly root.
    Root,
    /// Filters for system calls.
    Seccomp,
    /// A kernel of at least this version.
    Linux(u32, u32),
    /// A kernel whose path manager adds this many subflows to a connection.
    ExtraSubflows(usize),
    /// A machine that is not emulated: emulation takes many times as long.
    Fast,
    /// A program of another package.
    Program(&'static str),
}

impl Need {
    fn is_met(self) -> bool {
        match self {
            Self::Mptcp => sockets::socket("127.0.0.1:0").is_ok(),
            Self::Ipv6 => TcpListener::bind("[::1]:0").is_ok(),
            Self::Root => in_thread(|| network::unshare().is_ok()),
            Self::Seccomp => in_thread(|| kernel::without_full_info().is_ok()),
            Self::Linux(major, minor) => kernel::version() >= (major, minor),
            Self::ExtraSubflows(number) => in_thread(move || {
                network::unshare().is_ok() && network::allow_extra_subflows(number)
            }),
            Self::Fast => std::fs::read_to_string("/proc/cpuinfo")
                .is_ok_and(|processors| !processors.contains("QEMU TCG")),
            Self::Program(name) => std::env::var_os("PATH").is_some_and(|path| {
                std::env::split_paths(&path).any(|folder| Path::new(&folder).join(name).exists())
            }),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Mptcp => "MPTCP".into(),
            Self::Ipv6 => "IPv6".into(),
            Self::Root => "root".into(),
            Self::Seccomp => "seccomp".into(),
            Self::Linux(major, minor) => format!("Linux {major}.{minor}"),
            Self::ExtraSubflows(number) => format!("a limit of {number} extra subflows"),
            Self::Fast => "a machine that is not emulated".into(),
            Self::Program(name) => name.into(),
        }
    }
}

/// So that what it does to its thread stays there.
fn in_thread(test: impl FnOnce() -> bool + Send + 'static) -> bool {
    thread::spawn(test).join().unwrap_or(false)
}

/// The tests of one program.
#[derive(Default)]
pub struct Suite {
    trials: Vec<Trial>,
    needs: Vec<(Need, bool)>,
}

impl Suite {
    /// One without tests.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a test.
    pub fn add(&mut self, needs: &[Need], name: &str, test: fn()) {
        let missing: Vec<_> = needs
            .iter()
            .filter(|need| !self.has(**need))
            .map(|need| need.text())
            .collect();
        let name = match missing.is_empty() {
            true => name.into(),
            false => format!("{name} (needs {})", missing.join(" and ")),
        };
        let trial = Trial::test(name, move || {
            test();
            Ok(())
        });
        self.trials
            .push(trial.with_ignored_flag(!missing.is_empty()));
    }

    fn has(&mut self, need: Need) -> bool {
        if let Some((_, met)) = self.needs.iter().find(|(known, _)| *known == need) {
            return *met;
        }
        let met = need.is_met();
        self.needs.push((need, met));
        met
    }

    /// Runs them as the command line says, and exits.
    pub fn run(self) -> ! {
        libtest_mimic::run(&Arguments::from_args(), self.trials).exit()
    }
}
