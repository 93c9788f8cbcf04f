// SPDX-License-Identifier: GPL-2.0

//! The library and the program on the running kernel.
//!
//! What cannot run here is reported as ignored, with what it needs in front of its name.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use mptcp_subflows::{Error, Subflows, TcpState, subflows, unacknowledged};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};

/// Ends what would hang, and is far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    let mptcp = mptcp_socket("127.0.0.1:0").is_ok();
    let ipv6 = TcpListener::bind("[::1]:0").is_ok();
    let full_info = kernel_version() >= (6, 5);
    let seccomp = thread::spawn(|| lose_full_info().is_ok()).join().unwrap();
    let net_admin = thread::spawn(|| unshare_network().is_ok()).join().unwrap();

    let mut trials = Vec::new();
    let mut add = |needs: &[(bool, &str)], name: &str, test: fn()| {
        let missing: Vec<_> = needs
            .iter()
            .filter(|(has, _)| !has)
            .map(|(_, what)| *what)
            .collect();
        let kind = match missing.is_empty() {
            true => String::new(),
            false => format!("needs {}", missing.join(" and ")),
        };
        let trial = Trial::test(name, move || {
            test();
            Ok(())
        });
        trials.push(trial.with_kind(kind).with_ignored_flag(!missing.is_empty()));
    };
    let mptcp = (mptcp, "MPTCP");
    let ipv6 = (ipv6, "IPv6");
    let full_info = (full_info, "Linux 6.5");
    let seccomp = (seccomp, "seccomp");
    let root = (net_admin, "root");

    add(&[mptcp], "one_subflow_ipv4", || one_subflow("127.0.0.1:0"));
    add(&[mptcp, ipv6], "one_subflow_ipv6", || {
        one_subflow("[::1]:0")
    });
    add(&[mptcp], "unacknowledged_data", unacknowledged_data);
    add(&[mptcp], "fallback_to_tcp_ipv4", || {
        fallback_to_tcp("127.0.0.1:0")
    });
    add(&[mptcp, ipv6], "fallback_to_tcp_ipv6", || {
        fallback_to_tcp("[::1]:0")
    });
    add(
        &[mptcp],
        "tcp_peer_of_an_mptcp_listener",
        tcp_peer_of_an_mptcp_listener,
    );
    add(&[mptcp], "no_connection_yet", no_connection_yet);
    add(&[], "not_mptcp", not_mptcp);
    add(&[mptcp, root], "several_subflows", several_subflows);
    add(
        &[mptcp, root],
        "more_subflows_than_first_expected",
        more_subflows_than_first_expected,
    );

    add(
        &[mptcp, full_info, seccomp, root],
        "both_ways_of_asking_agree",
        both_ways_of_asking_agree,
    );
    add(&[mptcp, seccomp], "fallback_on_an_old_kernel", || {
        on_an_old_kernel(|| fallback_to_tcp("127.0.0.1:0"))
    });

    add(
        &[mptcp, root],
        "send_sees_every_subflow",
        send_sees_every_subflow,
    );
    add(
        &[mptcp, root],
        "send_misses_a_subflow",
        send_misses_a_subflow,
    );
    add(
        &[mptcp],
        "send_moves_what_was_asked_for",
        send_moves_what_was_asked_for,
    );
    add(&[mptcp], "send_runs_out_of_time", send_runs_out_of_time);
    add(&[mptcp], "send_waits_for_the_peer", send_waits_for_the_peer);
    add(&[mptcp], "send_has_no_peer", send_has_no_peer);
    add(&[mptcp], "send_has_a_tcp_peer", send_has_a_tcp_peer);
    add(&[mptcp], "send_loses_the_peer", send_loses_the_peer);
    add(
        &[mptcp],
        "serve_refuses_to_call_tcp_mptcp",
        serve_refuses_to_call_tcp_mptcp,
    );
    add(&[mptcp], "serve_address_in_use", serve_address_in_use);
    add(
        &[mptcp, root],
        "show_finds_the_connection",
        show_finds_the_connection,
    );
    add(
        &[mptcp, full_info, seccomp, root],
        "show_has_ids_where_the_kernel_has",
        show_has_ids_where_the_kernel_has,
    );
    add(
        &[mptcp, root],
        "show_watches_to_the_end",
        show_watches_to_the_end,
    );
    add(&[], "show_finds_nothing", show_finds_nothing);
    add(
        &[mptcp],
        "reader_of_stdout_goes_away",
        reader_of_stdout_goes_away,
    );
    add(&[], "wrong_arguments", wrong_arguments);

    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

