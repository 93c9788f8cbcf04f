// SPDX-License-Identifier: GPL-2.0

//! What is listed, and what is not.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use testkit::network::{self, NO_ENDPOINTS, TwoPaths};
use testkit::{sockets, wait_for};

use crate::helper::Helper;
use crate::program::{
    PATH, Server, address, complaint, ends, found, on_terminal, parse_all, program, run, wrapped,
};

pub const TWO_MORE: [&str; 2] = [
    "127.0.0.2 dev lo subflow",
    "127.0.0.3 dev lo subflow backup",
];

/// Both ends of a connection, once each has this many subflows.
pub fn pair_with(count: usize) -> (TcpStream, TcpStream, TcpListener) {
    // The peer, which has the same endpoints, adds none.
    assert!(network::allow_extra_subflows(count - 1));
    let complete = |connection: &serde_json::Value| {
        let paths = connection["paths"].as_array().unwrap();
        paths.len() == count && paths.iter().all(|path| path["state"] == "ESTABLISHED")
    };
    let all_complete = || {
        wait_for("subflows", || {
            let all = parse_all(&found("--json"));
            all.iter().all(complete).then_some(())
        });
    };
    let pair = sockets::pair_after("127.0.0.1:0", |_| all_complete());
    all_complete();
    pair
}

pub fn every_connection() {
    network::alone(&TWO_MORE, || {
        let (client, server, _listener) = pair_with(3);
        let all = parse_all(&found("--json"));
        assert_eq!(all.len(), 2);
        for (stream, other) in [(&client, &server), (&server, &client)] {
            let local = stream.local_addr().unwrap().to_string();
            let remote = other.local_addr().unwrap().to_string();
            let connection = all
                .iter()
                .find(|one| address(&one["local"]) == local)
                .unwrap();
            assert_eq!(address(&connection["remote"]), remote);
            let token = mptcp_subflows::mptcp_info(stream).unwrap().token();
            assert_eq!(connection["token"].as_u64(), token.map(u64::from));
            assert_eq!(connection["working_paths"], 3);
            assert_eq!(connection["processes"][0]["pid"], std::process::id());

            // The same as the socket option reports.
            let paths = connection["paths"].as_array().unwrap();
            let listed: BTreeSet<_> = paths.iter().map(ends).collect();
            let subflows = mptcp_subflows::subflows(stream).unwrap();
            let read = subflows
                .iter()
                .map(|s| (s.local().to_string(), s.remote().to_string()));
            assert_eq!(listed, read.collect());
            let backups = paths.iter().filter(|path| path["backup"] == true);
            let backups: Vec<_> = backups
                .map(|path| path["verdict"].as_str().unwrap())
                .collect();
            assert_eq!(backups, ["backup"]);
            assert!(paths.iter().all(|path| path["interface"] == "lo"));
        }

        let text = found("");
        assert_eq!(text.matches("3 of 3 paths work").count(), 2, "{text}");
        assert_eq!(text.lines().count(), 1 + 2 * 4, "{text}");
    });
}

pub fn sixty_five_subflows() {
    network::alone(&network::endpoints(64), || {
        let _pair = pair_with(65);
        let text = found("");
        assert_eq!(text.matches("65 of 65 paths work").count(), 2, "{text}");
        assert_eq!(text.lines().count(), 1 + 2 * 66, "{text}");
        for connection in parse_all(&found("--json")) {
            let paths = connection["paths"].as_array().unwrap();
            assert_eq!(paths.iter().map(ends).collect::<BTreeSet<_>>().len(), 65);
        }
    });
}

pub fn no_connection() {
    network::alone(&NO_ENDPOINTS, || {
        let listener = sockets::listener("127.0.0.1:0");
        let address = listener.local_addr().unwrap();
        // Never connected; and one that nobody listens for.
        let unconnected = sockets::socket("127.0.0.1:0").unwrap();
        let (refused, _) = sockets::bound("127.0.0.1:0");
        let (_free, nobody) = sockets::bound("127.0.0.1:0");
        assert!(refused.connect(&nobody.into()).is_err());
        let (status, text) = complaint(&run(""));
        assert_eq!(
            (status, text.as_str()),
            (Some(1), "mptcp-subflows: no MPTCP connection\n")
        );

        // A listening socket is there for those who want it.
        let text = found("--state listening");
        assert!(text.contains(&format!("{address}  listening")), "{text}");

        // One that is not accepted is a connection, and belongs to nobody.
        let _client = sockets::connect(address);
        let text = found(&format!("--port {}", address.port()));
        assert!(text.contains("no process"), "{text}");
        assert_eq!(parse_all(&found("--json")).len(), 2);
        let text = found("--state listening");
        assert!(text.contains("1 to accept"), "{text}");
        drop(unconnected);
    });
}

