// SPDX-License-Identifier: GPL-2.0

//! Makes requests, and shows each result as a line of text, which is the same on every kernel with the
//! same result.
//!
//! The line has the return value and each byte of user memory that changed, by address. How a byte is
//! shown depends on what is known of it:
//!
//! | shown | is |
//! |---|---|
//! | two hexadecimal digits | the byte |
//! | `==` | a byte of a field that is different for each connection, and has not changed since its begin |
//! | `~~` | a byte of a clock that has not gone back since the last request |
//! | `*` and a number | how often the one before is repeated |
//! | `(a/b)` | the request is made twice, and the results differ |

use std::array;
use std::io;
use std::iter;
use std::mem::{self, offset_of};

use linux_raw_sys::net::tcp_info;

use crate::abi::{FullInfo, MptcpInfo, u32_at};
use crate::probe::{Probe, What, Write, writes};
use crate::request::Snapshot;
use crate::space::{self, Image, Space};
use crate::subjects::Subject;

/// How a field may differ between two kernels, if at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// It is different for each connection, but does not change while the connection is idle.
    Own,
    /// It grows: a `u32`.
    Clock,
}

/// The class of each byte of a structure, from the fields at which a class begins and ends.
macro_rules! classes {
    ($of:ty: $($class:ident $from:ident .. $to:ident,)*) => {{
        let mut classes = [None; size_of::<$of>()];
        $({
            let mut byte = offset_of!($of, $from);
            while byte < offset_of!($of, $to) {
                classes[byte] = Some(Class::$class);
                byte += 1;
            }
        })*
        classes
    }};
}

static TCP_INFO: [Option<Class>; size_of::<tcp_info>()] = classes! { tcp_info:
    Own tcpi_rto..tcpi_rcv_mss,
    Clock tcpi_last_data_sent..tcpi_pmtu,
    Own tcpi_rtt..tcpi_snd_ssthresh,
    Own tcpi_rcv_rtt..tcpi_rcv_space,
    Own tcpi_pacing_rate..tcpi_max_pacing_rate,
    Own tcpi_segs_out..tcpi_notsent_bytes,
    Own tcpi_min_rtt..tcpi_data_segs_in,
    Own tcpi_delivery_rate..tcpi_rwnd_limited,
    Own tcpi_snd_wnd..tcpi_rehash,
};
static MPTCP_INFO: [Option<Class>; size_of::<MptcpInfo>()] = classes! { MptcpInfo:
    Own token..local_addr_used,
    Clock last_data_sent..end,
};

/// The offset in a write of `what` from which bytes have classes, and the classes.
fn classes(what: What) -> (usize, &'static [Option<Class>]) {
    match what {
        What::Optlen | What::Addrs(_) | What::SubflowInfo(_) => (0, &[]),
        What::Header => (size_of::<FullInfo>(), &MPTCP_INFO),
        What::Info => (0, &MPTCP_INFO),
        What::TcpInfo(_) => (0, &TCP_INFO),
    }
}

/// The last known content of such a structure.
fn seen(known: &Snapshot, what: What) -> &[u8] {
    match what {
        What::TcpInfo(n) => &known.tcp_info[n],
        _ => &known.info,
    }
}

fn seen_mut(known: &mut Snapshot, what: What) -> &mut [u8] {
    match what {
        What::TcpInfo(n) => &mut known.tcp_info[n],
        _ => &mut known.info,
    }
}

/// Size of a clock.
const CLOCK: usize = size_of::<u32>();

/// Whether a clock shows the same or a later time. Clocks wrap around.
fn is_after(before: &[u8], after: &[u8]) -> bool {
    u32_at(after, 0).wrapping_sub(u32_at(before, 0)) <= u32::MAX / 2
}

