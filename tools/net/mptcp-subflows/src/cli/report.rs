// SPDX-License-Identifier: GPL-2.0

//! Subflows as a table for people and as JSON for programs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use comfy_table::{CellAlignment, ColumnConstraint, LineStyle, Table, TableStyle, Width};
use mptcp_subflows::{Subflow, Subflows};
use serde_json::{Value, json};

/// Headings, and the width that keeps a column from jumping when its values change.
const COLUMNS: [(&str, u16); 9] = [
    ("id", 2),
    ("local → remote", 0),
    ("state", 11),
    ("RTT ± var", 15),
    ("cwnd", 4),
    ("acked", 7),
    ("received", 8),
    ("retrans", 7),
    ("delivery rate", 13),
];
const ID: usize = 0;
const ADDRESSES: usize = 1;
const STATE: usize = 2;
const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// One row per subflow. The addresses go below each other where `columns` are too few otherwise.
pub fn table(subflows: &Subflows, columns: u16) -> String {
    let rows: Vec<_> = subflows.iter().map(row).collect();
    let ids = subflows.iter().any(|subflow| subflow.id().is_some());
    let wide = render(&rows, ids, " ");
    if wide
        .lines()
        .all(|line| line.chars().count() <= columns.into())
    {
        return wide;
    }
    render(&rows, ids, "\n")
}

/// The table, with `between` between the addresses, and ids if the kernel gives any.
fn render(rows: &[[String; 9]], ids: bool, between: &str) -> String {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(RULE))
        .set_header(COLUMNS.map(|(heading, _)| heading));
    for row in rows {
        let mut row = row.clone();
        row[ADDRESSES] = row[ADDRESSES].replacen(' ', between, 1);
        table.add_row(row);
    }
    for (column, (index, (_, width))) in table.column_iter_mut().zip(COLUMNS.iter().enumerate()) {
        column.set_padding((0, 1)).set_constraint(match index {
            ID if !ids => ColumnConstraint::Hidden,
            _ => ColumnConstraint::LowerBoundary(Width::Fixed(width + 1)),
        });
        if !matches!(index, ADDRESSES | STATE) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// The addresses of one subflow, in text.
pub fn pair(subflow: &Subflow) -> String {
    let canonical =
        |addr: SocketAddr| SocketAddr::new(IpAddr::to_canonical(&addr.ip()), addr.port());
    let (local, remote) = (canonical(subflow.local()), canonical(subflow.remote()));
    format!("{local} → {remote}")
}

fn row(subflow: &Subflow) -> [String; 9] {
    let tcp = subflow.tcp_info();
    // What was not measured is no more known than what the kernel lacks.
    let rtt = tcp.rtt().filter(|rtt| !rtt.is_zero());
    let rate = tcp.delivery_rate().filter(|rate| *rate > 0);
    [
        or_dash(subflow.id()),
        pair(subflow),
        or_dash(tcp.state()),
        or_dash(rtt.zip(tcp.rttvar()).map(|(rtt, var)| round_trip(rtt, var))),
        or_dash(tcp.snd_cwnd()),
        or_dash(tcp.bytes_acked().map(bytes)),
        or_dash(tcp.bytes_received().map(bytes)),
        or_dash(tcp.total_retrans()),
        or_dash(rate.map(|rate| scaled(rate as f64 * 8.0, "bit/s"))),
    ]
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}

fn round_trip(rtt: Duration, var: Duration) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (rtt, var) = (ms(rtt), ms(var));
    let digits = if rtt < 10.0 { 2 } else { 1 };
    format!("{rtt:.digits$} ± {var:.digits$} ms")
}

/// An amount of data, in decimal units.
pub fn bytes(count: u64) -> String {
    scaled(count as f64, "B")
}

/// Three digits and a decimal prefix.
fn scaled(mut value: f64, unit: &str) -> String {
    if value < 1000.0 {
        return format!("{value} {unit}");
    }
    let mut prefix = "";
    for next in ["k", "M", "G", "T"] {
        // What would be rounded up to four digits takes the next prefix.
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        prefix = next;
    }
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {prefix}{unit}")
}

/// Every field of every subflow; what the kernel lacks is null.
pub fn json(subflows: &Subflows) -> Value {
    let subflow = |subflow: &Subflow| {
        let tcp = subflow.tcp_info();
        let fields: serde_json::Map<_, _> = tcp
            .fields()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        json!({
            "id": subflow.id(),
            "local": subflow.local().to_string(),
            "remote": subflow.remote().to_string(),
            "state": tcp.state().map(|state| state.to_string()),
            "tcp_info": fields,
        })
    };
    subflows.iter().map(subflow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_prefix() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_996, "10.0 kB"),
            (99_960, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (12_345_678, "12.3 MB"),
            (7_000_000_000_000, "7.00 TB"),
            (7_000_000_000_000_000, "7000 TB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(scaled(94_300_000.0, "bit/s"), "94.3 Mbit/s");
    }

    #[test]
    fn a_table_fits_its_columns() {
        let mut cells = ["x"; 9].map(String::from);
        cells[ID] = "17".into();
        cells[ADDRESSES] = "192.0.2.100:40000 → 192.0.2.200:50000".into();
        let width = |ids, between| {
            let text = render(&[cells.clone()], ids, between);
            assert_eq!(text.contains("id") && text.contains("17"), ids, "{text}");
            text.lines().map(|line| line.chars().count()).max()
        };
        assert_eq!(width(true, " "), Some(121));
        assert_eq!(width(true, "\n"), Some(103));
        assert_eq!(width(false, " "), Some(117));
        assert_eq!(width(false, "\n"), Some(99));

        let narrow = render(&[cells], true, "\n");
        assert!(narrow.contains("→ 192.0.2.200:50000"));
    }

    #[test]
    fn round_trip_times_are_milliseconds() {
        let micros = Duration::from_micros;
        assert_eq!(round_trip(micros(40), micros(7)), "0.04 ± 0.01 ms");
        assert_eq!(round_trip(micros(25_340), micros(1_260)), "25.3 ± 1.3 ms");
    }
}
