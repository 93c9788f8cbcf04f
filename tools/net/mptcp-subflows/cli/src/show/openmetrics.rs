// SPDX-License-Identifier: GPL-2.0

//! Metrics of a snapshot, in the text format of OpenMetrics and Prometheus.
//!
//! A counter's name ends in `_total` in its `# TYPE` line, too, as the parser of node_exporter's textfile
//! collector expects it, and OpenMetrics from version 2 on.

use std::fmt::Write;

use crate::model::{Connection, Path, Snapshot};
use crate::text;
use crate::verdict::Verdict;

type Labels<'a> = Vec<(&'a str, String)>;

/// One metric, with a sample for each set of labels.
struct Family<'a> {
    name: &'a str,
    kind: &'a str,
    help: &'a str,
    samples: Vec<(Labels<'a>, f64)>,
}

impl Family<'_> {
    fn write(&self, out: &mut String) {
        if self.samples.is_empty() {
            return;
        }
        let Self {
            name, kind, help, ..
        } = self;
        // A String takes whatever is written to it.
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in &self.samples {
            let labels: Vec<_> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let labels = match labels.is_empty() {
                true => String::new(),
                false => format!("{{{}}}", labels.join(",")),
            };
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
}

/// With metrics of each path if that was asked for, and the number of listeners if they were.
pub fn text(snapshot: &Snapshot, per_path: bool, listening: bool) -> String {
    let (listeners, connections): (Vec<_>, Vec<_>) = snapshot
        .connections
        .iter()
        .partition(|connection| connection.is_listening());

    let mut out = String::new();
    let listeners = listening.then_some(listeners.len());
    for family in summary(&connections, listeners) {
        family.write(&mut out);
    }
    if per_path {
        for family in paths(&connections) {
            family.write(&mut out);
        }
    }
    out + "# EOF"
}

fn gauge<'a>(
    name: &'a str,
    help: &'a str,
    samples: impl IntoIterator<Item = (Labels<'a>, f64)>,
) -> Family<'a> {
    Family {
        name,
        kind: "gauge",
        help,
        samples: samples.into_iter().collect(),
    }
}

fn summary<'a>(connections: &[&Connection], listeners: Option<usize>) -> Vec<Family<'a>> {
    let count = |condition: &dyn Fn(&Connection) -> bool| {
        let number = connections
            .iter()
            .filter(|connection| condition(connection))
            .count();
        [(Vec::new(), number as f64)]
    };
    let info = |field: fn(&mptcp_subflows::MptcpInfo) -> Option<u64>| {
        let known: Vec<_> = connections
            .iter()
            .filter_map(|c| field(c.info.as_ref()?))
            .collect();
        let sum = known.iter().sum::<u64>() as f64;
        (connections.is_empty() || !known.is_empty()).then_some((Vec::new(), sum))
    };
    let verdicts = Verdict::ALL.map(|verdict| {
        let paths = connections.iter().flat_map(|connection| &connection.paths);
        let number = paths
            .filter(|path| path.judgement.verdict == verdict)
            .count();
        (vec![("verdict", verdict.word().into())], number as f64)
    });
    vec![
        gauge(
            "mptcp_listeners",
            "Sockets that listen for MPTCP connections.",
            listeners.map(|number| (Vec::new(), number as f64)),
        ),
        gauge("mptcp_connections", "MPTCP connections.", count(&|_| true)),
        gauge(
            "mptcp_connections_fallback",
            "MPTCP connections that fell back to plain TCP.",
            count(&|connection| connection.fallback.is_some()),
        ),
        gauge(
            "mptcp_connections_impaired",
            "MPTCP connections of which a path does not work.",
            count(&|connection| connection.working() < connection.paths.len()),
        ),
        gauge(
            "mptcp_paths",
            "Paths of MPTCP connections, by verdict.",
            verdicts,
        ),
        gauge(
            "mptcp_connections_sent_bytes",
            "Bytes sent by the connections that are open now.",
            info(|info| info.bytes_sent()),
        ),
        gauge(
            "mptcp_connections_received_bytes",
            "Bytes received by the connections that are open now.",
            info(|info| info.bytes_received()),
        ),
        gauge(
            "mptcp_connections_retransmitted_bytes",
            "Bytes that the connections that are open now sent again on another path.",
            info(|info| info.bytes_retrans()),
        ),
    ]
}

fn paths<'a>(connections: &[&Connection]) -> Vec<Family<'a>> {
    let samples = |value: fn(&Path) -> Option<f64>| {
        let mut samples = Vec::new();
        for connection in connections {
            for path in &connection.paths {
                samples.extend(value(path).map(|value| (labels(connection, path), value)));
            }
        }
        samples
    };
    let counter = |name, help, value| Family {
        name,
        kind: "counter",
        help,
        samples: samples(value),
    };
    vec![
        gauge(
            "mptcp_path_up",
            "Whether the path works.",
            samples(|path| Some(f64::from(u8::from(path.judgement.verdict.works())))),
        ),
        gauge(
            "mptcp_path_rtt_seconds",
            "Smoothed round-trip time.",
            samples(|path| Some(path.subflow.tcp_info().rtt()?.as_secs_f64())),
        ),
        gauge(
            "mptcp_path_last_ack_seconds",
            "Time since an ACK was received last.",
            samples(|path| Some(path.subflow.tcp_info().last_ack_recv()?.as_secs_f64())),
        ),
        gauge(
            "mptcp_path_congestion_window_segments",
            "Congestion window.",
            samples(|path| path.subflow.tcp_info().snd_cwnd().map(f64::from)),
        ),
        counter(
            "mptcp_path_sent_bytes_total",
            "Bytes of data sent, resent ones included.",
            |path| {
                path.subflow
                    .tcp_info()
                    .bytes_sent()
                    .map(|bytes| bytes as f64)
            },
        ),
        counter(
            "mptcp_path_acked_bytes_total",
            "Bytes that the peer acknowledged.",
            |path| {
                path.subflow
                    .tcp_info()
                    .bytes_acked()
                    .map(|bytes| bytes as f64)
            },
        ),
        counter(
            "mptcp_path_received_bytes_total",
            "Bytes received in order.",
            |path| {
                path.subflow
                    .tcp_info()
                    .bytes_received()
                    .map(|bytes| bytes as f64)
            },
        ),
        counter(
            "mptcp_path_retransmitted_segments_total",
            "Segments sent again.",
            |path| path.subflow.tcp_info().total_retrans().map(f64::from),
        ),
    ]
}

/// What names a path: its addresses, and the socket's number where others could have the same.
fn labels<'a>(connection: &Connection, path: &Path) -> Labels<'a> {
    let token = connection
        .token()
        .map_or_else(String::new, |token| format!("{token:08x}"));
    vec![
        ("token", token),
        ("local", text::address(path.subflow.local())),
        ("remote", text::address(path.subflow.remote())),
        ("interface", path.interface.clone().unwrap_or_default()),
    ]
}