// Connections

fn mptcp_socket(address: &str) -> std::io::Result<Socket> {
    let address: SocketAddr = address.parse().unwrap();
    let domain = Domain::for_address(address);
    Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP))
}

fn mptcp_listener(address: &str) -> TcpListener {
    let socket = mptcp_socket(address).unwrap();
    socket
        .bind(&address.parse::<SocketAddr>().unwrap().into())
        .unwrap();
    socket.listen(1).unwrap();
    socket.into()
}

fn mptcp_connect(address: SocketAddr) -> TcpStream {
    let socket = mptcp_socket(&address.to_string()).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Both ends of an MPTCP connection, over which data went in both directions, and the listener:
/// without it no further subflow can join.
fn mptcp_pair(address: &str) -> (TcpStream, TcpStream, TcpListener) {
    let listener = mptcp_listener(address);
    let mut client = mptcp_connect(listener.local_addr().unwrap());
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();

    client.write_all(&[1; 5000]).unwrap();
    server.read_exact(&mut [0; 5000]).unwrap();
    server.write_all(&[2; 300]).unwrap();
    client.read_exact(&mut [0; 300]).unwrap();
    (client, server, listener)
}

/// The subflows of `stream`, once there are `count`.
fn wait_for_subflows(stream: &TcpStream, count: usize) -> Subflows {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let subflows = subflows(stream).unwrap();
        let established = |s: &&_| state(s) == Some(TcpState::Established);
        if subflows.iter().filter(established).count() == count {
            return subflows;
        }
        assert!(
            Instant::now() < deadline,
            "not {count} subflows: {subflows:#?}"
        );
        thread::yield_now();
    }
}

fn state(subflow: &mptcp_subflows::Subflow) -> Option<TcpState> {
    subflow.tcp_info().state()
}

// Namespaces

fn unshare_network() -> std::io::Result<()> {
    #[expect(unsafe_code, reason = "libc offers no safe unshare")]
    // SAFETY: Takes no pointer, and leaves all that memory safety rests on as it is.
    let ret = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    match ret {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .expect("run ip");
    assert!(status.success(), "ip {arguments}");
}

/// Runs `test` in a network of its own, where a connection to 127.0.0.1 gets a further subflow
/// from each of the `endpoints`. The network goes away with the thread and its children.
fn in_network(endpoints: &[&str], test: impl FnOnce() + Send) {
    thread::scope(|scope| {
        scope.spawn(|| {
            unshare_network().unwrap();
            ip("link set lo up");
            ip("mptcp limits set subflow 8 add_addr_accepted 8");
            for endpoint in endpoints {
                ip(&format!("mptcp endpoint add {endpoint}"));
            }
            test();
        });
    });
}

// Kernels

fn kernel_version() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// From now on MPTCP_FULL_INFO is refused as by a kernel that lacks it, to this thread and all that
/// it starts.
fn lose_full_info() -> Result<(), seccompiler::Error> {
    let argument = |index, value| {
        SeccompCondition::new(index, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
    };
    let full_info = SeccompRule::new(vec![argument(1, 284)?, argument(2, 4)?])?;
    let filter = SeccompFilter::new(
        [(libc::SYS_getsockopt, vec![full_info])].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EOPNOTSUPP as u32),
        std::env::consts::ARCH.try_into()?,
    )?;
    apply_filter(&BpfProgram::try_from(filter)?)
}

fn on_an_old_kernel<T: Send>(ask: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            lose_full_info().unwrap();
            ask()
        });
        thread.join().unwrap()
    })
}