pub fn filters() {
    network::alone(&TWO_MORE, || {
        let (client, _server, _listener) = pair_with(3);
        let (other, _other_server, _other_listener) = pair_with(3);
        let port = |stream: &TcpStream| stream.local_addr().unwrap().port();
        let count = |arguments: &str| {
            let output = run(&format!("--json {arguments}"));
            let lines = parse_all(std::str::from_utf8(&output.stdout).unwrap()).len();
            assert_eq!(
                output.status.code(),
                Some(i32::from(lines == 0)),
                "{output:?}"
            );
            lines
        };
        assert_eq!(count(""), 4);
        assert_eq!(count(&format!("--port {}", port(&client))), 2);
        assert_eq!(count("--port 1"), 0);
        // Also by the address of a further path.
        assert_eq!(count("--addr 127.0.0.3"), 4);
        assert_eq!(count("--addr 127.0.0.0/30 --state established"), 4);
        assert_eq!(count("--addr 10.0.0.0/8"), 0);
        assert_eq!(count("--state closing"), 0);
        assert_eq!(count("--state listening,closing"), 2);
        assert_eq!(count("--state all"), 6);

        other.shutdown(std::net::Shutdown::Write).unwrap();
        wait_for("the end", || (count("--state closing") == 2).then_some(()));
    });
}

pub fn fallback() {
    network::alone(&NO_ENDPOINTS, || {
        let helper = Helper::start("fallback");
        let pid = helper.pid();
        let [connection] = &parse_all(&found("--json"))[..] else {
            panic!();
        };
        let fd = &connection["processes"][0]["fds"][0];
        let (local, remote) = ends(connection);

        // Whichever way it is asked for, it is found.
        for arguments in [
            String::new(),
            format!("--pid {pid}"),
            format!("--pid {pid} --fd {fd}"),
        ] {
            let text = found(&arguments);
            assert!(text.contains(&format!("{local} → {remote}")), "{text}");
            assert!(
                text.contains("fell back to TCP: no MPTCP in the peer's SYN-ACK"),
                "{text}"
            );
            let [connection] = &parse_all(&found(&format!("--json {arguments}")))[..] else {
                panic!("{arguments}");
            };
            assert_eq!(connection["fallback"], "handshake");
            let path = &connection["paths"][0];
            assert_eq!(ends(path), (local.clone(), remote.clone()));
            assert_eq!(path["verdict"], "fell_back");
            assert!(path["tcp_info"]["tcpi_rtt"].as_u64() > Some(0));
        }
    });
}

pub fn processes() {
    network::alone(&NO_ENDPOINTS, || {
        let server = Server::start("127.0.0.1:0");
        let client = sockets::connect(server.address.parse().unwrap());
        let pid = server.pid();
        let of_server = |arguments: &str| {
            wait_for("the connection", || {
                let output = run(arguments);
                (output.status.code() == Some(0)).then_some(output)
            });
            let text = found(arguments);
            assert!(
                text.contains(&format!("mptcp-subflows[{pid}] fd ")),
                "{text}"
            );
            assert!(
                text.contains(&format!("→ {}", client.local_addr().unwrap())),
                "{text}"
            );
            assert_eq!(
                text.matches("paths work").count() + text.matches("path works").count(),
                1
            );
        };
        of_server(&format!("--pid {pid}"));
        of_server("--name mptcp-subflows");

        let fd =
            parse_all(&found(&format!("--pid {pid} --json")))[0]["processes"][0]["fds"][0].clone();
        of_server(&format!("--pid {pid} --fd {fd}"));
        let (status, text) = complaint(&run(&format!("--pid {pid} --fd 0")));
        assert_eq!(status, Some(2));
        assert!(
            text.contains("file descriptor 0: not an MPTCP connection"),
            "{text}"
        );
        let (status, text) = complaint(&run(&format!("--pid {pid} --fd 999")));
        assert_eq!(status, Some(2));
        assert!(text.contains("no file descriptor 999"), "{text}");

        let (status, text) = complaint(&run("--name nobody"));
        assert_eq!(status, Some(1));
        assert!(
            text.contains("no MPTCP connection of a process nobody"),
            "{text}"
        );
    });
}

