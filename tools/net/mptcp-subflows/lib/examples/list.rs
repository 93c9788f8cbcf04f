// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! Lists the MPTCP connections of this machine with their subflows: `cargo run --example list --features diag`

use mptcp_subflows::diag::{CONNECTED, Diag};

fn main() -> Result<(), mptcp_subflows::Error> {
    for connection in &Diag::new()?.connections(&CONNECTED)?.list {
        println!("{} -> {}", connection.local, connection.remote);
        for subflow in &connection.subflows {
            let (local, remote) = (subflow.local(), subflow.remote());
            println!("  {local} -> {remote}: RTT {:?}", subflow.tcp_info().rtt());
        }
    }
    Ok(())
}
