// SPDX-License-Identifier: GPL-2.0

//! On its own, as no other test may have the addresses of the requests.

use std::fs::File;

use bytemuck::bytes_of;
use mptcp_trials::abi::{self, FullInfo};
use mptcp_trials::probe::Probe;
use mptcp_trials::space::{Space, near};

/// Where 32-bit programs are.
const PROGRAM: usize = 0x5655_5000;

#[test]
fn no_pointer_is_to_the_program() {
    let mut space = Space::new().unwrap();
    let mut ask = |optval, optlen, subflow_info, tcp_info| {
        let header = FullInfo {
            size_tcpinfo_user: 8,
            size_sfinfo_user: 8,
            size_arrays_user: 1,
            subflow_info: subflow_info as u64,
            tcp_info: tcp_info as u64,
            ..Default::default()
        };
        let probe = Probe {
            option: abi::MPTCP_FULL_INFO,
            optval,
            optlen,
            header: bytes_of(&header).to_vec(),
            len: 40,
            ..Default::default()
        };
        probe.put(&mut space, 0).unwrap();
        probe.ask(&mut space, File::open("/dev/null").unwrap())
    };

    assert_eq!(ask(near(0), near(1), 0, near(3)).unwrap(), -libc::ENOTSOCK);
    assert!(ask(PROGRAM, near(1), 0, near(3)).is_err());
    assert!(ask(near(0), PROGRAM, 0, near(3)).is_err());
    assert!(ask(near(0), near(1), PROGRAM, near(3)).is_err());
    assert!(ask(near(0), near(1), 0, PROGRAM).is_err());
}
