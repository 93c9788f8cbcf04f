// SPDX-License-Identifier: GPL-2.0

//! Which connections were asked for.

use std::net::SocketAddr;

use mptcp_subflows::TcpState;

use crate::args::{Filter, State};
use crate::model::Connection;

pub fn accepts(filter: &Filter, connection: &Connection) -> bool {
    let state = match &filter.state[..] {
        // A socket that was closed or never connected is no connection. Nor is one whose peer the kernel
        // has not noted yet: it does so shortly after the state.
        [] => {
            !matches!(connection.state, TcpState::Listen | TcpState::Close)
                && !connection.remote.ip().is_unspecified()
        }
        states => states.iter().any(|state| is_in(connection.state, *state)),
    };
    let port = |port: u16| addresses(connection).any(|address| address.port() == port);
    state
        && filter.port.is_none_or(port)
        && filter.addr.is_none_or(|network| {
            addresses(connection).any(|address| network.contains(address.ip()))
        })
}

fn is_in(state: TcpState, wanted: State) -> bool {
    match wanted {
        State::Connecting => matches!(state, TcpState::SynSent | TcpState::SynRecv),
        State::Established => state == TcpState::Established,
        State::Listening => state == TcpState::Listen,
        State::All => true,
        State::Closing => matches!(
            state,
            TcpState::FinWait1
                | TcpState::FinWait2
                | TcpState::CloseWait
                | TcpState::LastAck
                | TcpState::Closing
                | TcpState::Close
        ),
    }
}

/// Those of the connection, which outlive its first path, and those of its paths.
fn addresses(connection: &Connection) -> impl Iterator<Item = SocketAddr> + '_ {
    let paths = connection.paths.iter().map(|path| &path.subflow);
    let paths = paths.flat_map(|subflow| [subflow.local(), subflow.remote()]);
    [connection.local, connection.remote]
        .into_iter()
        .chain(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Tcp, connection};

    #[test]
    fn a_connection_has_a_peer() {
        let filter = Filter {
            port: None,
            addr: None,
            state: Vec::new(),
        };
        let mut one = connection(1, vec![Tcp::default().subflow("192.0.2.1:1", 1)]);
        one.state = TcpState::SynSent;
        assert!(accepts(&filter, &one));
        one.remote = "0.0.0.0:0".parse().unwrap();
        assert!(!accepts(&filter, &one));
    }
}
