// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! The library on the running kernel.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use mptcp_subflows::{Error, Sample, Subflow, Subflows, TcpState, fallback, mptcp_info, subflows};
use testkit::Need::{ExtraSubflows, Ipv6, Linux, Mptcp, Root, Seccomp};
use testkit::{Suite, kernel, network, sockets, wait_for};

fn main() {
    let mut suite = Suite::new();
    let mut add = |needs: &[testkit::Need], name, test| suite.add(needs, name, test);

    add(&[Mptcp], "one_subflow_ipv4", || one_subflow("127.0.0.1:0"));
    add(&[Mptcp, Ipv6], "one_subflow_ipv6", || {
        one_subflow("[::1]:0");
    });
    add(&[Mptcp], "unacknowledged_data", unacknowledged_data);
    add(&[Mptcp], "totals_of_a_connection", totals_of_a_connection);
    add(&[Mptcp], "fallback_to_tcp_ipv4", || {
        fallback_to_tcp("127.0.0.1:0");
    });
    add(&[Mptcp, Ipv6], "fallback_to_tcp_ipv6", || {
        fallback_to_tcp("[::1]:0");
    });
    add(
        &[Mptcp],
        "tcp_peer_of_an_mptcp_listener",
        tcp_peer_of_an_mptcp_listener,
    );
    add(&[Mptcp], "no_connection_yet", no_connection_yet);
    add(&[], "not_mptcp", not_mptcp);
    add(&[Mptcp, Root], "several_subflows", several_subflows);
    add(&[Mptcp, Root], "more_subflows_than_first_expected", || {
        many_subflows(8)
    });
    add(&[Mptcp, Root, ExtraSubflows(64)], "65_subflows", || {
        many_subflows(64);
    });
    add(
        &[Mptcp, Linux(6, 5), Seccomp, Root],
        "both_ways_of_asking_agree",
        both_ways_of_asking_agree,
    );
    add(&[Mptcp, Seccomp], "fallback_on_an_old_kernel", || {
        kernel::restricted(kernel::without_full_info, || fallback_to_tcp("127.0.0.1:0"));
    });
    add(&[Mptcp, Linux(6, 5)], "rates_by_id", rates_by_id);
    #[cfg(feature = "diag")]
    add(&[Mptcp, Root], "the_list_agrees", the_list_agrees);
    suite.run()
}

/// What netlink lists is what the socket options report.
#[cfg(feature = "diag")]
fn the_list_agrees() {
    use mptcp_subflows::diag::{CONNECTED, Diag};

    network::alone(&network::endpoints(2), || {
        let (client, server, _listener) = sockets::pair("127.0.0.1:0");
        let mut diag = Diag::new().unwrap();
        for stream in [&client, &server] {
            let (found, read) = between(stream, 3, || {
                let found = diag.connections(&CONNECTED).unwrap();
                let alone = found.list.iter().all(|c| c.subflows.len() == 3);
                (found.limited || alone).then_some(found)
            });
            assert_eq!(found.list.len(), 2);
            let token = mptcp_info(stream).unwrap().token();
            let listed = found.list.iter().find(|c| c.info.token() == token).unwrap();
            assert_eq!(listed.local, stream.local_addr().unwrap());
            assert_eq!(listed.remote, stream.peer_addr().unwrap());
            if found.limited {
                continue; // an old kernel, and no privileges
            }
            assert_eq!(
                BTreeSet::from_iter(rows(&listed.subflows)),
                BTreeSet::from_iter(rows(&read))
            );
        }
    });
}

fn state(subflow: &Subflow) -> Option<TcpState> {
    subflow.tcp_info().state()
}

/// The subflows of `stream`, once there are `count`, all established.
fn wait_for_subflows(stream: &TcpStream, count: usize) -> Subflows {
    wait_for("subflows", || {
        let subflows = subflows(stream).unwrap();
        let established = |s: &_| state(s) == Some(TcpState::Established);
        (subflows.len() == count && subflows.iter().all(established)).then_some(subflows)
    })
}

/// What an outstanding ACK does not change any more.
fn rows(subflows: &[Subflow]) -> Vec<(SocketAddr, SocketAddr, Option<u64>)> {
    let row = |s: &Subflow| (s.local(), s.remote(), s.tcp_info().bytes_received());
    subflows.iter().map(row).collect()
}

/// Calls `look` while nothing changes, and also returns the subflows, of which there are `count`.
///
/// What can change: data is sent again; the peer tries to add a subflow. `look` returns `None` if it sees that.
fn between<T>(
    stream: &TcpStream,
    count: usize,
    mut look: impl FnMut() -> Option<T>,
) -> (T, Subflows) {
    wait_for("nothing to change", || {
        let before = wait_for_subflows(stream, count);
        let found = look()?;
        let after = wait_for_subflows(stream, count);
        (rows(&before) == rows(&after)).then_some((found, after))
    })
}

