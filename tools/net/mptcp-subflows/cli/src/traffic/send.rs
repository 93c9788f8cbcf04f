// SPDX-License-Identifier: GPL-2.0

//! `send`: moves data until every expected subflow carried some.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use mptcp_subflows::{Reader, Sample, Subflow, mptcp_info};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Host, is_retry, mptcp_socket};
use crate::args::seconds;
use crate::look::Interfaces;
use crate::model::Path;
use crate::stdout::{Screen, Style};
use crate::text::{address, bytes, plural};
use crate::{Outcome, say, show, verdict};

/// Test the paths to a host: open one MPTCP connection, send data and show the subflows meanwhile
///
/// Sends as much as --bytes or --for says, and on until the expected number of subflows each had
/// data acknowledged by the peer; then waits for what is still on its way, and prints the final
/// table. Exit status 1 if a subflow is missing there, or had no data acknowledged.
#[derive(clap::Args)]
pub struct Args {
    /// Peer to connect to, for example a waiting `mptcp-subflows serve`
    #[arg(value_name = "HOST:PORT")]
    address: Host,

    /// Send this many bytes
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000_000,
        conflicts_with = "duration"
    )]
    bytes: u64,

    /// Send for this long instead
    #[arg(long = "for", id = "duration", value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,

    /// Time from one table to the next
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,

    /// Number of subflows that must carry data
    #[arg(long, value_name = "N", default_value_t = 1)]
    expect_subflows: usize,

    /// Give up after this long, the time waiting for the peer included [default: 30, plus --for]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    deadline: Option<Duration>,

    /// Print one JSON object per table and line
    #[arg(long)]
    json: bool,
}

/// How often to look at the subflows, at least.
const LOOK: Duration = Duration::from_millis(50);
/// How long to wait until a peer that refused is asked again.
const RETRY: Duration = Duration::from_millis(50);

pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let duration = args.duration.unwrap_or_default();
    let limit = args.deadline.unwrap_or(duration + Duration::from_secs(30));
    if limit < duration {
        bail!("--deadline must not be shorter than --for");
    }
    let deadline = Instant::now() + limit;

    let mut connection = Connection::open(&args.address, deadline)?;
    let start = Instant::now();
    let mut screen = Screen::new(!args.json);
    let mut next_report = start + args.interval;
    let mut reader = Reader::new();
    let mut before = None;
    let interfaces = Interfaces::new();
    loop {
        let now = Instant::now();
        // In this order: the sample of a settled connection is complete.
        let settled = mptcp_info(&connection.stream)?.unacknowledged() == Some(0);
        let sample = reader.read(&connection.stream)?;

        let amount = match args.duration {
            Some(duration) => now >= start + duration,
            None => connection.sent >= args.bytes,
        };
        let carriers = sample.iter().filter(|s| has_carried(s)).count();
        let sending = !amount || carriers < args.expect_subflows;
        let done = !sending && settled;
        let over = done || now >= deadline;
        if over || now >= next_report {
            let counters = Sample::of(now, sample);
            // The last report follows the one before so closely that rates mean little: it has totals.
            let since = before.as_ref().filter(|_| !over);
            let progress = Progress {
                elapsed: now - start,
                sent: connection.sent,
                read: connection.read,
                over,
                paths: paths(sample, &counters, since, &interfaces),
            };
            before = Some(counters);
            screen.show(&match args.json {
                true => show::json::progress(&progress).to_string(),
                false => progress.text((amount && sending).then_some(args.expect_subflows)),
            })?;
            next_report = Instant::now() + args.interval;
        }
        if over {
            connection.finish(deadline)?;
            let subflows: Vec<_> = sample
                .iter()
                .map(|subflow| (ends(subflow), has_carried(subflow)))
                .collect();
            return Ok(match missing(args.expect_subflows, &subflows) {
                Some(what) => Outcome::Nothing(what),
                None if !amount => Outcome::Nothing(format!(
                    "sent only {} of {}: allow more time with --deadline",
                    bytes(connection.sent),
                    bytes(args.bytes)
                )),
                None => Outcome::Found,
            });
        }

        let until = deadline.min(next_report).min(now + LOOK);
        let budget = match args.duration {
            _ if !sending => 0,
            None if !amount => args.bytes - connection.sent,
            _ => u64::MAX,
        };
        connection.pump(budget, until)?;
    }
}

