// SPDX-License-Identifier: GPL-2.0

//! A request for each access to user memory, such that it is the first to fail.

use bytemuck::bytes_of;
use mptcp_trials::abi::{
    self, FullInfo, MPTCP_INFO_SIZE, SUBFLOW_ADDRS_SIZE, SUBFLOW_INFO_SIZE, SubflowData,
    TCP_INFO_SIZE,
};
use mptcp_trials::probe::Probe;
use mptcp_trials::space::{FAR, READ_ONLY, near};

/// The subflows of each connection.
pub const SUBFLOWS: u8 = 3;

/// The end of memory, behind a page that can be written.
const END: usize = near(2);
/// A page that can be written, behind [`READ_ONLY`].
const BEHIND: usize = near(5);

/// The options.
pub const OPTIONS: [i32; 3] = [
    abi::MPTCP_TCPINFO,
    abi::MPTCP_SUBFLOW_ADDRS,
    abi::MPTCP_FULL_INFO,
];

/// The arrays of an option, with the sizes of their elements.
fn arrays(option: i32) -> &'static [(&'static str, usize)] {
    match option {
        abi::MPTCP_TCPINFO => &[("tcp_info", TCP_INFO_SIZE)],
        abi::MPTCP_SUBFLOW_ADDRS => &[("mptcp_subflow_addrs", SUBFLOW_ADDRS_SIZE)],
        _ => &[
            ("mptcp_subflow_info", SUBFLOW_INFO_SIZE),
            ("tcp_info", TCP_INFO_SIZE),
        ],
    }
}

/// A request for everything, of which no access fails.
pub fn plain(option: i32) -> Probe {
    Place::new(option).probe()
}

/// Requests for everything, each with the access that fails.
pub fn cases(option: i32) -> Vec<(String, Probe)> {
    let mut cases = Vec::new();
    let mut add = |access: String, change: &dyn Fn(&mut Place)| {
        let mut place = Place::new(option);
        change(&mut place);
        cases.push((access, place.probe()));
    };
    let full = option == abi::MPTCP_FULL_INFO;
    let header = Place::new(option).header().len();

    for byte in 0..4 {
        add(format!("read byte {byte} of optlen"), &|p| {
            p.optlen = END - byte
        });
        add(format!("write byte {byte} of optlen"), &|p| {
            p.optlen = READ_ONLY - byte
        });
    }
    add("write the header".into(), &|p| p.optval = BEHIND - header);
    for byte in [0, 1, 8, header - 1] {
        add(format!("read byte {byte} of the header"), &|p| {
            p.optval = END - byte
        });
        // Of the others, the array would be first to fail.
        if full {
            add(format!("write byte {byte} of the header"), &|p| {
                p.optval = READ_ONLY - byte
            });
        }
    }
    for byte in [0, 1, MPTCP_INFO_SIZE - 1].into_iter().filter(|_| full) {
        add(format!("write byte {byte} of mptcp_info"), &|p| {
            p.optval = END - header - byte
        });
    }
    for (n, (name, size)) in arrays(option).iter().enumerate() {
        for element in 0..usize::from(SUBFLOWS) {
            for byte in [0, 1, size / 2, size - 1] {
                let before = element * size + byte;
                add(
                    format!("write byte {byte} of {name} {element}"),
                    &|p| match full {
                        true => p.arrays[n] = END - before,
                        false => p.optval = END - header - before,
                    },
                );
            }
        }
    }
    cases
}

/// Where everything is of a request for all that there is.
struct Place {
    option: i32,
    optval: usize,
    optlen: usize,
    arrays: [usize; 2],
}

impl Place {
    fn new(option: i32) -> Self {
        Self {
            option,
            optval: near(0) + 8,
            optlen: FAR,
            arrays: [near(0) + 1024, near(3)],
        }
    }

    fn header(&self) -> Vec<u8> {
        let full = FullInfo {
            size_tcpinfo_user: TCP_INFO_SIZE as u32,
            size_sfinfo_user: SUBFLOW_INFO_SIZE as u32,
            size_arrays_user: SUBFLOWS.into(),
            subflow_info: self.arrays[0] as u64,
            tcp_info: self.arrays[1] as u64,
            ..Default::default()
        };
        let data = SubflowData {
            size_subflow_data: size_of::<SubflowData>() as u32,
            size_user: match self.option {
                abi::MPTCP_TCPINFO => TCP_INFO_SIZE as u32,
                _ => SUBFLOW_ADDRS_SIZE as u32,
            },
            ..Default::default()
        };
        match self.option {
            abi::MPTCP_FULL_INFO => bytes_of(&full).to_vec(),
            _ => bytes_of(&data).to_vec(),
        }
    }

    fn probe(&self) -> Probe {
        let header = self.header();
        let rest = match self.option {
            abi::MPTCP_TCPINFO => usize::from(SUBFLOWS) * TCP_INFO_SIZE,
            abi::MPTCP_SUBFLOW_ADDRS => usize::from(SUBFLOWS) * SUBFLOW_ADDRS_SIZE,
            _ => MPTCP_INFO_SIZE,
        };
        Probe {
            option: self.option,
            optval: self.optval,
            optlen: self.optlen,
            // One more than the answer has: so it changes.
            len: (header.len() + rest) as i32 + 1,
            header,
            fill: 0xa5,
            evict: false,
        }
    }
}
