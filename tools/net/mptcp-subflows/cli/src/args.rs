// SPDX-License-Identifier: GPL-2.0

//! The command line. Man page and completions are made from this definition.

use std::net::IpAddr;
use std::os::fd::RawFd;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Parser, Subcommand, ValueEnum};

use crate::{generate, traffic};

/// Shows the MPTCP connections of this machine, each with its paths and what is wrong with them
///
/// Without arguments, lists every connection of the network namespace with its subflows, as the kernel
/// reports them through sock_diag. That takes no privileges and does not touch the processes. With
/// the permission to look into the processes, it names them as well.
///
/// Each path has a verdict: active, idle, backup, no ACK (what is in flight timed out), lossy (2 % or more
/// was sent again), fell back (to plain TCP), connecting or closing.
#[derive(Parser)]
#[command(
    name = "mptcp-subflows",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    after_help = "Exit status: 0 found, 1 nothing there, 2 could not look or not everywhere."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub show: Show,
}

#[derive(Subcommand)]
pub enum Command {
    Serve(traffic::serve::Args),
    Send(traffic::send::Args),
    #[command(hide = true)]
    Generate(generate::Args),
}

#[derive(clap::Args)]
pub struct Show {
    #[command(flatten)]
    pub filter: Filter,

    #[command(flatten)]
    pub place: Place,

    /// Repeat, with the rates of each path and its share [default: every second]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1",
          value_parser = seconds)]
    pub watch: Option<Duration>,

    /// Print a line for everything that happens: connections and paths that come, go, fail or recover
    ///
    /// It looks every second, or as often as given: what lasts no longer than that can be missed.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1",
          value_parser = seconds, conflicts_with_all = ["watch", "openmetrics"])]
    pub events: Option<Duration>,

    /// Print one JSON object per line: a connection, an event or an error
    #[arg(long)]
    pub json: bool,

    /// Print metrics, for Prometheus or the textfile collector of its node_exporter
    ///
    /// These are sums over all chosen connections: there are as many of them, whatever the number of
    /// connections.
    #[arg(long, conflicts_with_all = ["watch", "json"])]
    pub openmetrics: bool,

    /// With --openmetrics, print the metrics of each path, too
    ///
    /// There are as many of them as there are paths, with the addresses as labels.
    #[arg(long, requires = "openmetrics")]
    pub per_path: bool,
}

/// Which connections to show.
#[derive(clap::Args)]
pub struct Filter {
    /// Only connections with this port, on either side of any path
    #[arg(long)]
    pub port: Option<u16>,

    /// Only connections with this address, or one of this network, on either side of any path
    #[arg(long, value_name = "ADDR[/BITS]")]
    pub addr: Option<Network>,

    /// Only connections in one of these states [default: all but listening]
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<State>,
}

impl Filter {
    /// Whether sockets that listen are asked for.
    pub fn listening(&self) -> bool {
        let mut states = self.state.iter();
        states.any(|state| matches!(state, State::Listening | State::All))
    }
}

/// Where to look for them.
#[derive(clap::Args)]
pub struct Place {
    /// Only connections of this process, in its network namespace
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: Option<i32>,

    /// Only the connection of this file descriptor of the process
    #[arg(long, value_name = "N", requires = "pid", value_parser = clap::value_parser!(i32).range(0..))]
    pub fd: Option<RawFd>,

    /// Only connections of processes of this name, of which the kernel knows the first 15 bytes
    #[arg(long, conflicts_with = "pid", value_parser = NonEmptyStringValueParser::new())]
    pub name: Option<String>,

    /// Look into this network namespace: a name as for `ip netns`, or a path
    #[arg(long, value_name = "NAME", conflicts_with = "pid")]
    pub netns: Option<String>,
}

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// Waiting for the peer's SYN-ACK
    Connecting,
    /// Open
    Established,
    /// Closed by one side or both, but not done
    Closing,
    /// Waiting for connections
    Listening,
    /// Any state
    All,
}

/// An address, or those that begin as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    ip: IpAddr,
    bits: u32,
}

impl Network {
    pub fn contains(&self, ip: IpAddr) -> bool {
        let number = |ip| match ip {
            IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, 4),
            IpAddr::V6(ip) => (u128::from(ip), 6),
        };
        let ((ours, family), (theirs, other)) = (number(self.ip), number(ip.to_canonical()));
        let ignored = u128::BITS - self.bits;
        family == other && (ours ^ theirs).checked_shr(ignored).unwrap_or(0) == 0
    }
}

impl std::str::FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let ip = ip.trim_start_matches('[').trim_end_matches(']');
        let ip: IpAddr = ip.parse().map_err(|_| "not an IP address")?;
        let ip = ip.to_canonical();
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => match bits.parse() {
                Ok(bits) if bits <= most => bits,
                _ => return Err(format!("not a number of bits from 0 to {most}")),
            },
        };
        Ok(Self { ip, bits })
    }
}

/// A command-line argument in seconds, possibly a fraction.
pub fn seconds(text: &str) -> Result<Duration, String> {
    // Within these limits no sum of such times overflows, and none is without effect.
    match text.parse() {
        Ok(number) if (1e-3..=1e9).contains(&number) => Ok(Duration::from_secs_f64(number)),
        _ => Err("not a number of seconds from 0.001 to 1e9".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn networks_contain_addresses() {
        let contains = |network: &str, ip: &str| {
            network
                .parse::<Network>()
                .unwrap()
                .contains(ip.parse().unwrap())
        };
        assert!(contains("10.0.0.0/8", "10.1.2.3"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("10.0.0.1", "10.0.0.1"));
        assert!(!contains("10.0.0.1", "10.0.0.0"));
        assert!(contains("0.0.0.0/0", "10.0.0.1"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1"));
        assert!(contains("[::1]", "::1"));
        assert!(!contains("::/0", "10.0.0.1"));
        for wrong in ["10.0.0.0/33", "10.0.0", "::/129", "10.0.0.0/x", ""] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
