// SPDX-License-Identifier: GPL-2.0

//! Makes requests, and checks the results.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use mptcp_trials::check::{Report, check};
use mptcp_trials::request::{CANARY, Reply, Request, SockOpt};

use crate::Shared;
use crate::network::{advmss, host, place};
use crate::slots::{Kind, Slot};

/// More than the path manager allows, 9, and those that are being closed.
const MAX_SUBFLOWS: usize = 24;
/// What the timestamps of TCP, once agreed on, take of a segment.
const TIMESTAMPS: u32 = 12;
/// Memory behind each buffer.
const SPARE: usize = 64;

/// The addresses of subflows, by number.
type Subflows = HashMap<u32, (SocketAddr, SocketAddr)>;

/// Makes requests until all threads stop.
pub fn run(shared: &Shared, mut rng: Rng) -> Result<()> {
    // For each end, the subflows of the connection that there was last.
    let mut seen: Vec<(usize, Subflows)> = vec![Default::default(); 2 * shared.slots.len()];
    // The thread that changes the connections has to get on.
    rustix::process::setpriority_process(None, 10)?;
    while !shared.stop.load(Ordering::Relaxed) {
        let n = match rng.bool() {
            true => shared.changing.load(Ordering::Relaxed),
            false => rng.usize(..shared.slots.len()),
        };
        let (slot, end) = (&shared.slots[n], rng.usize(..2));
        let request = random_request(&mut rng);
        read(shared, slot, end, &request, &mut seen[2 * n + end])
            .with_context(|| format!("{:?}, end {end}: {request:?}", slot.kind))?;
    }
    Ok(())
}

/// A valid request.
fn random_request(rng: &mut Rng) -> Request {
    let option = SockOpt::ALL[rng.usize(..SockOpt::ALL.len())];
    let whole = Request::new(option, rng.usize(..=MAX_SUBFLOWS / 2));
    if rng.bool() {
        return whole;
    }
    // Structures that are older or newer than the kernel's.
    let mut size = |size: usize| rng.usize(..=size + size / 8);
    let cut = Request {
        tcp_info: size(whole.tcp_info),
        subflow: size(whole.subflow),
        ..whole
    };
    let rest = match option {
        SockOpt::FullInfo => size(whole.rest),
        // No room for another element.
        _ => size(cut.element().saturating_sub(1)).min(cut.element().saturating_sub(1)),
    };
    Request { rest, ..cut }
}