/// What has changed about a socket since it was made, and which clocks have gone back: nothing while its
/// connection is idle.
pub fn changes(subject: &Subject) -> io::Result<Vec<String>> {
    let Some(known) = &subject.known else {
        return Ok(Vec::new());
    };
    let now = Snapshot::take(&subject.socket)?;
    let mut changes = Vec::new();
    if known.subflow_info != now.subflow_info {
        changes.push("it has other subflows".into());
    }
    let tcp_infos = 0..known.tcp_info.len().min(now.tcp_info.len());
    for what in iter::once(What::Info).chain(tcp_infos.map(What::TcpInfo)) {
        let words = seen(known, what).chunks_exact(CLOCK);
        for (n, (known, now)) in words.zip(seen(&now, what).chunks_exact(CLOCK)).enumerate() {
            let same = match classes(what).1.get(n * CLOCK) {
                Some(Some(Class::Clock)) => is_after(known, now),
                _ => known == now,
            };
            if !same {
                let offset = n * CLOCK;
                changes.push(format!(
                    "{what:?} had {known:02x?} at {offset}, and has {now:02x?}"
                ));
            }
        }
    }
    Ok(changes)
}

/// How a byte is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    /// Its value in each run.
    Byte([u8; 2]),
    Own,
    Clock,
}

impl Token {
    /// Adds it to a line. A formatter would be too slow for so many bytes.
    fn push(self, line: &mut String) {
        let hex = |line: &mut String, byte: u8| {
            let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
            line.extend([digit(byte >> 4), digit(byte & 0xf)]);
        };
        match self {
            Self::Byte([a, b]) if a == b => hex(line, a),
            Self::Byte([a, b]) => {
                line.push('(');
                hex(line, a);
                line.push('/');
                hex(line, b);
                line.push(')');
            }
            Self::Own => line.push_str("=="),
            Self::Clock => line.push_str("~~"),
        }
    }
}

/// In place of the number of a write: none.
const NONE: u8 = u8::MAX;

/// Makes each request twice, over memory with different bytes, so that each byte that the kernel writes
/// changes in at least one of the two runs.
#[derive(Debug)]
pub struct Prober {
    /// The user memory.
    pub space: Space,
    probe: Probe,
    ret: [i32; 2],
    fill: [u8; 2],
    /// The user memory after each run.
    image: [Image; 2],
    writes: Vec<Write>,
    /// For each byte, the number of the last write to it.
    writer: Vec<u8>,
    /// Indices of clocks that have gone back.
    back: Vec<usize>,
}