/// How far it is.
pub struct Progress {
    pub elapsed: Duration,
    pub sent: u64,
    pub read: u64,
    pub over: bool,
    pub paths: Vec<Path>,
}

impl Progress {
    /// `waiting` for this many subflows with data, when everything else is done.
    fn text(&self, waiting: Option<usize>) -> String {
        let subflows = |number| plural(number, "subflow", "subflows");
        let state = match waiting {
            _ if self.over => "at the end".into(),
            Some(number) => format!("waiting for {} with data", subflows(number)),
            None => "so far".into(),
        };
        format!(
            "{:.1} s, {state}: {} sent, {} read, {}\n{}\n",
            self.elapsed.as_secs_f64(),
            bytes(self.sent),
            bytes(self.read),
            subflows(self.paths.len()),
            show::paths(&self.paths, Style::detect()),
        )
    }
}

/// The subflows, with their rates since the report before.
fn paths(
    subflows: &[Subflow],
    now: &Sample<u32>,
    before: Option<&Sample<u32>>,
    interfaces: &Interfaces,
) -> Vec<Path> {
    let deltas = before.map(|before| now.since(before)).unwrap_or_default();
    let path = |subflow: &Subflow| {
        let delta = subflow.id().and_then(|id| deltas.get(&id).copied());
        let mut path = Path {
            judgement: verdict::judge(subflow, delta.as_ref(), false),
            delta,
            ..Path::new(subflow.clone())
        };
        interfaces.name(&mut path);
        path
    };
    subflows.iter().map(path).collect()
}

fn ends(subflow: &Subflow) -> String {
    let arrow = Style::detect().arrow();
    let (local, remote) = (address(subflow.local()), address(subflow.remote()));
    format!("{local} {arrow} {remote}")
}

/// Whether data reached the peer: SYN and FIN count as a byte each.
fn has_carried(subflow: &Subflow) -> bool {
    subflow.tcp_info().bytes_acked() > Some(2)
}

/// What is missing in the final table, given the addresses of each subflow and whether it carried
/// data.
fn missing(expected: usize, subflows: &[(String, bool)]) -> Option<String> {
    let idle: Vec<_> = subflows
        .iter()
        .filter(|(_, carried)| !carried)
        .map(|(addresses, _)| addresses.as_str())
        .collect();
    let carriers = subflows.len() - idle.len();
    if carriers >= expected {
        return None;
    }
    let reason = match idle.is_empty() {
        true => "see `ip mptcp endpoint` and `ip mptcp limits` on both sides".into(),
        false => format!("no data acknowledged on {}", idle.join(", ")),
    };
    let expected = plural(expected, "subflow", "subflows");
    Some(format!(
        "expected {expected} with data, saw {carriers}: {reason}"
    ))
}

/// The connection, and how much went over it.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    sent: u64,
    read: u64,
}

