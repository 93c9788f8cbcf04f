// SPDX-License-Identifier: GPL-2.0

//! What changes from look to look.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;
use testkit::network::{self, NO_ENDPOINTS, TwoPaths};
use testkit::{sockets, wait_for};

use crate::list::{TWO_MORE, pair_with};
use crate::program::{Running, Server, found, on_terminal, parse, program, run, wrapped};

/// Sends to the peer over two paths while `test` runs.
fn sending(paths: &TwoPaths, test: impl FnOnce() + Send) {
    let namespace = format!("/proc/{}/ns/net", paths.peer_pid());
    let mut command = wrapped(&format!("nsenter --net={namespace}"), "serve 0.0.0.0:5000");
    let _server = Server::spawn(&mut command);
    let client = sockets::connect("10.0.0.2:5000".parse().unwrap());
    client.set_nonblocking(true).unwrap();

    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // A full buffer is as good as a sent one: what counts is that there is always more.
                let _ = (&client).write(&[0; 1 << 14]);
                drain(&client);
                thread::yield_now();
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for("both paths", || {
                found("").contains("2 of 2 paths work").then_some(())
            });
            test();
        }));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

fn drain(mut client: &TcpStream) {
    use std::io::Read;
    let _ = client.read(&mut [0; 1 << 14]);
}

fn path<'a>(connection: &'a Value, remote: &str) -> &'a Value {
    let paths = connection["paths"].as_array().unwrap();
    paths
        .iter()
        .find(|path| path["remote"]["address"] == remote)
        .unwrap()
}

/// The first path carries everything as long as it can.
const FIRST: &str = "10.0.0.2";
const SECOND: &str = "10.0.1.2";

fn rate(line: &str, remote: &str) -> Option<f64> {
    path(&parse(line), remote)["rates"]["sending"].as_f64()
}

pub fn a_path_that_is_cut() {
    TwoPaths::between(|paths| {
        sending(paths, || {
            let mut watch = Running::start(&mut program("--watch 1 --json"));
            watch.find(|line| (rate(&line, FIRST) > Some(0.0)).then_some(()));
            paths.cut(0);
            // The first look after a timeout says so, however long this machine takes to time out. It may
            // time out on the other path, too, for a moment.
            let connection = watch.find(|line| {
                let connection = parse(&line);
                let [no_ack, other] =
                    [FIRST, SECOND].map(|remote| path(&connection, remote)["verdict"] == "no_ack");
                let info = &path(&connection, FIRST)["tcp_info"];
                let timeouts = info["tcpi_retransmits"].as_u64().unwrap();
                assert_eq!(no_ack, timeouts > 0, "{connection}");
                (no_ack && !other).then_some(connection)
            });
            assert_eq!(connection["working_paths"], 1);
            // No rate from before the cut remains, and the other path takes over.
            watch.find(|line| {
                let rates = [FIRST, SECOND].map(|remote| rate(&line, remote));
                (rates[0] == Some(0.0) && rates[1] > Some(0.0)).then_some(())
            });
            let text = wait_for("the report", || {
                let text = found("");
                text.contains("1 of 2 paths work").then_some(text)
            });
            assert!(text.contains("no ACK for "), "{text}");
        });
    });
}

pub fn events_of_a_path() {
    TwoPaths::between(|paths| {
        let mut events = Running::start(&mut program("--events 0.1 --json"));
        let mut next = |wanted: &[&str]| {
            events.find(|line| {
                let event = parse(&line);
                let is_wanted = wanted.contains(&event["event"].as_str().unwrap());
                // A busy machine may time out on the other path, too.
                let is_second = event["path"]["remote"]["address"] == SECOND;
                (is_wanted && !is_second).then_some(event)
            })
        };
        sending(paths, || {
            // The first look may come before the connection or after.
            assert_eq!(next(&["present", "new"])["remote"]["address"], FIRST);
            paths.cut(0);
            let down = next(&["path_down"]);
            assert_eq!(down["path"]["remote"]["address"], FIRST);
            assert!(
                down["reason"].as_str().unwrap().starts_with("no ACK for"),
                "{down}"
            );
            paths.mend(0);
            assert_eq!(next(&["path_up"])["path"], down["path"]);
        });
        next(&["closed"]);
    });
}

pub fn rates_and_shares() {
    TwoPaths::between(|paths| {
        sending(paths, || {
            let mut watch = Running::start(&mut program("--watch 0.5 --json"));
            let first = watch.find(|line| Some(parse(&line)));
            assert_eq!(path(&first, FIRST)["rates"], Value::Null);
            // Between two looks, a busy machine may move nothing, or only what the peer sends back. That is an
            // eighth.
            let mut sums = [0.0; 2];
            let mut looks = 0;
            let rates = watch.find(|line| {
                let next = parse(&line);
                let rates = [FIRST, SECOND].map(|remote| path(&next, remote)["rates"].clone());
                let now = ["sending", "receiving"].map(|way| rates[0][way].as_f64().unwrap());
                for (sum, rate) in sums.iter_mut().zip(now) {
                    *sum += rate;
                }
                looks += 1;
                let moves = now.iter().all(|&rate| rate > 0.0);
                (looks >= 4 && moves && sums[0] > sums[1]).then_some(rates)
            });
            let shares = rates.map(|rates| rates["share"].as_f64().unwrap());
            assert!((shares[0] + shares[1] - 1.0).abs() < 1e-9, "{shares:?}");
        });
    });
}

pub fn in_place() {
    network::alone(&TWO_MORE, || {
        let _pairs = [pair_with(3), pair_with(3)];
        // 17 lines, for a terminal that has 10.
        let mut command = on_terminal("rows 10 columns 70", "--watch 0.05");
        let mut lines = Vec::new();
        Running::start(command.env("NO_COLOR", "1")).find(|line| {
            lines.push(line.trim_end().to_string());
            (lines.len() == 45).then_some(())
        });
        // Up over what was written, and clear: nothing but the last report remains.
        let starts = (0..lines.len()).filter(|at| lines[*at].contains("\x1b[J"));
        let starts: Vec<_> = [0].into_iter().chain(starts).collect();
        assert!(starts.len() >= 4, "{lines:#?}");
        for pair in starts.windows(2) {
            let (line, before) = (&lines[pair[1]], &lines[pair[1] - 1]);
            let height = pair[1] - pair[0];
            assert!(
                height < 10 && line.starts_with(&format!("\x1b[{height}F\x1b[J")),
                "{line:?}"
            );
            assert!(before.starts_with("… no room for "), "{before:?}");
        }
        for line in &lines {
            let text = line.rsplit("\x1b[J").next().unwrap();
            assert!(
                text.chars().count() <= 70 && !text.contains('\x1b'),
                "{text:?}"
            );
        }
    });
}

pub fn ends_with_the_process() {
    network::alone(&NO_ENDPOINTS, || {
        let server = Server::start("127.0.0.1:0");
        let client = sockets::connect(server.address.parse().unwrap());
        let pid = server.pid();
        wait_for("the connection", || {
            run(&format!("--pid {pid}")).status.success().then_some(())
        });
        let mut watch = Running::start(&mut program(&format!("--pid {pid} --watch 0.01")));
        for _ in 0..3 {
            watch.find(|line| line.contains("1 of 1 path works").then_some(()));
        }
        drop(client);
        watch.find(|line| {
            line.contains(&format!("no MPTCP connection of process {pid}"))
                .then_some(())
        });
        drop(server);
        assert_eq!(watch.child.wait().unwrap().code(), Some(0));
    });
}
