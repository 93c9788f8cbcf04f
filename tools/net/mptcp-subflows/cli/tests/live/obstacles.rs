// SPDX-License-Identifier: GPL-2.0

//! What stands in the way of a look must be said, and never looks like "nothing there".

use std::process::{Command, Output};

use testkit::network::{self, NO_ENDPOINTS};
use testkit::{kernel, sockets, wait_for};

use crate::helper::Helper;
use crate::list::{TWO_MORE, pair_with};
use crate::program::{PATH, Server, complaint, found, parse_all, run, wrapped};

/// root without any capability, as in many containers.
const POWERLESS: &str = "setpriv --bounding-set=-all --inh-caps=-all";

pub fn no_privileges() {
    network::alone(&TWO_MORE, || {
        let _pair = pair_with(3);
        let output = wrapped(POWERLESS, "--json").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let all = parse_all(std::str::from_utf8(&output.stdout).unwrap());
        assert_eq!(all.len(), 2);
        for connection in all {
            // Before Linux 6.15, the kernel reports the first path only.
            let expected = if kernel::version() >= (6, 15) { 3 } else { 1 };
            assert_eq!(connection["paths"].as_array().unwrap().len(), expected);
            assert_eq!(connection["processes"], serde_json::json!([]));
        }
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.contains("the processes of 2 connections cannot be named"),
            "{text}"
        );
    });
}

/// A duplicate would keep the socket of another process open.
pub fn no_duplicates() {
    network::alone(&NO_ENDPOINTS, || {
        let pair = Helper::start("pair");
        let refuse = || kernel::without_call(libc::SYS_pidfd_getfd, libc::EPERM);
        kernel::restricted(refuse, || {
            assert_eq!(parse_all(&found("--json")).len(), 2);
            is_seen(&pair);
        });
    });
}

pub fn refused() {
    network::alone(&NO_ENDPOINTS, || {
        let server = Server::start("127.0.0.1:0");
        let _client = sockets::connect(server.address.parse().unwrap());
        let pid = server.pid();
        for arguments in [format!("--pid {pid}"), "--name mptcp-subflows".into()] {
            let output = wrapped(POWERLESS, &arguments).output().unwrap();
            let (status, text) = complaint(&output);
            assert_eq!(status, Some(2), "{text}");
            assert!(
                text.contains("be its user, or have CAP_SYS_PTRACE"),
                "{text}"
            );
            assert_eq!(text.matches("Permission denied").count(), 1, "{text}");
        }
    });
}

/// Runs the program with another /proc, and without the capability to see through what that hides.
fn with_proc(mount: &str, arguments: &str) -> Output {
    let setpriv = "setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace";
    let line = format!("mount {mount} /proc; exec {setpriv} {PATH} {arguments}");
    Command::new("unshare")
        .args(["--mount", "sh", "-ec", &line])
        .output()
        .unwrap()
}

pub fn hidden_processes() {
    network::alone(&NO_ENDPOINTS, || {
        let pair = Helper::start("pair");
        let (name, pid) = (comm(&pair), pair.pid());
        for mount in [
            "-t proc -o hidepid=invisible,gid=65534 none",
            "-t proc -o hidepid=noaccess,gid=65534 none",
            "-t tmpfs none",
        ] {
            // The connections are there, but not whose they are.
            let output = with_proc(mount, "--json");
            let (status, text) = complaint(&output);
            assert_eq!(status, Some(0), "{mount}: {text}");
            assert!(
                text.contains("the processes of 2 connections cannot be named"),
                "{mount}: {text}"
            );
            assert_eq!(
                parse_all(std::str::from_utf8(&output.stdout).unwrap()).len(),
                2
            );

            // What is hidden could have any name.
            for arguments in [
                format!("--name {name}"),
                "--name nobody".into(),
                format!("--pid {pid}"),
            ] {
                let (status, text) = complaint(&with_proc(mount, &arguments));
                assert_eq!(status, Some(2), "{mount}: {arguments}: {text}");
                assert!(
                    text.contains("cannot look into"),
                    "{mount}: {arguments}: {text}"
                );
            }
        }
    });
}

/// The name that the kernel has for it.
fn comm(helper: &Helper) -> String {
    let name = std::fs::read_to_string(format!("/proc/{}/comm", helper.pid()));
    name.unwrap().trim_end().into()
}

pub fn no_netlink() {
    network::alone(&TWO_MORE, || {
        let pair = Helper::start("pair");
        let pid = pair.pid();
        wait_for("subflows", || {
            (found("").matches("3 of 3 paths work").count() == 2).then_some(())
        });
        let refuse = || kernel::without_family(libc::AF_NETLINK, libc::EACCES);
        kernel::restricted(refuse, || {
            // Without a PID, those of this network namespace only: other tests have such processes, too.
            for arguments in [format!("--name {}", comm(&pair)), format!("--pid {pid}")] {
                let output = run(&format!("--json {arguments}"));
                let (status, text) = complaint(&output);
                assert_eq!(status, Some(0), "{output:?}");
                assert!(
                    text.contains("reading the descriptors of processes instead"),
                    "{text}"
                );
                let all = parse_all(std::str::from_utf8(&output.stdout).unwrap());
                assert_eq!(all.len(), 2);
                let ids: Vec<_> = all
                    .iter()
                    .map(|one| one["paths"][2]["id"].is_u64())
                    .collect();
                assert_eq!(ids, [kernel::version() >= (6, 5); 2]);
            }
            let output = run(&format!("--state listening --pid {pid}"));
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.contains("  listening  "), "{text}");
        });
    });
}

pub fn no_netlink_and_duplicates() {
    network::alone(&NO_ENDPOINTS, || {
        let pair = Helper::start("pair");
        for (errno, said) in [
            (libc::ENOSYS, "not implemented"),
            (libc::EACCES, "Permission denied"),
            (libc::EMFILE, "Too many open files"),
        ] {
            let refuse = || {
                kernel::without_family(libc::AF_NETLINK, libc::EPERM)?;
                kernel::without_call(libc::SYS_pidfd_getfd, errno)
            };
            kernel::restricted(refuse, || {
                let output = run(&format!("--pid {}", pair.pid()));
                assert_eq!(output.status.code(), Some(2), "{output:?}");
                let text = String::from_utf8(output.stderr).unwrap();
                let last = text.lines().last().unwrap();
                assert!(
                    last.contains("cannot look into") && last.contains(said),
                    "{text}"
                );
            });
        }
    });
}

fn is_seen(helper: &Helper) {
    let pid = helper.pid();
    let output = run(&format!("--json --pid {pid}"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let all = parse_all(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|one| one["processes"][0]["pid"] == pid));
}

pub fn main_thread_ended() {
    network::alone(&NO_ENDPOINTS, || is_seen(&Helper::start("headless")));
}

pub fn main_thread_ended_without_netlink() {
    network::alone(&NO_ENDPOINTS, || {
        let headless = Helper::start("headless");
        kernel::restricted(
            || kernel::without_family(libc::AF_NETLINK, libc::EPERM),
            || {
                is_seen(&headless);
            },
        );
    });
}
