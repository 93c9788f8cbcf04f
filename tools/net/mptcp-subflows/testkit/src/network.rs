// SPDX-License-Identifier: GPL-2.0

//! Networks of their own.

use std::io;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::wait_for;

/// Moves this thread, and all that it starts, to an empty network.
pub fn unshare() -> io::Result<()> {
    #[expect(unsafe_code, reason = "libc offers no safe unshare")]
    // SAFETY: Takes no pointer, and leaves all that memory safety rests on as it is.
    let ret = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    match ret {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Runs a command line that must succeed.
pub fn sh(line: &str) {
    let status = Command::new("sh").args(["-ec", line]).status().unwrap();
    assert!(status.success(), "{line}");
}

/// Lets each connection of this network have this many subflows besides its first one, if the kernel
/// can do that.
pub fn allow_extra_subflows(number: usize) -> bool {
    let number = number.to_string();
    let mut command = Command::new("ip");
    command.args(["mptcp", "limits", "set", "subflow", &number]);
    command.stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs `test` in a network of its own, where a connection to 127.0.0.1 gets a further subflow
/// from each of the `endpoints`. The network goes away with the thread and its children.
pub fn alone<T: Send>(endpoints: &[impl AsRef<str> + Sync], test: impl FnOnce() -> T + Send) -> T {
    let in_thread = || {
        unshare().unwrap();
        let add = endpoints.iter();
        let add = add.map(|endpoint| format!("ip mptcp endpoint add {}\n", endpoint.as_ref()));
        sh(&format!(
            "ip link set lo up; ip mptcp limits set add_addr_accepted 8\n{}",
            add.collect::<String>()
        ));
        assert!(allow_extra_subflows(endpoints.len().max(8)));
        test()
    };
    thread::scope(|scope| match scope.spawn(in_thread).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// An empty network but for the loopback interface.
pub const NO_ENDPOINTS: [&str; 0] = [];

/// As many endpoints for [`alone()`].
pub fn endpoints(count: usize) -> Vec<String> {
    let endpoint = |n| format!("127.0.0.{n} dev lo subflow");
    (2..).take(count).map(endpoint).collect()
}

/// Two hosts with two paths between them: this thread's network, 10.0.0.1 and 10.0.1.1, and the peer's,
/// 10.0.0.2 and 10.0.1.2. A connection to 10.0.0.2 gets its second subflow when the peer announces
/// 10.0.1.2.
pub struct TwoPaths {
    /// It keeps the peer's network for as long as its standard input is open.
    holder: Child,
}

impl TwoPaths {
    /// Runs `test` on one of the hosts.
    pub fn between<T: Send>(test: impl FnOnce(&Self) -> T + Send) -> T {
        alone(&NO_ENDPOINTS, || {
            let own = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
            let holder = Command::new("unshare")
                .args(["--net", "cat"])
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            let theirs = format!("/proc/{}/ns/net", holder.id());
            wait_for("the peer's network", || {
                let theirs = std::fs::read_link(&theirs).ok()?;
                (theirs != own).then_some(())
            });
            let paths = Self { holder };
            for path in 0..2 {
                sh(&format!(
                    "ip link add path{path} type veth peer name path{path} netns {}",
                    paths.holder.id()
                ));
                sh(&format!(
                    "ip address add 10.0.{path}.1/24 dev path{path}; ip link set path{path} up"
                ));
                paths.peer(&format!(
                    "ip address add 10.0.{path}.2/24 dev path{path}; ip link set path{path} up"
                ));
            }
            paths.peer(
                "ip link set lo up; ip mptcp limits set subflow 1; \
                 ip mptcp endpoint add 10.0.1.2 dev path1 signal",
            );
            test(&paths)
        })
    }

    /// The process whose network the peer's is.
    pub fn peer_pid(&self) -> u32 {
        self.holder.id()
    }

    /// Runs a command line on the peer that must succeed.
    pub fn peer(&self, line: &str) {
        let namespace = format!("/proc/{}/ns/net", self.holder.id());
        let status = Command::new("nsenter")
            .args([&format!("--net={namespace}"), "sh", "-ec", line])
            .status()
            .unwrap();
        assert!(status.success(), "{line}");
    }

    /// From now on nothing of the peer's reaches this host over this path.
    pub fn cut(&self, path: u32) {
        self.peer(&format!("ip route add blackhole 10.0.{path}.1"));
    }

    /// Undoes [`cut()`](Self::cut).
    pub fn mend(&self, path: u32) {
        self.peer(&format!("ip route del blackhole 10.0.{path}.1"));
    }
}

impl Drop for TwoPaths {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        // It ends as its standard input does.
        let _ = self.holder.wait();
    }
}