impl Connection {
    /// Connects to the first of the host's addresses that listens, as soon as one does.
    fn open(host: &Host, deadline: Instant) -> anyhow::Result<Self> {
        let peers = host.resolve()?;
        let mut told = false;
        loop {
            let mut refused = false;
            let mut result = Err(anyhow!("{host} has no address"));
            for peer in &peers {
                let left = deadline.saturating_duration_since(Instant::now());
                let socket = mptcp_socket(*peer)?;
                match socket.connect_timeout(&(*peer).into(), left.max(RETRY)) {
                    Ok(()) => {
                        socket.set_nonblocking(true)?;
                        return Ok(Self {
                            stream: socket.into(),
                            peer: *peer,
                            sent: 0,
                            read: 0,
                        });
                    }
                    Err(error) => {
                        refused |= error.kind() == io::ErrorKind::ConnectionRefused;
                        result = Err(error).with_context(|| format!("connect to {peer}"));
                    }
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if !refused || left < RETRY {
                return result;
            }
            if !told {
                let left = left.as_secs_f64();
                say(&format!(
                    "waiting for {host} to listen, at most {left:.0} s"
                ));
                told = true;
            }
            thread::sleep(RETRY);
        }
    }

    /// Sends up to `budget` bytes and reads what comes, until that is done or time is up.
    fn pump(&mut self, mut budget: u64, until: Instant) -> anyhow::Result<()> {
        static DATA: [u8; 1 << 16] = [b'.'; 1 << 16];
        let only_read = budget == 0;

        while budget > 0 || only_read {
            let mut wanted = PollFlags::IN;
            wanted.set(PollFlags::OUT, budget > 0);
            let Some(ready) = self.wait(wanted, until)? else {
                break;
            };
            if ready.contains(PollFlags::OUT) {
                let len = DATA
                    .len()
                    .min(usize::try_from(budget).unwrap_or(usize::MAX));
                let len = self.moved((&self.stream).write(&DATA[..len]))?.unwrap_or(0);
                self.sent += len;
                budget -= len;
            }
            if self.read(ready)? == Some(0) {
                bail!(
                    "{} closed the connection after {} were sent",
                    self.peer,
                    bytes(self.sent)
                );
            }
        }
        Ok(())
    }

    /// Ends the connection in order: what is unread when a socket is closed resets it.
    fn finish(&mut self, deadline: Instant) -> anyhow::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        let soon = deadline.min(Instant::now() + Duration::from_secs(1));
        if !self.drain(soon)? && soon < deadline {
            say(&format!("waiting for {} to close its side", self.peer));
            self.drain(deadline)?;
        }
        Ok(())
    }

    /// Reads to the end; false when time is up before.
    fn drain(&mut self, until: Instant) -> anyhow::Result<bool> {
        while let Some(ready) = self.wait(PollFlags::IN, until)? {
            if self.read(ready)? == Some(0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What of `wanted` can be done, or `None` when time is up.
    fn wait(&self, wanted: PollFlags, until: Instant) -> anyhow::Result<Option<PollFlags>> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let mut fds = [PollFd::new(&self.stream, wanted)];
        match poll(&mut fds, Some(&Timespec::try_from(left)?)) {
            Ok(_) => Ok(Some(fds[0].revents())),
            Err(Errno::INTR) => Ok(Some(PollFlags::empty())),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Reads once, if that is `ready`; 0 is the end.
    fn read(&mut self, ready: PollFlags) -> anyhow::Result<Option<u64>> {
        if !ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            return Ok(None);
        }
        let len = self.moved((&self.stream).read(&mut [0; 1 << 16]))?;
        self.read += len.unwrap_or(0);
        Ok(len)
    }

    /// The bytes that one call moved, or `None` if it has to be tried again.
    fn moved(&self, result: io::Result<usize>) -> anyhow::Result<Option<u64>> {
        match result {
            Ok(len) => Ok(Some(len as u64)),
            Err(error) if is_retry(&error) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("connection to {}", self.peer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn every_expected_subflow_needs_data() {
        let [a, b] = [("a", true), ("b", true)].map(|(name, data)| (name.to_string(), data));
        let idle = ("c".to_string(), false);

        assert_eq!(missing(2, &[a.clone(), b.clone()]), None);
        assert_eq!(missing(2, &[a.clone(), idle.clone(), b.clone()]), None);

        let text = missing(3, &[a.clone(), b]).unwrap();
        assert!(text.starts_with("expected 3 subflows with data, saw 2: see `ip mptcp"));
        let text = missing(2, &[a, idle]).unwrap();
        assert!(text.ends_with("saw 1: no data acknowledged on c"));
    }
}
