// SPDX-License-Identifier: GPL-2.0

//! What state a path is in, and why.

use std::time::Duration;

use mptcp_subflows::{Delta, Subflow, TcpInfo, TcpState};

use crate::text::{percent, seconds};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Active,
    Idle,
    Backup,
    NoAck,
    Lossy,
    FellBack,
    Connecting,
    Closing,
}

impl Verdict {
    pub const ALL: [Self; 8] = [
        Self::Active,
        Self::Idle,
        Self::Backup,
        Self::NoAck,
        Self::Lossy,
        Self::FellBack,
        Self::Connecting,
        Self::Closing,
    ];

    /// Whether data gets through, or would.
    pub fn works(self) -> bool {
        !matches!(self, Self::NoAck | Self::Connecting | Self::Closing)
    }

    /// A word that stays the same, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Backup => "backup",
            Self::NoAck => "no_ack",
            Self::Lossy => "lossy",
            Self::FellBack => "fell_back",
            Self::Connecting => "connecting",
            Self::Closing => "closing",
        }
    }
}

/// A verdict and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// In few words, for example "no ACK for 3.2 s".
    pub short: String,
    /// What else there is to say.
    pub reason: Option<String>,
}

impl Judgement {
    /// The verdict with its reason.
    pub fn text(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{}: {reason}", self.short),
            None => self.short.clone(),
        }
    }
}

/// A path that carried no data for this long is idle.
const QUIET: Duration = Duration::from_secs(1);
/// From this part of resent segments on, a path is lossy.
const LOSSY: f64 = 0.02;
/// Fewer resent segments say nothing.
const FEW: u32 = 3;

/// Judges by what it did since the last look, if there is one, and by its own account otherwise.
pub fn judge(subflow: &Subflow, delta: Option<&Delta>, fell_back: bool) -> Judgement {
    let tcp = subflow.tcp_info();
    let flags = subflow.details().and_then(|details| details.flags());
    let backup = flags.is_some_and(|flags| flags.backup_local() || flags.backup_remote());
    let busy = is_busy(tcp, delta);

    let verdict = |verdict, short: String, reason| Judgement {
        verdict,
        short,
        reason,
    };
    match tcp.state() {
        Some(TcpState::SynSent | TcpState::SynRecv | TcpState::NewSynRecv) => {
            return verdict(Verdict::Connecting, "connecting".into(), no_answer(tcp));
        }
        Some(TcpState::Established) => {}
        Some(TcpState::CloseWait) => {
            let reason = "the peer closed it".into();
            return verdict(Verdict::Closing, "closing".into(), Some(reason));
        }
        state => {
            let reason = state.map(|state| state.to_string());
            return verdict(Verdict::Closing, "closing".into(), reason);
        }
    }
    if let Some((silence, reason)) = silence(tcp) {
        return verdict(
            Verdict::NoAck,
            format!("no ACK for {}", seconds(silence)),
            Some(reason),
        );
    }
    if let Some(part) = loss(tcp, delta) {
        let reason = format!("{} resent", percent(part));
        return verdict(Verdict::Lossy, "lossy".into(), Some(reason));
    }
    let quiet = || {
        let quiet = quiet(tcp)?;
        Some(format!("no data for {}", seconds(quiet)))
    };
    let reason = match busy {
        true => None,
        false => quiet(),
    };
    if fell_back {
        return verdict(Verdict::FellBack, "fell back".into(), reason);
    }
    if backup {
        let reason = busy.then(|| "in use".into());
        return verdict(Verdict::Backup, "backup".into(), reason);
    }
    match busy {
        true => verdict(Verdict::Active, "active".into(), None),
        false => verdict(Verdict::Idle, "idle".into(), reason),
    }
}

/// The time without any ACK, while the retransmission timer expired for what is in flight.
fn silence(tcp: &TcpInfo) -> Option<(Duration, String)> {
    let timeouts = tcp.retransmits().filter(|timeouts| *timeouts > 0)?;
    let unacked = tcp.unacked().filter(|unacked| *unacked > 0)?;
    let times = if timeouts == 1 { "once" } else { "times" };
    let number = if timeouts == 1 {
        String::new()
    } else {
        format!("{timeouts} ")
    };
    let reason = format!("{unacked} in flight, timed out {number}{times}");
    Some((tcp.last_ack_recv()?, reason))
}

fn no_answer(tcp: &TcpInfo) -> Option<String> {
    let timeouts = tcp.retransmits().filter(|timeouts| *timeouts > 0)?;
    Some(format!("SYN sent {} times", u32::from(timeouts) + 1))
}

/// Which part of the segments had to be sent again, if it is worth a word.
fn loss(tcp: &TcpInfo, delta: Option<&Delta>) -> Option<f64> {
    let (resent, part) = match delta {
        Some(delta) => (delta.retransmitted()?, delta.resent()?),
        None => {
            let sent = tcp.data_segs_out().filter(|sent| *sent > 0)?;
            let resent = tcp.total_retrans()?;
            (resent, f64::from(resent) / f64::from(sent))
        }
    };
    (resent >= FEW && part >= LOSSY).then_some(part)
}

fn is_busy(tcp: &TcpInfo, delta: Option<&Delta>) -> bool {
    match delta {
        Some(delta) => delta.acked() > Some(0) || delta.received() > Some(0),
        None => quiet(tcp).is_some_and(|quiet| quiet < QUIET),
    }
}

/// The time without data in either direction; `None` if there never was any.
fn quiet(tcp: &TcpInfo) -> Option<Duration> {
    let sent = tcp
        .last_data_sent()
        .filter(|_| tcp.data_segs_out() > Some(0));
    let received = tcp
        .last_data_recv()
        .filter(|_| tcp.data_segs_in() > Some(0));
    [sent, received].into_iter().flatten().min()
}

#[cfg(test)]
mod tests;