// The program

fn program(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mptcp-subflows"));
    command.args(arguments.split(' ')).stdin(Stdio::null());
    command
}

fn run(arguments: &str) -> Output {
    program(arguments).output().unwrap()
}

/// Exit status and the one line on stderr.
fn complaint(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    (output.status.code(), text)
}

fn json_lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A `serve` that accepts connections; killed when dropped.
struct Server {
    child: Child,
    address: String,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start(arguments: &str) -> Self {
        let mut command = program(&format!("serve {arguments}"));
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .expect(&line)
            .to_string();
        Self {
            child,
            address,
            stdout,
        }
    }

    /// Its exit status and the rest of its output, when it has ended by itself.
    fn end(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// The library's tests

fn one_subflow(address: &str) {
    let (client, server, _listener) = mptcp_pair(address);
    let both = [&client, &server].map(|stream| subflows(stream).unwrap());
    for (stream, subflows) in [&client, &server].into_iter().zip(&both) {
        assert_eq!(subflows.len(), 1);
        let subflow = subflows.iter().next().unwrap();
        assert_eq!(subflow.local(), stream.local_addr().unwrap());
        assert_eq!(subflow.remote(), stream.peer_addr().unwrap());
        assert_eq!(state(subflow), Some(TcpState::Established));
        assert!(subflow.tcp_info().rtt() > Some(Duration::ZERO));
        assert!(subflow.tcp_info().snd_cwnd() > Some(0));
    }
    let [client, server] = both.map(|subflows| subflows.into_iter().next().unwrap());
    // The SYN counts as a byte.
    assert_eq!(client.tcp_info().bytes_acked(), Some(5001));
    assert_eq!(client.tcp_info().bytes_received(), Some(300));
    assert_eq!(server.tcp_info().bytes_received(), Some(5000));
    assert_eq!(server.tcp_info().bytes_sent(), Some(300));
}

fn unacknowledged_data() {
    let (mut client, _server, _listener) = mptcp_pair("127.0.0.1:0");
    assert_eq!(unacknowledged(&client).unwrap(), 0);

    // Nobody reads, so that it piles up here in the end.
    client.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while client.write(&[0; 1 << 16]).is_ok() || unacknowledged(&client).unwrap() == 0 {
        assert!(Instant::now() < deadline);
    }
}

fn fallback_to_tcp(address: &str) {
    let listener = TcpListener::bind(address).unwrap();
    let client = mptcp_connect(listener.local_addr().unwrap());
    let answer = subflows(&client);
    assert!(matches!(answer, Err(Error::Fallback)), "{answer:?}");
}

fn tcp_peer_of_an_mptcp_listener() {
    let listener = mptcp_listener("127.0.0.1:0");
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    assert!(matches!(subflows(&client), Err(Error::NotMptcp)));
    assert!(matches!(subflows(&server), Err(Error::NotMptcp)));
}

fn no_connection_yet() {
    for subflow in &subflows(mptcp_socket("127.0.0.1:0").unwrap()).unwrap() {
        assert_eq!(state(subflow), Some(TcpState::Close));
    }
    for subflow in &subflows(mptcp_listener("127.0.0.1:0")).unwrap() {
        assert_eq!(state(subflow), Some(TcpState::Listen));
    }
}

fn not_mptcp() {
    let (unix, _) = std::os::unix::net::UnixStream::pair().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let file = File::open("/dev/null").unwrap();
    assert!(matches!(subflows(&tcp), Err(Error::NotMptcp)));
    assert!(matches!(subflows(&udp), Err(Error::NotMptcp)));
    assert!(matches!(subflows(&unix), Err(Error::NotMptcp)));
    assert!(matches!(subflows(&file), Err(Error::NotMptcp)));
}

fn several_subflows() {
    let endpoints = ["127.0.0.2 dev lo subflow", "127.0.0.3 dev lo subflow"];
    in_network(&endpoints, || {
        let (client, server, _listener) = mptcp_pair("127.0.0.1:0");
        let addresses = |stream| {
            let list = wait_for_subflows(stream, 3);
            list.iter()
                .map(|s| (s.local(), s.remote()))
                .collect::<BTreeSet<_>>()
        };
        let (ours, theirs) = (addresses(&client), addresses(&server));
        let from: BTreeSet<_> = ours
            .iter()
            .map(|(local, _)| local.ip().to_string())
            .collect();
        assert_eq!(
            Vec::from_iter(from),
            ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        );
        assert_eq!(
            theirs,
            ours.into_iter()
                .map(|(local, remote)| (remote, local))
                .collect()
        );

        ip("mptcp endpoint del id 1");
        wait_for_subflows(&client, 2);
    });
}

fn more_subflows_than_first_expected() {
    let endpoints: Vec<_> = (2..10)
        .map(|n| format!("127.0.0.{n} dev lo subflow"))
        .collect();
    let endpoints: Vec<_> = endpoints.iter().map(String::as_str).collect();
    in_network(&endpoints, || {
        let (client, _server, _listener) = mptcp_pair("127.0.0.1:0");
        assert_eq!(wait_for_subflows(&client, 9).len(), 9);
    });
}

fn both_ways_of_asking_agree() {
    let endpoints = ["127.0.0.2 dev lo subflow", "127.0.0.3 dev lo subflow"];
    in_network(&endpoints, || {
        let (client, server, _listener) = mptcp_pair("127.0.0.1:0");
        for stream in [&client, &server] {
            let new = wait_for_subflows(stream, 3);
            let old = on_an_old_kernel(|| subflows(stream)).unwrap();

            let ids = |subflows: &Subflows| {
                subflows
                    .iter()
                    .filter_map(|s| s.id())
                    .collect::<BTreeSet<_>>()
            };
            assert_eq!(ids(&new).len(), 3, "{new:#?}");
            assert!(ids(&old).is_empty(), "{old:#?}");

            // What an outstanding ACK does not change any more.
            let rows = |subflows: &Subflows| {
                let row = |s: &mptcp_subflows::Subflow| {
                    let tcp = s.tcp_info();
                    (
                        s.local(),
                        s.remote(),
                        tcp.size(),
                        state(s),
                        tcp.bytes_received(),
                    )
                };
                subflows.iter().map(row).collect::<Vec<_>>()
            };
            assert_eq!(rows(&old), rows(&new));
            assert_eq!(old.kernel_tcp_info_size(), new.kernel_tcp_info_size());
        }
    });
}

// The program's tests

fn send_sees_every_subflow() {
    let endpoints = ["127.0.0.2 dev lo subflow", "127.0.0.3 dev lo subflow"];
    in_network(&endpoints, || {
        let server = Server::start("127.0.0.1:0 --once");
        let output = run(&format!(
            "send {} --json --expect-subflows 3",
            server.address
        ));
        assert_eq!(output.status.code(), Some(0), "{output:?}");

        let reports = json_lines(&output);
        let (last, others) = reports.split_last().unwrap();
        assert!(others.iter().all(|report| report["final"] == false));
        assert_eq!(last["final"], true);
        let list = last["subflows"].as_array().unwrap();
        assert_eq!(list.len(), 3);
        for subflow in list {
            assert_eq!(subflow["state"], "ESTABLISHED");
            assert!(
                subflow["tcp_info"]["tcpi_bytes_acked"].as_u64() > Some(2),
                "{subflow}"
            );
        }
        let (status, text) = server.end();
        assert_eq!(status, Some(0));
        assert!(text.ends_with("over 3 subflows\n"), "{text}");
    });
}

fn send_misses_a_subflow() {
    in_network(&["127.0.0.2 dev lo subflow"], || {
        let server = Server::start("127.0.0.1:0");
        let arguments = format!("send {} --expect-subflows 3 --deadline 2", server.address);
        let (status, text) = complaint(&run(&arguments));
        assert_eq!(status, Some(1));
        assert!(
            text.contains("expected 3 subflows with data, saw "),
            "{text}"
        );
    });
}

fn send_moves_what_was_asked_for() {
    let server = Server::start("127.0.0.1:0 --once");
    let output = run(&format!("send {} --bytes 123456", server.address));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("at the end: 123 kB sent"), "{table}");
    assert!(table.contains(&format!("→ {}", server.address)), "{table}");
    let (status, text) = server.end();
    assert_eq!(status, Some(0));
    assert!(text.contains("received 123 kB"), "{text}");
}

fn send_runs_out_of_time() {
    let listener = mptcp_listener("127.0.0.1:0");
    let address = listener.local_addr().unwrap();
    // Nobody reads.
    let output = run(&format!("send {address} --bytes 1000000000 --deadline 1"));
    let (status, text) = complaint(&output);
    assert_eq!(status, Some(1));
    assert!(text.contains(" of 1.00 GB"), "{text}");
}

fn send_waits_for_the_peer() {
    // A port of which nobody else makes use: bound, but not listening yet.
    let socket = mptcp_socket("127.0.0.1:0").unwrap();
    socket
        .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
        .unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();

    let mut command = program(&format!("send {address}"));
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let line = lines.next().unwrap();
    assert!(
        line.contains(&format!("waiting for {address} to listen")),
        "{line}"
    );

    socket.listen(1).unwrap();
    let (mut stream, _) = socket.accept().unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 1_000_000);