fn read(
    shared: &Shared,
    slot: &Slot,
    end: usize,
    request: &Request,
    (generation, subflows): &mut (usize, Subflows),
) -> Result<()> {
    let Some(view) = slot.view(end) else {
        return Ok(());
    };
    let reply = request.make(view.socket(), SPARE);
    let is_current = slot.is_current(&view);
    if !is_current {
        shared.raced.fetch_add(1, Ordering::Relaxed);
    }

    if reply.ret != 0 {
        refused(request, &reply)?;
        let expected = [libc::EOPNOTSUPP, libc::ENOPROTOOPT].contains(&-reply.ret);
        if is_current {
            ensure!(expected && !slot.kind.is_mptcp(), "returned {}", reply.ret);
            shared.refused.fetch_add(1, Ordering::Relaxed);
        }
        return Ok(());
    }
    let report = check(request, &reply)?;
    let of = is_current.then_some((slot.kind, end));
    plausible(&report, of).with_context(|| format!("{report:?}"))?;
    if is_current {
        if *generation != view.generation {
            *generation = view.generation;
            subflows.clear();
        }
        same(&report, subflows)?;
    }
    shared.checked.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Checks that a request that is refused has written nothing.
fn refused(request: &Request, reply: &Reply) -> Result<()> {
    let mut optval = vec![CANARY; reply.optval.len()];
    request.write_header(&mut optval, reply.arrays[0], reply.arrays[1]);
    let arrays = [&reply.tcp_info, &reply.subflow_info];
    let untouched = reply.optval == optval
        && reply.optlen as usize == request.optlen()
        && arrays
            .iter()
            .all(|array| array.iter().all(|byte| *byte == CANARY));
    ensure!(untouched, "returned {}, but wrote to memory", reply.ret);
    Ok(())
}

/// Checks that the subflows can be those of a connection here, of this kind and seen from this end.
fn plausible(report: &Report, of: Option<(Kind, usize)>) -> Result<()> {
    ensure!(report.num <= MAX_SUBFLOWS, "too many subflows");
    for subflow in &report.subflows {
        let Some((local, remote)) = subflow.addrs else {
            continue;
        };
        // What is left of the first subflow, which is kept, has no peer.
        if remote.port() == 0 {
            continue;
        }
        let (near, far) = place(local.ip())
            .zip(place(remote.ip()))
            .context("address")?;
        let end = usize::from(near.1 == host::SERVER);
        let (client, server) = if end == 0 { (near, far) } else { (far, near) };
        ensure!(
            [host::CLIENT, host::ENDPOINT].contains(&client.1) && server.1 == host::SERVER,
            "from {local} to {remote}"
        );
        ensure!(
            [0, client.0].contains(&server.0),
            "from {local} to {remote}"
        );
        if let Some((kind, expected)) = of {
            ensure!(kind.is_mptcp(), "a request succeeds after a fallback");
            // A connection of IPv6 may have subflows of IPv4.
            let family = kind.v6 || local.is_ipv4();
            ensure!(family && end == expected, "from {local} to {remote}");
        }
        // If the result has both arrays, their elements are of the same subflow.
        if let Some(tcp) = subflow.tcp {
            let most = advmss(local.is_ipv6(), client.0);
            let fits = [most, most - TIMESTAMPS].contains(&tcp.advmss);
            ensure!(fits, "advmss of {subflow:?}, not {most}");
        }
    }
    Ok(())
}

/// Checks that each number is that of the same subflow as before.
fn same(report: &Report, subflows: &mut Subflows) -> Result<()> {
    for subflow in &report.subflows {
        let Some((id, addrs)) = subflow.id.zip(subflow.addrs) else {
            continue;
        };
        if addrs.1.port() == 0 {
            continue;
        }
        let before = *subflows.entry(id).or_insert(addrs);
        ensure!(before == addrs, "id {id} was {before:?}, and is {addrs:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mptcp_trials::check::{Subflow, Tcp};
    use socket2::Protocol;

    use super::*;
    use crate::network::address;

    const CLIENT: usize = 0;
    const SERVER: usize = 1;

    fn kind(client: Protocol) -> Kind {
        Kind {
            v6: false,
            protocols: [client, Protocol::MPTCP],
        }
    }

    /// The first subflow, and one over the second link, seen from the client.
    fn report() -> Report {
        let subflow = |id, link, client, advmss| Subflow {
            id: Some(id),
            addrs: Some((
                (address(false, link, client), 1).into(),
                (address(false, 0, host::SERVER), 2).into(),
            )),
            tcp: Some(Tcp { state: 1, advmss }),
        };
        let first = subflow(1, 0, host::CLIENT, advmss(false, 0) - TIMESTAMPS);
        let second = subflow(2, 1, host::ENDPOINT, advmss(false, 1));
        Report {
            num: 2,
            subflows: vec![first, second],
        }
    }

    fn is_wrong(falsify: impl Fn(&mut [Subflow])) -> bool {
        let mut report = report();
        falsify(&mut report.subflows);
        plausible(&report, Some((kind(Protocol::MPTCP), CLIENT))).is_err()
    }

    #[test]
    fn addresses_of_others() {
        assert!(!is_wrong(|_| ()));
        assert!(plausible(&report(), None).is_ok());
        assert!(plausible(&report(), Some((kind(Protocol::MPTCP), SERVER))).is_err());
        assert!(plausible(&report(), Some((kind(Protocol::TCP), CLIENT))).is_err());
        for n in [0, 1] {
            let unknown = address(false, 0, 9);
            assert!(is_wrong(|subflows| subflows[n]
                .addrs
                .as_mut()
                .unwrap()
                .0
                .set_ip(unknown)));
            assert!(is_wrong(|subflows| subflows[n]
                .addrs
                .as_mut()
                .unwrap()
                .1
                .set_ip(unknown)));
        }
    }

    #[test]
    fn arrays_in_different_order() {
        assert!(is_wrong(|subflows| {
            let first = subflows[0].tcp;
            subflows[0].tcp = subflows[1].tcp;
            subflows[1].tcp = first;
        }));
    }

    #[test]
    fn too_many() {
        let report = Report {
            num: MAX_SUBFLOWS + 1,
            subflows: Vec::new(),
        };
        assert!(plausible(&report, None).is_err());
    }

    #[test]
    fn number_of_another_subflow() {
        let mut seen = Subflows::new();
        assert!(same(&report(), &mut seen).is_ok());
        assert!(same(&report(), &mut seen).is_ok());
        let mut other = report();
        other.subflows[0].id = Some(2);
        assert!(same(&other, &mut seen).is_err());
    }
}
