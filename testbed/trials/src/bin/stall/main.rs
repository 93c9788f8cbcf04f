// SPDX-License-Identifier: GPL-2.0

//! Stalls each access of the kernel to the memory of a request, while others use the connection.
//!
//! Prints a table of who waited for the end of the stall, to be compared with that of another kernel:
//! all but the lines that begin with `#`, which tell of times.

mod trap;
mod witness;

use std::ffi::c_int;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd};
use std::process::ExitCode;
use std::ptr;
use std::slice;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use mptcp_trials::abi::{self, MPTCP_INFO_SIZE};
use mptcp_trials::check::check;
use mptcp_trials::memory::PAGE;
use mptcp_trials::net::{self, Connection, Family, PATIENCE, wait_for};
use mptcp_trials::request::{Answer, CANARY, Choice, Request};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use trap::{Kind, Trap};
use witness::{Call, Witness};

/// Stalls each access to the memory of a request, and says who waited.
#[derive(Parser)]
struct Args {
    /// Seconds for which an access stalls at least.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

const SUBFLOWS: usize = 2;

/// Who is asked whether they wait: another request, and MPTCP_INFO, of the same end; what it sends
/// and receives; whether what the peer sends is acknowledged; a request of the peer's; close(2).
const WITNESSES: [&str; 7] = [
    "request",
    "MPTCP_INFO",
    "send",
    "recv",
    "DATA_ACK",
    "peer's request",
    "close",
];

/// An access of the kernel to user memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    OptlenRead,
    HeaderRead,
    /// The array behind the header, or else of `struct mptcp_subflow_info`.
    Array,
    /// The array of `struct tcp_info` of `MPTCP_FULL_INFO`.
    TcpInfo,
    OptlenWrite,
    HeaderWrite,
}

impl Access {
    const ALL: [Self; 6] = [
        Self::OptlenRead,
        Self::HeaderRead,
        Self::Array,
        Self::TcpInfo,
        Self::OptlenWrite,
        Self::HeaderWrite,
    ];

    /// The page that is accessed, of those in [`Layout`].
    fn page(self) -> usize {
        match self {
            Self::OptlenRead | Self::OptlenWrite => 0,
            Self::HeaderRead | Self::HeaderWrite => 1,
            Self::Array => 2,
            Self::TcpInfo => 3,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::OptlenRead => "optlen is read",
            Self::HeaderRead => "header is read",
            Self::Array => "array is written",
            Self::TcpInfo => "tcp_info is written",
            Self::OptlenWrite => "optlen is written",
            Self::HeaderWrite => "header is written",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::OptlenWrite | Self::HeaderWrite => Kind::Write,
            _ => Kind::Any,
        }
    }
}

/// A request in memory of four pages: `optlen`, header, and two arrays. The header ends where the
/// third page begins, since the array of two of the options follows it.
struct Layout {
    request: Request,
    pages: *mut u8,
}

impl Layout {
    fn new(option: Choice) -> Result<Self> {
        let flags = MapFlags::PRIVATE;
        let all = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: The kernel chooses the place. It stays mapped until the process ends.
        let pages = unsafe { mmap_anonymous(ptr::null_mut(), 4 * PAGE, all, flags) }?;
        let layout = Self {
            request: Request::new(option, SUBFLOWS),
            pages: pages.cast(),
        };
        // SAFETY: Just mapped, and nobody else knows of it.
        let bytes = unsafe { std::slice::from_raw_parts_mut(layout.pages, 4 * PAGE) };
        bytes.fill(CANARY);
        bytes[..4].copy_from_slice(&(layout.request.optlen() as u32).to_ne_bytes());
        let arrays = layout.arrays();
        let header = &mut bytes[layout.header()..];
        layout.request.write_header(header, arrays[0], arrays[1]);
        Ok(layout)
    }

    /// Offset of the header.
    fn header(&self) -> usize {
        let array = self.request.room * self.request.element();
        2 * PAGE - (self.request.optlen() - array)
    }

    fn page(&self, n: usize) -> *mut u8 {
        self.pages.wrapping_add(n * PAGE)
    }

    fn address(&self, offset: usize) -> usize {
        self.pages.wrapping_add(offset).expose_provenance()
    }

    fn arrays(&self) -> [usize; 2] {
        [2, 3].map(|page| self.address(page * PAGE))
    }

    /// What the request came back with.
    fn answer(&self, ret: i32) -> Answer {
        // SAFETY: Nobody accesses it any more.
        let bytes = unsafe { std::slice::from_raw_parts(self.pages, 4 * PAGE) };
        let full = self.request.option == Choice::FullInfo;
        let end = if full { 2 * PAGE } else { 3 * PAGE };
        Answer {
            ret,
            optlen: u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            optval: bytes[self.header()..end].to_vec(),
            subflow_info: bytes[2 * PAGE..3 * PAGE].to_vec(),
            tcp_info: bytes[3 * PAGE..].to_vec(),
            arrays: self.arrays(),
        }
    }
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let hold = Duration::from_secs_f64(args.seconds);
    net::own_network(SUBFLOWS)?;

    println!("Who waits for the end of a stall:");
    print_row("stalled access", WITNESSES);
    let mut status = ExitCode::SUCCESS;
    for option in Choice::ALL {
        for access in Access::ALL {
            if access == Access::TcpInfo && option != Choice::FullInfo {
                continue;
            }
            let name = format!("{}, {}", option.name(), access.name());
            match stall(option, access, hold) {
                Ok((waits, times)) => {
                    print_row(&name, waits.map(|waits| if waits { "waits" } else { "-" }));
                    println!("# {times}");
                }
                Err(error) => {
                    println!("{name}: failed\n# {error:#}");
                    status = ExitCode::FAILURE;
                }
            }
        }
    }
    Ok(status)
}