    let line = lines.next().unwrap();
    assert!(
        line.contains(&format!("waiting for {address} to close its side")),
        "{line}"
    );
    drop(stream);
    assert_eq!(lines.next(), None);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn send_has_no_peer() {
    let socket = mptcp_socket("127.0.0.1:0").unwrap();
    socket
        .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
        .unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let output = run(&format!("send {address} --deadline 0.2"));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    let last = text.lines().last().unwrap();
    assert!(
        last.contains(&format!("connect to {address}: Connection refused")),
        "{text}"
    );
}

fn send_has_a_tcp_peer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (status, text) = complaint(&run(&format!("send {}", listener.local_addr().unwrap())));
    assert_eq!(status, Some(2));
    assert!(text.contains("fell back to plain TCP"), "{text}");
}

fn send_loses_the_peer() {
    let listener = mptcp_listener("127.0.0.1:0");
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || {
        drop(
            listener
                .accept()
                .unwrap()
                .0
                .shutdown(std::net::Shutdown::Both),
        )
    });
    let (status, text) = complaint(&run(&format!("send {address} --for 10")));
    peer.join().unwrap();
    assert_eq!(status, Some(2));
    assert!(text.contains(&address.to_string()), "{text}");
}

fn serve_refuses_to_call_tcp_mptcp() {
    let server = Server::start("127.0.0.1:0 --once");
    drop(TcpStream::connect(&server.address).unwrap());
    let (status, text) = server.end();
    assert_eq!(status, Some(1));
    assert!(text.ends_with("over plain TCP\n"), "{text}");
}