/// The kernel cuts the name of a process.
pub fn long_name() {
    let name = "a-name-of-more-than-15-bytes";
    let folder = std::env::temp_dir().join(format!("mptcp-subflows-name-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(PATH, folder.join(name)).unwrap();
    network::alone(&NO_ENDPOINTS, || {
        let mut command = Command::new(folder.join(name));
        let server = Server::spawn(command.args(["serve", "127.0.0.1:0"]));
        let _client = sockets::connect(server.address.parse().unwrap());
        wait_for("the connection", || {
            let output = run(&format!("--name {name}"));
            (output.status.code() == Some(0)).then_some(())
        });
    });
    std::fs::remove_dir_all(folder).unwrap();
}

pub fn namespaces() {
    TwoPaths::between(|paths| {
        let holder = paths.peer_pid();
        let namespace = format!("/proc/{holder}/ns/net");
        let mut command = wrapped(&format!("nsenter --net={namespace}"), "serve 0.0.0.0:5000");
        let server = Server::spawn(&mut command);
        let _client = sockets::connect("10.0.0.2:5000".parse::<SocketAddr>().unwrap());

        let text = wait_for("both paths", || {
            let text = found(&format!("--netns {namespace}"));
            text.contains("2 of 2 paths work").then_some(text)
        });
        assert!(text.contains("10.0.0.2:5000 → 10.0.0.1:"), "{text}");
        assert!(text.contains("path1"), "{text}");
        // That of a process is found by itself.
        let text = found(&format!("--pid {}", server.pid()));
        assert!(text.contains("10.0.1.2:5000 → 10.0.1.1:"), "{text}");
    });
    let (status, text) = complaint(&run("--netns no-such-namespace"));
    assert_eq!(status, Some(2));
    assert!(
        text.contains("network namespace no-such-namespace: No such file"),
        "{text}"
    );
}

pub fn v4_mapped() {
    network::alone(&NO_ENDPOINTS, || {
        let listener = sockets::listener("[::]:0");
        let port = listener.local_addr().unwrap().port();
        let _client = sockets::connect(SocketAddr::from(([127, 0, 0, 1], port)));
        let _server = listener.accept().unwrap();
        for connection in parse_all(&found("--json --addr 127.0.0.1")) {
            let (local, remote) = ends(&connection);
            assert!(
                local.starts_with("127.0.0.1:") && remote.starts_with("127.0.0.1:"),
                "{local}"
            );
        }
        assert_eq!(found("").matches("127.0.0.1:").count(), 8);
    });
}

pub fn width() {
    network::alone(&TWO_MORE, || {
        let _pair = pair_with(3);
        for width in [1, 20, 40, 60, 80, 100, 200] {
            let output = program("")
                .env("COLUMNS", width.to_string())
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
        // Without a terminal or COLUMNS there is no limit, and nothing is split.
        assert_eq!(found("").lines().count(), 1 + 2 * 4);
        let output = program("").env("LC_ALL", "C").output().unwrap();
        assert!(output.stdout.is_ascii());
    });
}

pub fn colors() {
    network::alone(&NO_ENDPOINTS, || {
        let _pair = sockets::pair("127.0.0.1:0");
        let colored = |variables: &[(&str, &str)]| {
            let mut command = on_terminal("rows 24 columns 80", "");
            let output = command.envs(variables.iter().copied()).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.contains("1 of 1 path works"), "{text}");
            text.contains('\x1b')
        };
        assert!(colored(&[]));
        // By its definition, an empty NO_COLOR means nothing.
        assert!(colored(&[("NO_COLOR", "")]));
        assert!(!colored(&[("NO_COLOR", "1")]));
        assert!(!colored(&[("TERM", "dumb")]));
        // Nor in a pipe.
        assert!(!found("").contains('\x1b'));
    });
}

pub fn nothing() {
    network::alone(&NO_ENDPOINTS, || {
        // It lives until its standard input is closed.
        let mut cat = Command::new("cat");
        let mut cat = cat.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = cat.id();
        let (status, text) = complaint(&run(&format!("--pid {pid}")));
        assert_eq!(status, Some(1));
        assert!(
            text.contains(&format!("no MPTCP connection of process {pid}")),
            "{text}"
        );
        drop(cat.stdin.take());
        cat.wait().unwrap();

        let (status, text) = complaint(&run(&format!("--pid {pid}")));
        assert_eq!(status, Some(2));
        assert!(
            text.contains(&format!("there is no process {pid}")),
            "{text}"
        );
    });
}
