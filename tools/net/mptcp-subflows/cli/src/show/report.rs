// SPDX-License-Identifier: GPL-2.0

//! A snapshot as text for people.

use mptcp_subflows::TcpState;
use mptcp_subflows::diag::Fallback;

use super::table::{Layout, Row, cut};
use crate::model::{Connection, Process, Snapshot};
use crate::stdout::Style;
use crate::text::{address, plural};

/// One line, or more, for each connection, and below it its paths. With no more than `height` lines, of
/// which the last one says what is left out.
pub fn report(snapshot: &Snapshot, style: Style, height: Option<usize>) -> String {
    let mut connections: Vec<_> = snapshot.connections.iter().collect();
    if height.is_some() {
        // What does not work must not be what is left out.
        connections.sort_by_key(|c| c.is_listening() || c.working() == c.paths.len());
    }
    let rates = connections
        .iter()
        .flat_map(|connection| &connection.paths)
        .any(|path| path.delta.is_some());
    let rows: Vec<Vec<Row>> = connections
        .iter()
        .map(|connection| rows(connection))
        .collect();
    let layout = Layout::fit(&rows.concat(), style, rates);

    let mut blocks = connections.iter().zip(&rows).map(|(connection, rows)| {
        let paths = rows.iter().flat_map(|row| layout.lines(*row));
        let lines = summary(connection, style).into_iter().chain(paths);
        (*connection, lines.collect::<Vec<_>>())
    });
    let mut lines = vec![layout.heading()];
    let Some(height) = height else {
        lines.extend(blocks.flat_map(|(_, block)| block));
        return lines.join("\n");
    };

    let mut left_out = Vec::new();
    for (connection, block) in blocks.by_ref() {
        let last = connections
            .last()
            .is_some_and(|last| std::ptr::eq(*last, connection));
        // All but the last one leave a line for what is left out.
        let room = height.saturating_sub(lines.len() + usize::from(!last));
        if left_out.is_empty() && block.len() <= room {
            lines.extend(block);
            continue;
        }
        if left_out.is_empty() && lines.len() == 1 {
            // The first one is shown as far as it goes.
            lines.extend(block.into_iter().take(height.saturating_sub(2)));
        }
        left_out.push(connection);
    }
    if !left_out.is_empty() {
        let paths = left_out
            .iter()
            .map(|connection| connection.paths.len())
            .sum();
        let line = format!(
            "{} no room for {} with {}: choose with --port, --addr, --state or --name",
            style.ellipsis(),
            plural(left_out.len(), "connection", "connections"),
            plural(paths, "path", "paths"),
        );
        lines.truncate(height.saturating_sub(1));
        lines.push(cut(&line, style));
    }
    lines.join("\n")
}

fn rows(connection: &Connection) -> Vec<Row<'_>> {
    let total = connection.rate();
    let row = |path| Row { path, total };
    connection.paths.iter().map(row).collect()
}

/// What there is to say about a connection as a whole, in as many lines as it takes.
fn summary(connection: &Connection, style: Style) -> Vec<String> {
    let local = address(connection.local);
    let ends = match connection.is_listening() {
        true => vec![local],
        false => vec![
            local,
            format!("{} {}", style.arrow(), address(connection.remote)),
        ],
    };
    let mut lines: Vec<String> = Vec::new();
    for (at, part) in ends.into_iter().chain(facts(connection)).enumerate() {
        let gap = if at == 1 && !connection.is_listening() {
            " "
        } else {
            "  "
        };
        match lines.last_mut() {
            Some(line) if fits(line, gap, &part, style) => *line += &format!("{gap}{part}"),
            Some(_) => lines.push(format!("    {part}")),
            None => lines.push(part),
        }
    }
    lines.iter().map(|line| cut(line, style)).collect()
}

fn fits(line: &str, gap: &str, part: &str, style: Style) -> bool {
    let len = line.chars().count() + gap.len() + part.chars().count();
    style.width.is_none_or(|most| len <= most)
}

/// The more important ones in front.
fn facts(connection: &Connection) -> Vec<String> {
    let mut facts = Vec::new();
    if connection.is_listening() {
        facts.push("listening".into());
        let waiting = connection.receive_queue.filter(|waiting| *waiting > 0);
        facts.extend(waiting.map(|waiting| format!("{waiting} to accept")));
    } else {
        let paths = plural(connection.paths.len(), "path works", "paths work");
        facts.push(format!("{} of {paths}", connection.working()));
        if connection.state != TcpState::Established {
            facts.push(connection.state.to_string());
        }
        facts.extend(connection.fallback.map(|why| why_text(why).into()));
    }
    match (connection.inode, &connection.processes[..]) {
        (0, _) => facts.push("no process".into()),
        (_, processes) => facts.extend(processes.iter().map(process)),
    }
    let token = connection.token();
    facts.extend(token.map(|token| format!("token {token:08x}")));
    facts
}

fn process(process: &Process) -> String {
    let fds: Vec<_> = process.fds.iter().map(i32::to_string).collect();
    format!("{}[{}] fd {}", process.command, process.pid, fds.join(","))
}

pub fn why_text(fallback: Fallback) -> &'static str {
    match fallback {
        Fallback::Handshake => "fell back to TCP: no MPTCP in the peer's SYN-ACK",
        Fallback::Later => "fell back to TCP: data came without MPTCP options",
        Fallback::NotRequested => "fell back to TCP: MPTCP was not requested",
        _ => "fell back to TCP",
    }
}

#[cfg(test)]
mod tests;
