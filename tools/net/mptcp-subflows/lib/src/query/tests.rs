// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! Against a kernel whose every answer is scripted.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

/// Changes an answer of which the length is given, and returns the new length.
type Forge<T> = fn(&mut T, usize) -> usize;

/// Answers as the kernel does, but with structures of any size and a connection that changes
/// between calls.
struct FakeKernel {
    header: usize,
    tcp_info: usize,
    /// A kernel that has none lacks MPTCP_FULL_INFO.
    subflow_info: Option<usize>,
    protocol: c_int,
    /// Whether options of TCP are answered, as after a fallback.
    passes_on: bool,
    /// The ports of the subflows, call by call; the last entry stays.
    script: RefCell<VecDeque<Result<Vec<u16>, c_int>>>,
    /// The MPTCP options that were read.
    calls: RefCell<Vec<&'static str>>,
    /// Has the last word on header and length.
    forge: Forge<[u8]>,
    forge_full: Forge<FullInfo>,
}

impl FakeKernel {
    fn new<const N: usize>(script: [&[u16]; N]) -> Self {
        Self {
            header: Header::SIZE,
            tcp_info: TcpInfo::SIZE,
            subflow_info: Some(SUBFLOW_INFO),
            protocol: libc::IPPROTO_MPTCP,
            passes_on: false,
            script: RefCell::new(script.iter().map(|ports| Ok(ports.to_vec())).collect()),
            calls: RefCell::default(),
            forge: |_, len| len,
            forge_full: |_, len| len,
        }
    }

