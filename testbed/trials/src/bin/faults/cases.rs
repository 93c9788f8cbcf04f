// SPDX-License-Identifier: GPL-2.0

//! For each access to user memory, a request of which it is the first access that fails.

use mptcp_trials::abi::{MPTCP_INFO_SIZE, SUBFLOW_ADDRS_SIZE, SUBFLOW_INFO_SIZE, TCP_INFO_SIZE};
use mptcp_trials::probe::Probe;
use mptcp_trials::request::{Request, SockOpt};
use mptcp_trials::space::{FAR, READ_ONLY, near};

/// The subflows of each connection.
pub const SUBFLOWS: u8 = 3;

/// The end of memory, behind a page that can be written.
const END: usize = near(2);
/// A page that can be written, behind [`READ_ONLY`].
const BEHIND: usize = near(5);

/// The arrays of an option, with the sizes of their elements.
fn arrays(option: SockOpt) -> &'static [(&'static str, usize)] {
    match option {
        SockOpt::TcpInfo => &[("tcp_info", TCP_INFO_SIZE)],
        SockOpt::SubflowAddrs => &[("mptcp_subflow_addrs", SUBFLOW_ADDRS_SIZE)],
        SockOpt::FullInfo => &[
            ("mptcp_subflow_info", SUBFLOW_INFO_SIZE),
            ("tcp_info", TCP_INFO_SIZE),
        ],
    }
}

/// A request of which no access fails.
pub fn plain(option: SockOpt) -> Probe {
    Place::new(option).probe()
}

/// Requests with the access that fails.
pub fn cases(option: SockOpt) -> Vec<(String, Probe)> {
    let mut cases = Vec::new();
    let mut add = |access: String, change: &dyn Fn(&mut Place)| {
        let mut place = Place::new(option);
        change(&mut place);
        cases.push((access, place.probe()));
    };
    let full = option == SockOpt::FullInfo;
    let header = Place::new(option).request().header();

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
        // The other options would write the array first.
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

/// A request for everything, and where its memory is.
struct Place {
    option: SockOpt,
    optval: usize,
    optlen: usize,
    arrays: [usize; 2],
}

impl Place {
    fn new(option: SockOpt) -> Self {
        Self {
            option,
            optval: near(0) + 8,
            optlen: FAR,
            arrays: [near(0) + 1024, near(3)],
        }
    }

    fn request(&self) -> Request {
        Request::new(self.option, SUBFLOWS.into())
    }

    fn probe(&self) -> Probe {
        let request = self.request();
        let mut header = vec![0; request.header()];
        request.write_header(&mut header, self.arrays[0], self.arrays[1]);
        Probe {
            option: self.option.number(),
            optval: self.optval,
            optlen: self.optlen,
            // One more than the result has, so that the kernel changes it.
            len: request.optlen() as i32 + 1,
            header,
            fill: 0xa5,
            evict: false,
        }
    }
}
