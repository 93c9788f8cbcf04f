// SPDX-License-Identifier: GPL-2.0

//! Against a kernel whose every answer is scripted.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

/// Changes an answer of which the length is given, and returns the new length.
type Forge = fn(&mut [u8], usize) -> usize;

/// Answers as the kernel does, but with structures of any size and a connection that changes
/// between calls.
struct FakeKernel {
    header: usize,
    tcp_info: usize,
    protocol: c_int,
    /// Whether options of TCP are answered, as after a fallback.
    passes_on: bool,
    /// The ports of the subflows, call by call; the last entry stays.
    script: RefCell<VecDeque<Result<Vec<u16>, c_int>>>,
    calls: Cell<u32>,
    /// Has the last word on header and length.
    forge: Forge,
}

impl FakeKernel {
    fn new<const N: usize>(script: [&[u16]; N]) -> Self {
        Self {
            header: Header::SIZE,
            tcp_info: TcpInfo::SIZE,
            protocol: libc::IPPROTO_MPTCP,
            passes_on: false,
            script: RefCell::new(script.iter().map(|ports| Ok(ports.to_vec())).collect()),
            calls: Cell::new(0),
            forge: |_, len| len,
        }
    }

    fn failing(protocol: c_int, passes_on: bool, errno: c_int) -> Self {
        Self {
            protocol,
            passes_on,
            script: RefCell::new([Err(errno)].into()),
            ..Self::new([])
        }
    }