fn one_subflow(address: &str) {
    let (client, server, _listener) = sockets::pair(address);
    let both = [&client, &server].map(|stream| subflows(stream).unwrap());
    for (stream, subflows) in [&client, &server].into_iter().zip(&both) {
        assert_eq!(subflows.len(), 1);
        let subflow = subflows.first().unwrap();
        assert_eq!(subflow.local(), stream.local_addr().unwrap());
        assert_eq!(subflow.remote(), stream.peer_addr().unwrap());
        assert_eq!(state(subflow), Some(TcpState::Established));
        assert!(subflow.tcp_info().rtt() > Some(Duration::ZERO));
        assert!(subflow.tcp_info().snd_cwnd() > Some(0));
        assert!(fallback(stream).unwrap().is_none());
    }
    let [client, server] = both.map(|subflows| subflows.into_iter().next().unwrap());
    // The SYN counts as a byte.
    assert_eq!(client.tcp_info().bytes_acked(), Some(5001));
    assert_eq!(client.tcp_info().bytes_received(), Some(300));
    assert_eq!(server.tcp_info().bytes_received(), Some(5000));
    assert_eq!(server.tcp_info().bytes_sent(), Some(300));
}

fn unacknowledged_data() {
    let (mut client, _server, _listener) = sockets::pair("127.0.0.1:0");
    let unacknowledged = |stream: &TcpStream| mptcp_info(stream).unwrap().unacknowledged().unwrap();
    wait_for("the last ACK", || {
        (unacknowledged(&client) == 0).then_some(())
    });

    // Nobody reads, so that it piles up here in the end.
    client.set_nonblocking(true).unwrap();
    wait_for("unacknowledged data", || {
        let full = client.write(&[0; 1 << 16]).is_err();
        (full && unacknowledged(&client) > 0).then_some(())
    });
}

fn totals_of_a_connection() {
    let (client, server, _listener) = sockets::pair("127.0.0.1:0");
    let (ours, theirs) = (mptcp_info(&client).unwrap(), mptcp_info(&server).unwrap());
    assert_ne!(ours.token(), theirs.token());
    assert_eq!(ours.is_fallback(), Some(false));
    assert_eq!(ours.subflows(), Some(0));
    // Since Linux 6.5.
    assert_eq!(ours.bytes_sent().unwrap_or(5000), 5000);
    assert_eq!(theirs.bytes_sent().unwrap_or(300), 300);
}

fn fallback_to_tcp(address: &str) {
    let listener = TcpListener::bind(address).unwrap();
    let client = sockets::connect(listener.local_addr().unwrap());
    let answer = subflows(&client);
    assert!(matches!(answer, Err(Error::Fallback)), "{answer:?}");
    let answer = mptcp_info(&client);
    assert!(matches!(answer, Err(Error::Fallback)), "{answer:?}");

    let tcp = fallback(&client).unwrap().unwrap();
    assert_eq!(tcp.local(), client.local_addr().unwrap());
    assert_eq!(tcp.remote(), listener.local_addr().unwrap());
    assert_eq!(state(&tcp), Some(TcpState::Established));
}

fn tcp_peer_of_an_mptcp_listener() {
    let listener = sockets::listener("127.0.0.1:0");
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    assert!(matches!(subflows(&client), Err(Error::NotMptcp)));
    assert!(matches!(subflows(&server), Err(Error::NotMptcp)));
    assert!(matches!(fallback(&server), Err(Error::NotMptcp)));
}

fn no_connection_yet() {
    for subflow in &subflows(sockets::socket("127.0.0.1:0").unwrap()).unwrap() {
        assert_eq!(state(subflow), Some(TcpState::Close));
    }
    for subflow in &subflows(sockets::listener("127.0.0.1:0")).unwrap() {
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
    network::alone(&network::endpoints(2), || {
        let (client, server, _listener) = sockets::pair("127.0.0.1:0");
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

        network::sh("ip mptcp endpoint del id 1");
        wait_for_subflows(&client, 2);
    });
}

fn many_subflows(extra: usize) {
    network::alone(&network::endpoints(extra), || {
        sockets::pair_after("127.0.0.1:0", |client| {
            wait_for_subflows(client, extra + 1);
        });
    });
}

fn both_ways_of_asking_agree() {
    network::alone(&network::endpoints(2), || {
        let (client, server, _listener) = sockets::pair("127.0.0.1:0");
        for stream in [&client, &server] {
            let (old, new) = between(stream, 3, || {
                let old =
                    kernel::restricted(kernel::without_full_info, || subflows(stream)).unwrap();
                (old.len() == 3).then_some(old)
            });

            let ids = |subflows: &Subflows| {
                subflows
                    .iter()
                    .filter_map(|s| s.id())
                    .collect::<BTreeSet<_>>()
            };
            assert_eq!(ids(&new).len(), 3, "{new:#?}");
            assert!(ids(&old).is_empty(), "{old:#?}");

            assert_eq!(rows(&old), rows(&new));
            let sizes = |subflows: &Subflows| {
                Vec::from_iter(subflows.iter().map(|s| (s.tcp_info().size(), state(s))))
            };
            assert_eq!(sizes(&old), sizes(&new));
            assert_eq!(old.kernel_tcp_info_size(), new.kernel_tcp_info_size());
        }
    });
}

fn rates_by_id() {
    let (mut client, _server, _listener) = sockets::pair("127.0.0.1:0");
    let look = |stream: &TcpStream| Sample::of(Instant::now(), &subflows(stream).unwrap());
    let before = look(&client);
    client.write_all(&[0; 1000]).unwrap();
    wait_for("the ACK", || {
        let deltas = look(&client).since(&before);
        let delta = deltas.values().next().unwrap();
        (delta.acked() == Some(1000)).then(|| assert!(delta.acked_rate() > Some(0.0)))
    });
}
