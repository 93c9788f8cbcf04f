// SPDX-License-Identifier: GPL-2.0

//! In the guest: what each request costs, on the guest's own clock.

use std::hint::black_box;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use mptcp_trials::abi::SOL_MPTCP;
use mptcp_trials::net::{Connection, Family, own_network};
use mptcp_trials::space::Space;
use socket2::Socket;

use crate::requests::{self, Request};
use crate::results::{Cost, Kind, Line, Name, print};

const SUBFLOWS: [usize; 4] = [1, 2, 4, 8];
const CALLS: u32 = 60;

/// Which requests, and how they are measured.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Only requests whose name contains this: option, number of subflows, request
    #[arg(long, default_value = "")]
    only: String,
    /// The number of measurements of each; the lowest counts, to which no interrupt has added
    #[arg(long, default_value_t = 15)]
    repeat: u32,
    /// Do not measure, but mark each for `bench trace`
    #[arg(long)]
    mark: bool,
    /// Mark only those of which traces are needed
    #[arg(long, requires = "mark")]
    sample: bool,
}

/// Prints what each request costs, a line of JSON each.
pub fn run(options: &Options) -> Result<()> {
    let mut space = Space::new()?;
    let mut printed = 0;
    let wanted = |name: &Name| name.to_string().contains(&options.only);

    let floor = Name {
        option: "getppid".to_owned(),
        subflows: 0,
        request: String::new(),
    };
    if wanted(&floor) && !options.mark {
        // SAFETY: This one has no arguments.
        let getppid = || unsafe { libc::syscall(libc::SYS_getppid) };
        print(&Line::Cost(Cost {
            name: floor,
            kind: Kind::Floor,
            cost: cost(options.repeat, || (), getppid),
        }))?;
        printed += 1;
    }

    for subflows in SUBFLOWS {
        for family in [Family::V4, Family::V6] {
            let mut requests = requests::of(family, subflows);
            requests.retain(|Request { name, kind, .. }| {
                let traced = || requests::traced(name, *kind).is_some_and(|traced| traced == *name);
                wanted(name) && (!options.sample || traced() || requests::traced_too(name))
            });
            if requests.is_empty() {
                continue;
            }
            own_network(subflows)?;
            let connection = Connection::with_subflows(family, subflows)?;
            for request in requests {
                let line = measure(options, &mut space, &connection.client, &request);
                print(&line.with_context(|| request.name.to_string())?)?;
                printed += 1;
            }
        }
    }
    ensure!(printed > 0, "no request has {} in its name", options.only);
    Ok(())
}

/// Measures or marks a request.
fn measure(
    options: &Options,
    space: &mut Space,
    socket: &Socket,
    request: &Request,
) -> Result<Line> {
    let probe = &request.probe;
    let prepare = || {
        probe.put_alone(space);
        // As if the kernel saw it each time.
        black_box(&mut *space);
    };
    let fails = request.error().is_some();
    let mut expected = true;
    let ask = || {
        // Without a function that reads errno, as that would be measured too.
        // SAFETY: The kernel writes to `space` only, to which there is no reference now.
        let ret = unsafe {
            libc::syscall(
                libc::SYS_getsockopt,
                socket.as_raw_fd(),
                SOL_MPTCP,
                probe.option,
                probe.optval,
                probe.optlen,
            )
        };
        expected &= (ret != 0) == fails;
    };
    let name = request.name.clone();
    let line = match options.mark {
        true => {
            mark(prepare, ask);
            Line::Mark(name)
        }
        false => Line::Cost(Cost {
            name,
            kind: request.kind,
            cost: cost(options.repeat, prepare, ask),
        }),
    };
    let errno = io::Error::last_os_error();
    ensure!(
        expected && (!fails || errno.raw_os_error() == request.error()),
        "the result is not the expected one; the last error was: {errno}"
    );
    Ok(line)
}

/// The least time that the call takes, on average over a batch, less the time for its preparation.
fn cost<T>(repeat: u32, mut prepare: impl FnMut(), mut call: impl FnMut() -> T) -> f64 {
    let lowest = |f: &mut dyn FnMut()| {
        let batch = |_| {
            let start = Instant::now();
            for _ in 0..CALLS {
                f();
            }
            start.elapsed()
        };
        (0..repeat).map(batch).min().unwrap_or_default()
    };
    let both = lowest(&mut || {
        prepare();
        black_box(call());
    });
    let preparation = lowest(&mut || prepare());
    both.saturating_sub(preparation).as_nanos() as f64 / f64::from(CALLS)
}

/// Calls once for the caches, and once for `bench trace`.
fn mark(mut prepare: impl FnMut(), mut call: impl FnMut()) {
    prepare();
    call();
    prepare();
    // SAFETY: No memory is locked.
    unsafe { libc::munlockall() };
    call();
}
