// SPDX-License-Identifier: GPL-2.0

//! Processes that hold connections: this program, started again.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use testkit::{sockets, wait_for};

const VARIABLE: &str = "MPTCP_SUBFLOWS_TEST_HELPER";

/// What this process has to do instead of testing.
pub fn role() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Holds connections until standard input ends.
pub fn play(role: &str) {
    match role {
        "pair" => hold(sockets::pair("127.0.0.1:0")),
        "many" => {
            let pair = || sockets::pair("127.0.0.1:0");
            hold(Vec::from_iter(std::iter::repeat_with(pair).take(100)));
        }
        "fallback" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = sockets::connect(listener.local_addr().unwrap());
            hold((client, listener));
        }
        // The main thread ends, while another one holds the connection.
        "headless" => {
            thread::spawn(|| {
                hold(sockets::pair("127.0.0.1:0"));
                std::process::exit(0);
            });
            #[expect(unsafe_code, reason = "libc offers no safe way to end one thread")]
            // SAFETY: The thread returns nowhere, and holds nothing that another one needs.
            unsafe {
                libc::syscall(libc::SYS_exit, 0);
            }
        }
        _ => panic!("no role {role}"),
    }
}

fn hold<T>(connections: T) {
    println!("ready");
    // Nothing comes but the end.
    let _ = std::io::stdin().read_line(&mut String::new());
    drop(connections);
}

/// One that plays a role until this is dropped.
pub struct Helper {
    child: Child,
}

impl Helper {
    /// Returns when it holds its connections.
    pub fn start(role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(VARIABLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        if role == "headless" {
            // The main thread ends at about the same time.
            let stat = format!("/proc/{}/stat", child.id());
            wait_for("the end of the main thread", || {
                let stat = std::fs::read_to_string(&stat).unwrap();
                stat.contains(") Z ").then_some(())
            });
        }
        Self { child }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
