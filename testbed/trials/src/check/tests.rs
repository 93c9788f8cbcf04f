// SPDX-License-Identifier: GPL-2.0

//! A kernel that answers as it should, and answers that are falsified in one place each.

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

fn fill(to: &mut [u8], size: usize, room: usize, element: impl Fn(usize) -> Vec<u8>) -> usize {
    let mut written = 0;
    for n in (0..SUBFLOWS.min(room)).filter(|_| size > 0) {
        let size = size.min(element(n).len());
        to[written..][..size].copy_from_slice(&element(n)[..size]);
        written += size;
    }
    written
}

/// Answers a request.
fn answer(request: &Request) -> Answer {
    let mut answer = Answer {
        ret: 0,
        optlen: request.optlen() as u32,
        optval: vec![CANARY; request.optlen() + 8],
        tcp_info: vec![CANARY; request.room * request.tcp_info + 8],
        subflow_info: vec![CANARY; request.room * request.subflow + 8],
        arrays: [0x1000, 0x2000],
    };
    let (tcp_size, subflow_size) = request.option.sizes();
    let header = request.header();
    if request.option == Choice::FullInfo {
        fill(&mut answer.tcp_info, request.tcp_info, request.room, |_| {
            tcp()
        });
        fill(
            &mut answer.subflow_info,
            request.subflow,
            request.room,
            subflow_info,
        );
        let full = FullInfo {
            size_tcpinfo_kernel: tcp_size as u32,
            size_tcpinfo_user: request.tcp_info.min(tcp_size) as u32,
            size_sfinfo_kernel: subflow_size as u32,
            size_sfinfo_user: request.subflow.min(subflow_size) as u32,
            num_subflows: SUBFLOWS as u32,
            size_arrays_user: request.room as u32,
            subflow_info: 0x1000,
            tcp_info: 0x2000,
        };
        answer.optlen = request.optlen().min(header + abi::MPTCP_INFO_SIZE) as u32;
        answer.optval[..answer.optlen as usize].fill(0);
        answer.optval[..header].copy_from_slice(bytes_of(&full));
    } else {
        let array = &mut answer.optval[header..];
        let written = match request.option {
            Choice::TcpInfo => fill(array, request.tcp_info, request.room, |_| tcp()),
            _ => fill(array, request.subflow, request.room, |_| addrs()),
        };
        let data = SubflowData {
            size_subflow_data: header as u32,
            num_subflows: SUBFLOWS as u32,
            size_kernel: (tcp_size + subflow_size) as u32,
            size_user: request.element().min(tcp_size + subflow_size) as u32,
        };
        answer.optlen = (header + written) as u32;
        answer.optval[..header].copy_from_slice(bytes_of(&data));
    }
    answer
}

#[test]
fn right_answers() {
    for option in Choice::ALL {
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
                let report = check(&request, &answer(&request)).unwrap();
                assert_eq!(report.num, SUBFLOWS);
                assert_eq!(report.subflows.len(), SUBFLOWS.min(room));
            }
        }
    }
}

#[test]
fn each_byte_that_is_not_free_to_be_any() {
    for option in Choice::ALL {
        // Room for one subflow more, which is not to be written.
        let request = Request {
            rest: 0,
            ..Request::new(option, SUBFLOWS + 1)
        };
        let right = answer(&request);
        let is_noticed = |falsify: &dyn Fn(&mut Answer)| {
            let mut wrong = right.clone();
            falsify(&mut wrong);
            check(&request, &wrong).is_err()
        };

        assert!(is_noticed(&|answer| answer.optlen += 1));
        assert!(is_noticed(&|answer| answer.optlen -= 1));
        let header = 0..request.header();
        let behind = right.optlen as usize..right.optval.len();
        for n in header.chain(behind) {
            assert!(
                is_noticed(&|answer| answer.optval[n] ^= 0xff),
                "{option:?} optval[{n}]"
            );
        }
        if option == Choice::FullInfo {
            for n in SUBFLOWS * abi::TCP_INFO_SIZE..right.tcp_info.len() {
                assert!(
                    is_noticed(&|answer| answer.tcp_info[n] ^= 0xff),
                    "tcp_info[{n}]"
                );
            }
            for n in SUBFLOWS * abi::SUBFLOW_INFO_SIZE..right.subflow_info.len() {
                assert!(
                    is_noticed(&|answer| answer.subflow_info[n] ^= 0xff),
                    "subflow_info[{n}]"
                );
            }
        }
    }
}

#[test]
fn elements_that_cannot_be() {
    let request = Request::new(Choice::FullInfo, SUBFLOWS);
    let tcp = |at: usize, value: u8| {
        let mut answer = answer(&request);
        answer.tcp_info[abi::TCP_INFO_SIZE + at] = value;
        check(&request, &answer).is_err()
    };
    let subflow = |at: usize, value: u8| {
        let mut answer = answer(&request);
        answer.subflow_info[abi::SUBFLOW_INFO_SIZE + at] = value;
        check(&request, &answer).is_err()
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
