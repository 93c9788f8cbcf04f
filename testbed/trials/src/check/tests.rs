// SPDX-License-Identifier: GPL-2.0

//! Results as a kernel should return them, and results with one wrong byte.

use bytemuck::bytes_of;

use super::*;
use crate::request::Request;

const SUBFLOWS: usize = 3;

fn tcp() -> Vec<u8> {
    let mut bytes = vec![0; abi::TCP_INFO_SIZE];
    bytes[offset_of!(tcp_info, tcpi_state)] = TCP_ESTABLISHED;
    bytes[offset_of!(tcp_info, tcpi_snd_mss)..][..4].copy_from_slice(&1448_u32.to_ne_bytes());
    bytes
}

fn addrs() -> Vec<u8> {
    let mut end = [0; abi::SUBFLOW_ADDRS_SIZE / 2];
    end[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    end[2..8].copy_from_slice(&[1, 2, 10, 0, 0, 1]);
    end.repeat(2)
}

fn subflow_info(n: usize) -> Vec<u8> {
    [&(n as u64 + 1).to_ne_bytes()[..], &addrs()].concat()
}

fn put(to: &mut [u8], from: &[u8]) {
    to[..from.len()].copy_from_slice(from);
}

/// What a kernel returns.
fn reply(request: &Request) -> Reply {
    let (tcp_size, subflow_size) = request.option.sizes();
    let header = request.header();
    let elements = |size: usize, element: &dyn Fn(usize) -> Vec<u8>| -> Vec<u8> {
        let elements = (0..SUBFLOWS.min(request.room)).map(element);
        elements.flat_map(|it| it.into_iter().take(size)).collect()
    };
    let mut reply = request.buffers(8);
    if request.option == SockOpt::FullInfo {
        let tcp_info = elements(request.tcp_info, &|_| tcp());
        put(&mut reply.tcp_info, &tcp_info);
        let subflow_info = elements(request.subflow, &subflow_info);
        put(&mut reply.subflow_info, &subflow_info);
        let full = FullInfo {
            size_tcpinfo_kernel: tcp_size as u32,
            size_tcpinfo_user: request.tcp_info.min(tcp_size) as u32,
            size_sfinfo_kernel: subflow_size as u32,
            size_sfinfo_user: request.subflow.min(subflow_size) as u32,
            num_subflows: SUBFLOWS as u32,
            size_arrays_user: request.room as u32,
            subflow_info: reply.arrays[0] as u64,
            tcp_info: reply.arrays[1] as u64,
        };
        let len = request.optlen().min(header + abi::MPTCP_INFO_SIZE);
        reply.optlen = len as u32;
        reply.optval[..len].fill(0);
        put(&mut reply.optval, bytes_of(&full));
    } else {
        let array = match request.option {
            SockOpt::TcpInfo => elements(request.tcp_info, &|_| tcp()),
            _ => elements(request.subflow, &|_| addrs()),
        };
        put(&mut reply.optval[header..], &array);
        reply.optlen = (header + array.len()) as u32;
        let data = SubflowData {
            size_subflow_data: header as u32,
            num_subflows: SUBFLOWS as u32,
            size_kernel: (tcp_size + subflow_size) as u32,
            size_user: request.element().min(tcp_size + subflow_size) as u32,
        };
        put(&mut reply.optval, bytes_of(&data));
    }
    reply
}

#[test]
fn right_results() {
    for option in SockOpt::ALL {
        for room in 0..=SUBFLOWS + 1 {
            let whole = Request::new(option, room);
            let count = Request {
                tcp_info: 0,
                subflow: 0,
                ..whole
            };
            let cut = Request {
                tcp_info: 100,
                subflow: 100,
                rest: whole.rest / 2,
                ..whole
            };
            for request in [whole, count, cut] {
                let report = check(&request, &reply(&request)).unwrap();
                assert_eq!(report.num, SUBFLOWS);
                assert_eq!(report.subflows.len(), SUBFLOWS.min(room));
            }
        }
    }
}

#[test]
fn each_wrong_byte_of_a_header_or_behind_the_elements() {
    for option in SockOpt::ALL {
        // Room for one subflow more, which is not to be written.
        let request = Request {
            rest: 0,
            ..Request::new(option, SUBFLOWS + 1)
        };
        let right = reply(&request);
        let is_caught = |falsify: &dyn Fn(&mut Reply)| {
            let mut wrong = right.clone();
            falsify(&mut wrong);
            check(&request, &wrong).is_err()
        };

        assert!(is_caught(&|reply| reply.optlen += 1));
        assert!(is_caught(&|reply| reply.optlen -= 1));
        let header = 0..request.header();
        let behind = right.optlen as usize..right.optval.len();
        for n in header.chain(behind) {
            assert!(
                is_caught(&|reply| reply.optval[n] ^= 0xff),
                "{option:?} optval[{n}]"
            );
        }
        if option == SockOpt::FullInfo {
            for n in SUBFLOWS * abi::TCP_INFO_SIZE..right.tcp_info.len() {
                assert!(
                    is_caught(&|reply| reply.tcp_info[n] ^= 0xff),
                    "tcp_info[{n}]"
                );
            }
            for n in SUBFLOWS * abi::SUBFLOW_INFO_SIZE..right.subflow_info.len() {
                assert!(
                    is_caught(&|reply| reply.subflow_info[n] ^= 0xff),
                    "subflow_info[{n}]"
                );
            }
        }
    }
}

#[test]
fn impossible_elements() {
    let request = Request::new(SockOpt::FullInfo, SUBFLOWS);
    let tcp = |at: usize, value: u8| {
        let mut reply = reply(&request);
        reply.tcp_info[abi::TCP_INFO_SIZE + at] = value;
        check(&request, &reply).is_err()
    };
    let subflow = |at: usize, value: u8| {
        let mut reply = reply(&request);
        reply.subflow_info[abi::SUBFLOW_INFO_SIZE + at] = value;
        check(&request, &reply).is_err()
    };
    const LISTEN: u8 = 10;
    const REMOTE: usize = abi::SUBFLOW_INFO_ADDRS + abi::SUBFLOW_ADDRS_SIZE / 2;

    for state in [0, LISTEN, 12, CANARY] {
        assert!(
            tcp(offset_of!(tcp_info, tcpi_state), state),
            "state {state}"
        );
    }
    assert!(tcp(offset_of!(tcp_info, tcpi_ca_state), 5));
    assert!(tcp(offset_of!(tcp_info, tcpi_options) + 1, 0xf0));
    assert!(tcp(offset_of!(tcp_info, tcpi_snd_mss) + 3, 1));

    for id in [0, 1, 3] {
        assert!(subflow(0, id), "id {id}, of another subflow or none");
    }
    assert!(!subflow(0, 4));
    for at in (4..abi::SUBFLOW_INFO_ADDRS)
        .chain(REMOTE - 8..REMOTE)
        .chain(REMOTE + 8..REMOTE + 128)
    {
        assert!(subflow(at, 1), "padding at {at}");
    }
    assert!(subflow(REMOTE, libc::AF_INET6 as u8));
    assert!(subflow(REMOTE, libc::AF_UNIX as u8));
}