    fn element(&self, option: c_int, port: u16) -> Vec<u8> {
        if option == MPTCP_TCPINFO.option {
            // Every byte is set; the congestion window says which subflow this is.
            let mut info = vec![0xff; self.tcp_info];
            info[0] = 1;
            info[80..84].copy_from_slice(&u32::from(port).to_ne_bytes());
            return info;
        }
        let mut addrs = vec![0; 2 * SOCKADDR_STORAGE];
        for addr in addrs.chunks_exact_mut(SOCKADDR_STORAGE) {
            if port < 1000 {
                addr[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
                addr[4..8].copy_from_slice(&Ipv4Addr::LOCALHOST.octets());
            } else {
                addr[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
                addr[8..24].copy_from_slice(&Ipv6Addr::LOCALHOST.octets());
            }
            addr[2..4].copy_from_slice(&port.to_be_bytes());
        }
        addrs
    }
}

impl SocketOptions for FakeKernel {
    fn get(&self, level: c_int, option: c_int, buffer: &mut [u8]) -> io::Result<usize> {
        if (level, option) == (libc::SOL_SOCKET, libc::SO_PROTOCOL) {
            buffer.copy_from_slice(&self.protocol.to_ne_bytes());
            return Ok(buffer.len());
        }
        if level == libc::SOL_TCP {
            let refusal = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
            return self.passes_on.then_some(buffer.len()).ok_or(refusal);
        }
        assert_eq!(level, SOL_MPTCP);
        self.calls.set(self.calls.get() + 1);

        if option == MPTCP_INFO.0 {
            let info: Vec<u8> = (0..96).collect();
            let len = info.len().min(buffer.len());
            buffer[..len].copy_from_slice(&info[..len]);
            return Ok((self.forge)(buffer, len));
        }

        let mut script = self.script.borrow_mut();
        let ports = if script.len() > 1 {
            script.pop_front().unwrap()
        } else {
            script[0].clone()
        };
        let ports = ports.map_err(io::Error::from_raw_os_error)?;

        // The request, by the kernel's rules.
        let word = |at: usize| u32::from_ne_bytes(buffer[at..at + 4].try_into().unwrap());
        let (start, user) = (word(0) as usize, word(12) as usize);
        assert!((16..=buffer.len()).contains(&start));
        assert_eq!((word(4), word(8)), (0, 0));

        let size_kernel = self.element(option, 0).len();
        let size_user = size_kernel.min(user);
        let mut len = start;
        for port in &ports {
            if len + size_user <= buffer.len() {
                let element = self.element(option, *port);
                buffer[len..len + size_user].copy_from_slice(&element[..size_user]);
                len += size_user;
            }
        }
        let mut header = vec![0xee; self.header];
        for (at, value) in [start, ports.len(), size_kernel, size_user]
            .iter()
            .enumerate()
        {
            header[4 * at..4 * at + 4].copy_from_slice(&(*value as u32).to_ne_bytes());
        }
        let copy = start.min(self.header);
        buffer[..copy].copy_from_slice(&header[..copy]);
        Ok((self.forge)(buffer, len))
    }
}

fn ports(kernel: &FakeKernel) -> Vec<u16> {
    let subflows = snapshot(kernel).unwrap();
    for subflow in &subflows {
        assert_eq!(subflow.local().port(), subflow.remote().port());
        let cwnd = subflow.tcp_info().snd_cwnd();
        assert_eq!(cwnd, Some(u32::from(subflow.local().port())), "mixed rows");
    }
    subflows
        .iter()
        .map(|subflow| subflow.local().port())
        .collect()
}

#[test]
fn addresses_and_state_come_together() {
    let subflows = snapshot(&FakeKernel::new([&[1, 2000]])).unwrap();
    let [first, second] = &subflows.list[..] else {
        panic!("{subflows:?}");
    };
    assert_eq!(first.local().to_string(), "127.0.0.1:1");
    assert_eq!(second.remote().to_string(), "[::1]:2000");
    assert_eq!(second.tcp_info().snd_cwnd(), Some(2000));
    assert_eq!(subflows.kernel_tcp_info_size(), TcpInfo::SIZE);
}

#[test]
fn no_subflow_is_an_answer() {
    assert!(snapshot(&FakeKernel::new([&[]])).unwrap().is_empty());
}

#[test]
fn shorter_kernel_structure() {
    let mut kernel = FakeKernel::new([&[1, 2, 3]]);
    kernel.tcp_info = 232;
    assert_eq!(ports(&kernel), [1, 2, 3]);

    let subflows = snapshot(&kernel).unwrap();
    assert_eq!(subflows.kernel_tcp_info_size(), 232);
    for subflow in &subflows {
        assert_eq!(subflow.tcp_info().size(), 232);
        assert_eq!(subflow.tcp_info().snd_wnd(), Some(u32::MAX));
        assert_eq!(subflow.tcp_info().rcv_wnd(), None);
    }
}

#[test]
fn longer_kernel_structures() {
    let mut kernel = FakeKernel::new([&[1, 2, 3]]);
    kernel.tcp_info = 344;
    kernel.header = 24;
    assert_eq!(ports(&kernel), [1, 2, 3]);

    let subflows = snapshot(&kernel).unwrap();
    assert_eq!(subflows.kernel_tcp_info_size(), 344);
    assert_eq!(subflows.list[2].tcp_info().size(), TcpInfo::SIZE);
}

#[test]
fn array_grows_with_the_connection() {
    let many: Vec<u16> = (1..=40).collect();
    assert_eq!(ports(&FakeKernel::new([&many])), many);

    // 40 subflows while the room for 9 is being made.
    let kernel = FakeKernel::new([&many[..9], &many]);
    assert_eq!(ports(&kernel), many);
}

#[test]
fn endless_growth_ends() {
    let all: Vec<u16> = (1..=999).collect();
    let kernel = FakeKernel::new([]);
    *kernel.script.borrow_mut() = (1..)
        .step_by(20)
        .take(50)
        .map(|n| Ok(all[..n].into()))
        .collect();
    assert!(matches!(snapshot(&kernel), Err(Error::Unstable(_))));
    assert_eq!(kernel.calls.get(), ATTEMPTS + 1);
}

#[test]
fn change_between_the_calls() {
    // A subflow joins, or leaves, before, between and after.
    assert_eq!(ports(&FakeKernel::new([&[1], &[1, 2]])), [1, 2]);
    assert_eq!(ports(&FakeKernel::new([&[1, 2], &[1, 2], &[1]])), [1]);
    // One is replaced by another: the count does not tell.
    assert_eq!(ports(&FakeKernel::new([&[1, 2], &[1, 3]])), [1, 3]);
    assert_eq!(ports(&FakeKernel::new([&[1, 2], &[2, 1]])), [2, 1]);
    // Only the middle call saw another number.
    assert_eq!(ports(&FakeKernel::new([&[1, 2], &[1], &[1, 2]])), [1, 2]);
    assert_eq!(
        ports(&FakeKernel::new([&[1, 2], &[1, 2, 3], &[1, 2]])),
        [1, 2]
    );
}

#[test]
fn endless_change_ends() {
    let kernel = FakeKernel::new([]);
    *kernel.script.borrow_mut() = (1..100).map(|port| Ok(vec![port])).collect();
    let error = snapshot(&kernel).unwrap_err();
    assert!(matches!(error, Error::Unstable(_)), "{error}");
    assert_eq!(kernel.calls.get(), 2 * ATTEMPTS + 1);
}

#[test]
fn refusals_are_told_apart() {
    use libc::*;
    let error = |protocol, passes_on, errno| {
        snapshot(&FakeKernel::failing(protocol, passes_on, errno)).unwrap_err()
    };

    let old = error(IPPROTO_MPTCP, false, EOPNOTSUPP);
    assert!(matches!(old, Error::Unsupported(_)), "{old}");
    for errno in [EOPNOTSUPP, ENOPROTOOPT] {
        let fallback = error(IPPROTO_MPTCP, true, errno);
        assert!(matches!(fallback, Error::Fallback), "{fallback}");
        let tcp = error(IPPROTO_TCP, true, errno);
        assert!(matches!(tcp, Error::NotMptcp), "{tcp}");
    }
    let file = error(0, false, ENOTSOCK);
    assert!(matches!(file, Error::NotMptcp), "{file}");
    let other = error(IPPROTO_MPTCP, false, EINVAL);
    assert!(matches!(&other, Error::Os { source, .. } if source.raw_os_error() == Some(EINVAL)));
    assert!(other.to_string().contains("MPTCP_SUBFLOW_ADDRS"), "{other}");
}

#[test]
fn unacknowledged_is_a_distance() {
    let mut kernel = FakeKernel::new([]);
    let number = |first| u64::from_ne_bytes(std::array::from_fn(|n| first + n as u8));
    let distance = number(16).wrapping_sub(number(24));
    assert_eq!(unacknowledged(&kernel).unwrap(), distance);

    kernel.forge = |_, len| len - 1;
    assert!(matches!(
        unacknowledged(&kernel),
        Err(Error::Malformed { .. })
    ));
}

#[test]
fn contradictions_are_not_believed() {
    fn put(buffer: &mut [u8], at: usize, value: u32) {
        buffer[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    let forgeries: [(&str, Forge); 9] = [
        ("header", |_, _| 8),
        ("beyond the buffer", |buffer, _| buffer.len() + 1),
        ("half an element", |_, len| len - 1),
        ("size_subflow_data", |b, len| (put(b, 0, 24), len).1),
        ("too many", |b, len| (put(b, 4, u32::MAX), len).1),
        ("fewer than copied", |b, len| (put(b, 4, 4), len).1),
        ("size_user", |b, len| (put(b, 12, 0), len).1),
        ("no size", |b, len| {
            if b[8..12] == (TcpInfo::SIZE as u32).to_ne_bytes() {
                b[8..16].fill(0);
            }
            len
        }),
        ("size_user > size_kernel", |b, len| (put(b, 8, 100), len).1),
    ];
    for (what, forge) in forgeries {
        // As many as there is room for at first.
        let mut kernel = FakeKernel::new([&[1, 2, 3, 4, 5, 6, 7, 8]]);
        kernel.forge = forge;
        let answer = snapshot(&kernel);
        assert!(
            matches!(answer, Err(Error::Malformed { .. })),
            "{what}: {answer:?}"
        );
    }

    let mut kernel = FakeKernel::new([&[1]]);
    kernel.forge = |buffer, len| {
        buffer[Header::SIZE..Header::SIZE + 2].fill(0); // the first address has no family
        len
    };
    assert!(matches!(snapshot(&kernel), Err(Error::Malformed { .. })));
}