    /// One without MPTCP_FULL_INFO.
    fn old<const N: usize>(script: [&[u16]; N]) -> Self {
        Self {
            subflow_info: None,
            ..Self::new(script)
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

    fn call(&self, option: &'static str) -> io::Result<Vec<u16>> {
        self.calls.borrow_mut().push(option);
        if option == MPTCP_FULL_INFO && self.subflow_info.is_none() {
            return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        }
        let mut script = self.script.borrow_mut();
        let ports = if script.len() > 1 {
            script.pop_front().unwrap()
        } else {
            script[0].clone()
        };
        ports.map_err(io::Error::from_raw_os_error)
    }

    /// Every byte is set; the congestion window says which subflow this is.
    fn tcp_info(&self, port: u16) -> Vec<u8> {
        let mut info = vec![0xff; self.tcp_info];
        info[0] = 1;
        info[80..84].copy_from_slice(&u32::from(port).to_ne_bytes());
        info
    }

    fn addrs(port: u16) -> Vec<u8> {
        let mut addrs = vec![0; SUBFLOW_ADDRS];
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

    /// The id comes from the port; the addresses follow where a kernel with this size has them.
    fn subflow_info(size: usize, port: u16) -> Vec<u8> {
        let mut info = vec![0xff; size];
        let at = (size - SUBFLOW_ADDRS).min(8);
        info[..4].copy_from_slice(&id(port).to_ne_bytes());
        info[at..at + SUBFLOW_ADDRS].copy_from_slice(&Self::addrs(port));
        info
    }
}

fn id(port: u16) -> u32 {
    100_000 + u32::from(port)
}

impl SocketOptions for FakeKernel {
    fn get(&self, option: &Plain, buffer: &mut [u8]) -> io::Result<usize> {
        match *option {
            Plain::SO_PROTOCOL => {
                buffer.copy_from_slice(&self.protocol.to_ne_bytes());
                return Ok(buffer.len());
            }
            Plain::TCP_USER_TIMEOUT => {
                let refusal = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
                return self.passes_on.then_some(buffer.len()).ok_or(refusal);
            }
            Plain::MPTCP_INFO if self.passes_on => {
                return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
            }
            Plain::TCP_INFO => {
                let info = self.tcp_info(7);
                let len = info.len().min(buffer.len());
                buffer[..len].copy_from_slice(&info[..len]);
                return Ok(len);
            }
            Plain::MPTCP_INFO => {
                let info: Vec<u8> = (0..96).collect();
                let len = info.len().min(buffer.len());
                buffer[..len].copy_from_slice(&info[..len]);
                return Ok((self.forge)(buffer, len));
            }
            _ => {}
        }
        let ports = self.call(option.name)?;

        // The request, by the kernel's rules.
        let word = |at: usize| u32::from_ne_bytes(buffer[at..at + 4].try_into().unwrap());
        let (start, user) = (word(0) as usize, word(12) as usize);
        assert!((16..=buffer.len()).contains(&start));
        assert_eq!((word(4), word(8)), (0, 0));

        let element = |port: u16| match *option {
            Plain::MPTCP_TCPINFO => self.tcp_info(port),
            _ => Self::addrs(port),
        };
        let size_kernel = element(0).len();
        let size_user = size_kernel.min(user);
        let mut len = start;
        for port in &ports {
            if len + size_user <= buffer.len() {
                buffer[len..len + size_user].copy_from_slice(&element(*port)[..size_user]);
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

    fn full_info(
        &self,
        subflow_info: &mut [u8],
        tcp_info: &mut [u8],
    ) -> io::Result<(FullInfo, usize)> {
        let ports = self.call(MPTCP_FULL_INFO)?;
        let size = self.subflow_info.unwrap();
        let (size_sfinfo_user, size_tcpinfo_user) =
            (size.min(SUBFLOW_INFO), self.tcp_info.min(TcpInfo::SIZE));
        let room = (subflow_info.len() / SUBFLOW_INFO).min(tcp_info.len() / TcpInfo::SIZE);

        let elements = subflow_info
            .chunks_exact_mut(size_sfinfo_user)
            .zip(tcp_info.chunks_exact_mut(size_tcpinfo_user));
        for (port, (subflow, tcp)) in ports.iter().take(room).zip(elements) {
            subflow.copy_from_slice(&Self::subflow_info(size, *port)[..size_sfinfo_user]);
            tcp.copy_from_slice(&self.tcp_info(*port)[..size_tcpinfo_user]);
        }
        let mut full = FullInfo {
            size_tcpinfo_kernel: self.tcp_info as u32,
            size_tcpinfo_user: size_tcpinfo_user as u32,
            size_sfinfo_kernel: size as u32,
            size_sfinfo_user: size_sfinfo_user as u32,
            num_subflows: ports.len() as u32,
            size_arrays_user: room as u32,
            ..FullInfo::default()
        };
        let len = (self.forge_full)(&mut full, FullInfo::SIZE);
        Ok((full, len))
    }

    fn name(&self, whose: Whose) -> io::Result<[u8; SOCKADDR_STORAGE]> {
        let port = if whose == Whose::Own { 1 } else { 2 };
        Ok(*Self::addrs(port).first_chunk().unwrap())
    }
}

fn snapshot(kernel: &FakeKernel) -> Result<Subflows, Error> {
    let mut subflows = Subflows::default();
    super::snapshot(kernel, &mut Buffers::default(), &mut subflows).map(|()| subflows)
}

/// The ports of the subflows, in rows that belong together.
fn ports(kernel: &FakeKernel) -> Vec<u16> {
    let subflows = snapshot(kernel).unwrap();
    for subflow in &subflows {
        let port = subflow.local().port();
        assert_eq!(subflow.remote().port(), port);
        let cwnd = subflow.tcp_info().snd_cwnd();
        assert_eq!(cwnd, Some(u32::from(port)), "mixed rows");
        assert_eq!(subflow.id(), kernel.subflow_info.map(|_| id(port)));
    }
    subflows
        .iter()
        .map(|subflow| subflow.local().port())
        .collect()
}

#[test]
fn one_call_where_the_kernel_has_it() {
    let kernel = FakeKernel::new([&[1, 2], &[3]]);
    assert_eq!(ports(&kernel), [1, 2]);
    assert_eq!(*kernel.calls.borrow(), ["MPTCP_FULL_INFO"]);
}

#[test]
fn older_options_where_it_does_not() {
    let kernel = FakeKernel::old([&[1, 2]]);
    assert_eq!(ports(&kernel), [1, 2]);
    assert_eq!(
        *kernel.calls.borrow(),
        [
            "MPTCP_FULL_INFO",
            "MPTCP_SUBFLOW_ADDRS",
            "MPTCP_TCPINFO",
            "MPTCP_SUBFLOW_ADDRS"
        ]
    );
}

#[test]
fn addresses_and_state_come_together() {
    for kernel in [FakeKernel::new([&[1, 2000]]), FakeKernel::old([&[1, 2000]])] {
        let subflows = snapshot(&kernel).unwrap();
        let [first, second] = &subflows.list[..] else {
            panic!("{subflows:?}");
        };
        assert_eq!(first.local().to_string(), "127.0.0.1:1");
        assert_eq!(second.remote().to_string(), "[::1]:2000");
        assert_eq!(second.tcp_info().snd_cwnd(), Some(2000));
        assert_eq!(subflows.kernel_tcp_info_size(), TcpInfo::SIZE);
    }
}

#[test]
fn no_subflow_is_an_answer() {
    for kernel in [FakeKernel::new([&[]]), FakeKernel::old([&[]])] {
        assert!(snapshot(&kernel).unwrap().is_empty());
    }
}

#[test]
fn shorter_kernel_structures() {
    let all: Vec<u16> = (1..=20).collect();
    for mut kernel in [FakeKernel::new([&all]), FakeKernel::old([&all])] {
        kernel.tcp_info = 232;
        assert_eq!(ports(&kernel), all);

        let subflows = snapshot(&kernel).unwrap();
        assert_eq!(subflows.kernel_tcp_info_size(), 232);
        for subflow in &subflows {
            assert_eq!(subflow.tcp_info().size(), 232);
            assert_eq!(subflow.tcp_info().snd_wnd(), Some(u32::MAX));
            assert_eq!(subflow.tcp_info().rcv_wnd(), None);
        }
    }

    // No padding between id and addresses, and no addresses.
    let mut kernel = FakeKernel::new([&all]);
    kernel.subflow_info = Some(260);
    assert_eq!(ports(&kernel), all);
    kernel.forge_full = |full, len| {
        (full.size_sfinfo_kernel, full.size_sfinfo_user) = (4, 4);
        len
    };
    let answer = snapshot(&kernel);
    assert!(matches!(answer, Err(Error::Malformed { .. })), "{answer:?}");
}

#[test]
fn longer_kernel_structures() {
    for mut kernel in [FakeKernel::new([&[1, 2, 3]]), FakeKernel::old([&[1, 2, 3]])] {
        kernel.tcp_info = 344;
        kernel.header = 24;
        kernel.subflow_info = kernel.subflow_info.map(|size| size + 16);
        assert_eq!(ports(&kernel), [1, 2, 3]);

        let subflows = snapshot(&kernel).unwrap();
        assert_eq!(subflows.kernel_tcp_info_size(), 344);
        assert_eq!(subflows.list[2].tcp_info().size(), TcpInfo::SIZE);
    }
}

#[test]
fn arrays_grow_with_the_connection() {
    let many: Vec<u16> = (1..=40).collect();
    for kernel in [FakeKernel::new([&many]), FakeKernel::old([&many])] {
        assert_eq!(ports(&kernel), many);
    }
    // 40 subflows while the room for 9 is being made.
    for kernel in [
        FakeKernel::new([&many[..9], &many]),
        FakeKernel::old([&many[..9], &many]),
    ] {
        assert_eq!(ports(&kernel), many);
    }
    // As many as there is room for are complete.
    let kernel = FakeKernel::new([&many[..ROOM], &many]);
    assert_eq!(ports(&kernel), many[..ROOM]);
}

#[test]
fn endless_growth_ends() {
    let all: Vec<u16> = (1..=999).collect();
    for (kernel, calls) in [
        (FakeKernel::new([]), ATTEMPTS),
        // It refuses one first.
        (FakeKernel::old([]), ATTEMPTS + 1),
    ] {
        *kernel.script.borrow_mut() = (9..)
            .step_by(20)
            .take(50)
            .map(|n| Ok(all[..n].into()))
            .collect();
        let answer = snapshot(&kernel);
        assert!(matches!(answer, Err(Error::Unstable(_))), "{answer:?}");
        assert_eq!(kernel.calls.borrow().len(), calls as usize);
    }
}

#[test]
fn change_between_the_calls() {
    // A subflow joins, or leaves, before, between and after.
    assert_eq!(ports(&FakeKernel::old([&[1], &[1, 2]])), [1, 2]);
    assert_eq!(ports(&FakeKernel::old([&[1, 2], &[1, 2], &[1]])), [1]);
    // One is replaced by another: the count does not tell.
    assert_eq!(ports(&FakeKernel::old([&[1, 2], &[1, 3]])), [1, 3]);
    assert_eq!(ports(&FakeKernel::old([&[1, 2], &[2, 1]])), [2, 1]);
    // Only the middle call saw another number.
    assert_eq!(ports(&FakeKernel::old([&[1, 2], &[1], &[1, 2]])), [1, 2]);
    assert_eq!(
        ports(&FakeKernel::old([&[1, 2], &[1, 2, 3], &[1, 2]])),
        [1, 2]
    );
}

#[test]
fn endless_change_ends() {
    let kernel = FakeKernel::old([]);
    *kernel.script.borrow_mut() = (1..100).map(|port| Ok(vec![port])).collect();
    let error = snapshot(&kernel).unwrap_err();
    assert!(matches!(error, Error::Unstable(_)), "{error}");
    assert_eq!(kernel.calls.borrow().len() as u32, 2 * ATTEMPTS + 2);
}

#[test]
fn refusals_are_told_apart() {
    use libc::*;
    // By the first call: nothing else is tried.
    let error = |protocol, passes_on, errno| {
        let kernel = FakeKernel::failing(protocol, passes_on, errno);
        let error = snapshot(&kernel).unwrap_err();
        assert_eq!(*kernel.calls.borrow(), ["MPTCP_FULL_INFO"], "{error}");
        error
    };
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
    assert!(other.to_string().contains("MPTCP_FULL_INFO"), "{other}");

    // By the older options: a kernel that has not even them, and a fallback that came in between.
    let kernel = FakeKernel::failing(IPPROTO_MPTCP, false, EOPNOTSUPP);
    let old = snapshot(&kernel).unwrap_err();
    assert!(
        matches!(old, Error::Unsupported("MPTCP_SUBFLOW_ADDRS")),
        "{old}"
    );
    let kernel = FakeKernel::failing(IPPROTO_MPTCP, true, EOPNOTSUPP);
    let fallback = addrs_and_tcp_info(&kernel, &mut Buffers::default()).unwrap_err();
    assert!(matches!(fallback, Error::Fallback), "{fallback}");
}

#[test]
fn the_connection_as_a_whole() {
    let mut kernel = FakeKernel::new([]);
    let info = mptcp_info(&kernel).unwrap();
    assert_eq!(info.token(), Some(u32::from_ne_bytes([12, 13, 14, 15])));

    // A shorter structure, and nothing at all.
    kernel.forge = |_, _| 40;
    assert_eq!(mptcp_info(&kernel).unwrap().bytes_sent(), None);
    for forge in [|_: &mut [u8], _| 0, |_: &mut [u8], len| len + 1] {
        kernel.forge = forge;
        let answer = mptcp_info(&kernel);
        assert!(matches!(answer, Err(Error::Malformed { .. })), "{answer:?}");
    }
}

#[test]
fn what_is_left_after_a_fallback() {
    let mut kernel = FakeKernel::new([]);
    assert_eq!(fallback(&kernel).unwrap(), None);

    kernel.passes_on = true;
    let tcp = fallback(&kernel).unwrap().unwrap();
    assert_eq!(tcp.id(), None);
    assert_eq!((tcp.local().port(), tcp.remote().port()), (1, 2));
    assert_eq!(tcp.tcp_info().snd_cwnd(), Some(7));

    kernel.protocol = libc::IPPROTO_TCP;
    assert!(matches!(fallback(&kernel), Err(Error::NotMptcp)));
}

#[test]
fn buffers_are_used_again() {
    let many: Vec<u16> = (1..=40).collect();
    for kernel in [FakeKernel::new([&many]), FakeKernel::old([&many])] {
        let (mut buffers, mut subflows) = (Buffers::default(), Subflows::default());
        super::snapshot(&kernel, &mut buffers, &mut subflows).unwrap();
        assert_eq!(subflows.len(), 40);
        *kernel.script.borrow_mut() = [Ok(vec![2, 1])].into();
        super::snapshot(&kernel, &mut buffers, &mut subflows).unwrap();
        let ports: Vec<_> = subflows.iter().map(|s| s.local().port()).collect();
        assert_eq!(ports, [2, 1]);
    }
}

#[test]
fn contradictions_are_not_believed() {
    fn put(buffer: &mut [u8], at: usize, value: u32) {
        buffer[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    let forgeries: [(&str, Forge<[u8]>); 9] = [
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
        let mut kernel = FakeKernel::old([&[1, 2, 3, 4, 5, 6, 7, 8]]);
        kernel.forge = forge;
        let answer = snapshot(&kernel);
        assert!(
            matches!(answer, Err(Error::Malformed { .. })),
            "{what}: {answer:?}"
        );
    }

    let mut kernel = FakeKernel::old([&[1]]);
    kernel.forge = |buffer, len| {
        buffer[Header::SIZE..Header::SIZE + 2].fill(0); // the first address has no family
        len
    };
    assert!(matches!(snapshot(&kernel), Err(Error::Malformed { .. })));
}

#[test]
fn contradictions_of_full_info_are_not_believed() {
    let forgeries: [(&str, Forge<FullInfo>); 7] = [
        ("length", |_, len| len - 1),
        ("too many", |full, len| {
            full.num_subflows = u32::MAX;
            len
        }),
        ("size_sfinfo_user", |full, len| {
            full.size_sfinfo_user -= 4;
            len
        }),
        ("size_sfinfo_user > size_sfinfo_kernel", |full, len| {
            full.size_sfinfo_kernel -= 4;
            len
        }),
        ("size_tcpinfo_user", |full, len| {
            full.size_tcpinfo_user -= 4;
            len
        }),
        ("no size", |full, len| {
            (full.size_tcpinfo_kernel, full.size_tcpinfo_user) = (0, 0);
            len
        }),
        // Where a third one would be nothing was written.
        ("fewer than filled", |full, len| {
            full.num_subflows += 1;
            len
        }),
    ];
    for (what, forge) in forgeries {
        let mut kernel = FakeKernel::new([&[1, 2]]);
        kernel.forge_full = forge;
        let answer = snapshot(&kernel);
        assert!(
            matches!(&answer, Err(Error::Malformed { call, .. }) if *call == MPTCP_FULL_INFO),
            "{what}: {answer:?}"
        );
    }
}