fn serve_address_in_use() {
    let server = Server::start("127.0.0.1:0");
    let (status, text) = complaint(&run(&format!("serve {}", server.address)));
    assert_eq!(status, Some(2));
    assert!(
        text.contains(&format!("listen on {}", server.address)),
        "{text}"
    );
}

/// A server with one connection that it has accepted, and its client.
fn connected_server() -> (Server, TcpStream) {
    let server = Server::start("127.0.0.1:0");
    let mut client = mptcp_connect(server.address.parse().unwrap());
    client.write_all(&[0; 800]).unwrap();
    client.read_exact(&mut [0; 100]).unwrap();
    (server, client)
}

fn show_finds_the_connection() {
    let (server, client) = connected_server();
    let pid = server.child.id();
    let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());

    let output = run(&format!("show --pid {pid}"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    // One table: the listening socket has none.
    assert_eq!(table.matches("local → remote").count(), 1, "{table}");
    assert!(table.contains(&format!("{remote} → {local}")), "{table}");
    assert!(
        table.lines().all(|line| line.chars().count() <= 120),
        "{table}"
    );

    let output = run(&format!("show --json --pid {pid}"));
    let [connection] = &json_lines(&output)[..] else {
        panic!("{output:?}");
    };
    assert_eq!(connection["error"], Value::Null);
    let subflow = &connection["subflows"][0];
    assert_eq!(subflow["remote"], local.to_string());
    assert_eq!(subflow["tcp_info"]["tcpi_bytes_received"], 800);

    let fd = &connection["fds"][0];
    assert!(run(&format!("show --pid {pid} --fd {fd}")).status.success());
    let (status, text) = complaint(&run(&format!("show --pid {pid} --fd 0")));
    assert_eq!(status, Some(2));
    assert!(text.contains("not an MPTCP socket"), "{text}");
    let (status, text) = complaint(&run(&format!("show --pid {pid} --fd 999")));
    assert_eq!(status, Some(2));
    assert!(text.contains("no file descriptor 999"), "{text}");
}

fn show_has_ids_where_the_kernel_has() {
    let (server, _client) = connected_server();
    let show = |options: &str| {
        let output = run(&format!("show --pid {}{options}", server.child.id()));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output
    };
    let columns = |output: Output| {
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .nth(1)
            .map(String::from)
            .unwrap()
    };
    let id = |output: Output| json_lines(&output)[0]["subflows"][0]["id"].clone();

    assert!(columns(show("")).starts_with("id  local → remote "));
    assert!(id(show(" --json")).is_u64());
    on_an_old_kernel(|| {
        assert!(columns(show("")).starts_with("local → remote "));
        assert_eq!(id(show(" --json")), Value::Null);
    });
}

fn show_watches_to_the_end() {
    let (server, client) = connected_server();
    let mut command = program(&format!("show --pid {} --watch=0.01", server.child.id()));
    let mut watch = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);

    for _ in 0..3 {
        assert!(lines.any(|line| line.contains("ESTABLISHED")));
    }
    // To watch must not keep the connection alive.
    drop(client);
    assert!(lines.any(|line| line.ends_with("has no MPTCP connection")));
    drop(server);
    lines.for_each(drop);
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

fn show_finds_nothing() {
    // It lives until its standard input is closed.
    let mut cat = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let (status, text) = complaint(&run(&format!("show --pid {}", cat.id())));
    drop(cat.stdin.take());
    cat.wait().unwrap();
    assert_eq!(status, Some(1));
    assert!(text.contains("has no MPTCP connection"), "{text}");

    let (status, text) = complaint(&run(&format!("show --pid {}", cat.id())));
    assert_eq!(status, Some(2));
    assert!(text.contains("there is no process"), "{text}");
}

fn reader_of_stdout_goes_away() {
    let server = Server::start("127.0.0.1:0");
    let mut command = program(&format!("send {} --for 10 --interval 0.01", server.address));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

fn wrong_arguments() {
    for arguments in [
        "show",
        "show --pid 0",
        "send 127.0.0.1",
        "send 127.0.0.1:1 --for 0",
        "send 127.0.0.1:1 --for x",
        "send 127.0.0.1:1 --for 1e10",
        "send 127.0.0.1:1 --for nan",
        "send 127.0.0.1:1 --for 5 --bytes 5",
        "send 127.0.0.1:1 --for 5 --deadline 1",
        "serve nowhere",
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(!output.stderr.is_empty(), "{arguments}");
    }
}