fn print_row(name: &str, cells: [&str; 7]) {
    let mut row = format!("{name:<40}");
    for (cell, title) in cells.iter().zip(WITNESSES) {
        let width = title.len().max("waits".len());
        row += &format!("  {cell:<width$}");
    }
    println!("{}", row.trim_end());
}

/// One stall. Returns who waited, and times.
fn stall(option: Choice, access: Access, hold: Duration) -> Result<([bool; 7], String)> {
    let Connection { client, server } = Connection::with_subflows(Family::V4, SUBFLOWS)?;
    // SAFETY: Each is closed once, and from then on used by none but calls that have begun before.
    let [client, peer] =
        [client.into_raw_fd(), server.as_raw_fd()].map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });
    let layout = Layout::new(option)?;
    let optlen = layout.address(0);
    let optval = layout.address(layout.header());

    // SAFETY: It is a page of the layout, which is a private mapping without references.
    let trap = unsafe { Trap::set(layout.page(access.page()), access.kind()) }?;
    // SAFETY: The request tells the kernel to write to the layout only.
    let stalled = thread::spawn(move || unsafe { option.ask(client, optval, optlen) });
    trap.wait().context("the access does not stall")?;
    let began = Instant::now();

    ensure!(
        send(peer, b"to", SendFlags::empty())? == 2,
        "the peer sends in part"
    );
    let calls: [Call; 6] = [
        Box::new(move || ask(client, option)),
        Box::new(move || mptcp_info(client)),
        Box::new(move || {
            ensure!(send(client, b"from", SendFlags::empty())? == 4);
            Ok(())
        }),
        Box::new(move || {
            ensure!(recv(client, &mut [0; 2], RecvFlags::WAITALL)?.0 == 2);
            Ok(())
        }),
        Box::new(move || acked(peer)),
        Box::new(move || ask(peer, option)),
    ];
    let mut witnesses: Vec<_> = calls.into_iter().map(Witness::begin).collect();
    let settle = |witnesses: &[Witness]| {
        wait_for("everybody to return or sleep", || {
            let settled = witnesses.iter().all(Witness::is_settled);
            Ok((settled && began.elapsed() >= hold).then_some(()))
        })
    };
    settle(&witnesses)?;
    let close = Witness::begin(Box::new(move || {
        // SAFETY: The only close. Whoever uses it is in the kernel already.
        unsafe { rustix::io::close(client.as_raw_fd()) };
        Ok(())
    }));
    settle(slice::from_ref(&close))?;
    witnesses.push(close);
    let waits = std::array::from_fn(|n| !witnesses[n].has_returned());

    let length = began.elapsed();
    trap.release()?;
    wait_for("the stalled request to return", || {
        Ok(stalled.is_finished().then_some(()))
    })?;
    let ret = stalled
        .join()
        .map_err(|_| anyhow!("the stalled request panicked"))?;
    wait_for("everybody to return", || {
        Ok(witnesses.iter().all(Witness::has_returned).then_some(()))
    })?;
    let after = began.elapsed() - length;
    for (witness, name) in witnesses.into_iter().zip(WITNESSES) {
        witness
            .end()
            .with_context(|| format!("{name}, after the stall"))?;
    }
    ensure!(ret == 0, "the stalled request returned {ret}");
    check(&layout.request, &layout.answer(ret)).context("the stalled answer")?;
    // What was sent meanwhile has arrived, and then the connection ends.
    server.set_read_timeout(Some(PATIENCE))?;
    let mut received = Vec::new();
    (&server).read_to_end(&mut received)?;
    ensure!(received == b"from", "the peer has received {received:?}");

    let times = format!(
        "stalled for {:.1} s, everything has returned {:.1} ms later",
        length.as_secs_f64(),
        after.as_secs_f64() * 1e3
    );
    Ok((waits, times))
}

fn ask(socket: impl AsFd, option: Choice) -> Result<()> {
    let request = Request::new(option, SUBFLOWS);
    let answer = request.ask(socket, 0);
    ensure!(answer.ret == 0, "returned {}", answer.ret);
    let report = check(&request, &answer)?;
    ensure!(report.num == SUBFLOWS, "{report:?}");
    Ok(())
}

fn mptcp_info(socket: impl AsFd) -> Result<()> {
    let mut info = [0_u8; MPTCP_INFO_SIZE];
    let mut len = info.len() as u32;
    let optval = info.as_mut_ptr().expose_provenance();
    let optlen = (&raw mut len).expose_provenance();
    // SAFETY: Both are ours, and as large as they say.
    let ret = unsafe { abi::getsockopt(socket, abi::SOL_MPTCP, abi::MPTCP_INFO, optval, optlen) };
    ensure!(ret == 0, "returned {ret}");
    Ok(())
}

/// Waits until the other side has acknowledged everything.
fn acked(socket: BorrowedFd<'_>) -> Result<()> {
    wait_for("acknowledgements", || {
        let mut pending: c_int = 0;
        // SAFETY: The request writes an integer.
        let ret = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut pending) };
        ensure!(ret == 0, "{}", std::io::Error::last_os_error());
        Ok((pending == 0).then_some(()))
    })
}