impl Prober {
    /// Maps the user memory.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            space: Space::new()?,
            probe: Probe::default(),
            ret: [0; 2],
            fill: [0; 2],
            image: Default::default(),
            writes: Vec::new(),
            writer: vec![NONE; space::SIZE],
            back: Vec::new(),
        })
    }

    /// Makes a request, and returns the result as a line.
    pub fn probe(&mut self, probe: Probe, subject: &mut Subject) -> io::Result<String> {
        let subflows = subject.known.as_ref().map(|known| known.tcp_info.len());
        for write in mem::take(&mut self.writes) {
            self.set_writer(write, NONE);
        }
        self.fill = [probe.fill, !probe.fill];
        for run in 0..2 {
            probe.put(&mut self.space, self.fill[run])?;
            if run == 0 {
                // They are the same in both runs: the kernel reads nothing but the request.
                self.writes = writes(&probe, &self.space, subflows);
            }
            self.ret[run] = probe.make(&mut self.space, &subject.socket)?;
            self.image[run] = self.space.image(self.fill[run]);
        }
        self.probe = probe;

        for n in 0..self.writes.len() {
            self.set_writer(self.writes[n], n as u8);
        }
        self.back.clear();
        if let Some(known) = &mut subject.known {
            self.read_clocks(known);
        }
        Ok(self.show(subject.known.as_ref()))
    }

    /// Makes `n` the writer of all bytes of `write`.
    fn set_writer(&mut self, write: Write, n: u8) {
        if let Some(begin) = space::index(write.address) {
            self.writer[begin..][..write.len].fill(n);
        }
    }

    /// Reads each clock that is there as a whole.
    fn read_clocks(&mut self, known: &mut Snapshot) {
        // Where optlen cannot be written as a whole, some kernels have written its first bytes.
        let torn = match self.writes.last() {
            Some(&Write {
                what: What::Optlen,
                len: 0,
                address,
            }) => Some(address),
            _ => None,
        };
        for (n, write) in (0..).zip(&self.writes) {
            let (begin, classes) = classes(write.what);
            for (field, class) in (0..).step_by(CLOCK).zip(classes.chunks_exact(CLOCK)) {
                let whole = write.len >= begin + field + CLOCK;
                if class[0] != Some(Class::Clock) || !whole {
                    continue;
                }
                let address = write.address + begin + field;
                let Some(index) = space::index(address) else {
                    continue;
                };
                let met = torn.is_some_and(|torn| torn.abs_diff(address) < CLOCK);
                if met || self.writer[index..][..CLOCK] != [n; CLOCK] {
                    continue;
                }
                // A copy that faults may leave out bytes before the fault.
                let written = (index..index + CLOCK)
                    .all(|index| self.changed(index, self.image.each_ref().map(|i| i.byte(index))));
                if !written {
                    continue;
                }
                let seen = &mut seen_mut(known, write.what)[field..][..CLOCK];
                for image in &self.image {
                    let now: [_; CLOCK] = array::from_fn(|n| image.byte(index + n));
                    if is_after(seen, &now) {
                        seen.copy_from_slice(&now);
                    } else {
                        self.back.extend(index..index + CLOCK);
                    }
                }
            }
        }
    }

    /// Whether the byte at `index`, which is `after` each run, has changed in either.
    fn changed(&self, index: usize, after: [u8; 2]) -> bool {
        let requested = self.probe.byte(space::address(index));
        requested.map_or(self.fill, |byte| [byte; 2]) != after
    }

    /// How the byte at `index` is shown, which is `after` each run, if it was written.
    fn token(&self, index: usize, after: [u8; 2], known: Option<&Snapshot>) -> Option<Token> {
        let address = space::address(index);
        let changed = self.changed(index, after);

        let write = self.writes.get(usize::from(self.writer[index]));
        let part = write.zip(known).and_then(|(write, known)| {
            let (begin, classes) = classes(write.what);
            let offset = (address - write.address).checked_sub(begin)?;
            Some(((*classes.get(offset)?)?, seen(known, write.what)[offset]))
        });
        match part {
            Some((Class::Own, byte)) if after == [byte; 2] => Some(Token::Own),
            // If the byte is one of the request, it may have been the same before.
            Some((Class::Clock, _))
                if (changed || self.probe.byte(address).is_some())
                    && !self.back.contains(&index) =>
            {
                Some(Token::Clock)
            }
            _ => changed.then_some(Token::Byte(after)),
        }
    }

    fn show(&self, known: Option<&Snapshot>) -> String {
        let mut line = match self.ret {
            [a, b] if a == b => a.to_string(),
            [a, b] => format!("({a}/{b})"),
        };
        let mut same: Option<(Token, usize)> = None;
        let mut next = None;
        for (index, after) in space::changed(&self.image) {
            let address = space::address(index);
            let Some(token) = self.token(index, after, known) else {
                continue;
            };
            match &mut same {
                Some((shown, n)) if *shown == token && next == Some(address) => *n += 1,
                _ => {
                    repeat(&mut line, same);
                    if next != Some(address) {
                        line += &format!(" {address:x}:");
                    }
                    same = Some((token, 1));
                }
            }
            next = Some(address + 1);
        }
        repeat(&mut line, same);
        line
    }
}

fn repeat(line: &mut String, same: Option<(Token, usize)>) {
    match same {
        None => (),
        Some((token, n @ 1..=2)) => (0..n).for_each(|_| token.push(line)),
        Some((token, n)) => {
            token.push(line);
            *line += &format!("*{n} ");
        }
    }
}
