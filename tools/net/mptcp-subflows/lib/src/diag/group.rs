// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! Which subflow belongs to which connection.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::{Connection, Message};
use crate::{Details, Subflow, TcpInfo, TcpState};

/// Gives each connection its subflows, by token. Returns whether the kernel kept the tokens to itself,
/// so that only the addresses were left to go by.
pub(super) fn join(connections: &mut [Connection], messages: Vec<Message<TcpInfo>>) -> bool {
    let connected = |connection: &&Connection| connection.state != TcpState::Listen;
    let limited = connections.iter().any(|connection| connected(&connection))
        && !messages.iter().any(|message| message.ulp.is_some());

    if limited {
        let by_addresses: HashMap<_, _> = index(connections, |c| Some(pair(c.local, c.remote)));
        for message in messages {
            let key = pair(message.local, message.remote);
            if let Some(at) = by_addresses.get(&key) {
                connections[*at].subflows.push(subflow(message));
            }
        }
    } else {
        let by_token: HashMap<_, _> = index(connections, |c| c.info.token());
        for message in messages {
            let token = message.ulp.as_ref().and_then(|ulp| ulp.token);
            if let Some(at) = token.and_then(|token| by_token.get(&token)) {
                connections[*at].subflows.push(subflow(message));
            }
        }
    }

    for connection in connections {
        connection.subflows.sort_by_key(order);
    }
    limited
}

fn index<K: Eq + std::hash::Hash>(
    connections: &[Connection],
    key: impl Fn(&Connection) -> Option<K>,
) -> HashMap<K, usize> {
    let connected = connections.iter().enumerate();
    let connected = connected.filter(|(_, c)| c.state != TcpState::Listen);
    connected
        .filter_map(|(at, c)| Some((key(c)?, at)))
        .collect()
}

/// As IPv4 where they are IPv4: the sockets of one connection may be of both families.
fn pair(local: SocketAddr, remote: SocketAddr) -> [SocketAddr; 2] {
    [local, remote].map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()))
}

fn subflow(message: Message<TcpInfo>) -> Subflow {
    let ulp = message.ulp;
    let details = Details {
        interface: message.interface,
        local_id: ulp.and_then(|ulp| ulp.local_id),
        remote_id: ulp.and_then(|ulp| ulp.remote_id),
        flags: ulp.and_then(|ulp| ulp.flags),
        ..Details::new(message.cookie)
    };
    Subflow::new(message.local, message.remote, message.info).with_details(details)
}

/// The first subflow of the connection in front, and always the same order behind it.
fn order(subflow: &Subflow) -> impl Ord + use<> {
    let details = subflow.details();
    let join = details
        .and_then(|details| details.flags())
        .map(|flags| flags.is_join());
    let ids = details.map(|details| (details.local_id, details.remote_id));
    (join, ids, subflow.local, subflow.remote)
}
