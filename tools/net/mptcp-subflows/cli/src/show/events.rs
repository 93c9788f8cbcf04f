// SPDX-License-Identifier: GPL-2.0

//! What happened between two looks.

use std::collections::BTreeMap;

use humantime::format_rfc3339_millis;
use mptcp_subflows::Subflow;

use super::report::why_text;
use crate::model::{Connection, Key, Path, Snapshot};
use crate::stdout::Style;
use crate::text;
use crate::verdict::Verdict;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was there when the watch began.
    Present,
    New,
    Closed,
    FellBack,
    PathNew,
    PathClosed,
    /// No more ACK comes.
    PathDown,
    PathUp,
}

impl Kind {
    /// A word that stays the same, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::New => "new",
            Self::Closed => "closed",
            Self::FellBack => "fell_back",
            Self::PathNew => "path_new",
            Self::PathClosed => "path_closed",
            Self::PathDown => "path_down",
            Self::PathUp => "path_up",
        }
    }
}

#[derive(Debug)]
pub struct Event<'a> {
    pub kind: Kind,
    pub connection: &'a Connection,
    pub path: Option<&'a Subflow>,
    pub reason: Option<String>,
}

impl Event<'_> {
    pub fn line(&self, snapshot: &Snapshot, style: Style) -> String {
        let time = format_rfc3339_millis(snapshot.time);
        let arrow = style.arrow();
        let (local, remote) = match self.path {
            Some(path) => (path.local(), path.remote()),
            None => (self.connection.local, self.connection.remote),
        };
        let (local, remote) = (text::address(local), text::address(remote));
        let mut line = format!("{time} {:<11} {local} {arrow} {remote}", self.kind.word());
        if let Some(token) = self.connection.token() {
            line += &format!("  token {token:08x}");
        }
        if let Some(process) = self.connection.processes.first() {
            line += &format!("  {}[{}]", process.command, process.pid);
        }
        if let Some(reason) = &self.reason {
            line += &format!("  {reason}");
        }
        line
    }
}

/// All that happened, in the order of the connections. Everything is present at first.
pub fn between<'a>(before: Option<&'a Snapshot>, after: &'a Snapshot) -> Vec<Event<'a>> {
    let connections = |snapshot: &'a Snapshot| -> BTreeMap<_, &Connection> {
        snapshot.connections.iter().map(|c| (c.key(), c)).collect()
    };
    let then = before.map(connections).unwrap_or_default();
    let now = connections(after);
    let mut events = Vec::new();

    for (key, connection) in &then {
        if !now.contains_key(key) {
            events.push(connection_event(Kind::Closed, connection));
        }
    }
    for connection in &after.connections {
        let earlier = then.get(&connection.key()).copied();
        if earlier.is_none() {
            let kind = if before.is_none() {
                Kind::Present
            } else {
                Kind::New
            };
            events.push(connection_event(kind, connection));
        }
        let fell_back = earlier.is_none_or(|earlier| earlier.fallback.is_none());
        if let Some(why) = connection.fallback.filter(|_| fell_back) {
            events.push(Event {
                reason: Some(why_text(why).into()),
                ..connection_event(Kind::FellBack, connection)
            });
        }
        path_events(earlier, connection, &mut events);
    }
    events
}

fn connection_event(kind: Kind, connection: &Connection) -> Event<'_> {
    Event {
        kind,
        connection,
        path: None,
        reason: None,
    }
}

fn path_events<'a>(
    earlier: Option<&'a Connection>,
    connection: &'a Connection,
    events: &mut Vec<Event<'a>>,
) {
    let paths = |connection: &'a Connection| -> BTreeMap<Key, &Path> {
        connection
            .paths
            .iter()
            .map(|path| (connection.path_key(path), path))
            .collect()
    };
    let then = earlier.map(paths).unwrap_or_default();
    let now = paths(connection);
    let mut add = |kind, path: &'a Path, reason| {
        events.push(Event {
            kind,
            connection,
            path: Some(&path.subflow),
            reason,
        });
    };
    for (key, path) in &then {
        if !now.contains_key(key) {
            add(Kind::PathClosed, path, None);
        }
    }
    for (key, path) in now {
        let is_down = path.judgement.verdict == Verdict::NoAck;
        let was_down = match then.get(&key) {
            Some(earlier) => earlier.judgement.verdict == Verdict::NoAck,
            None => {
                // Those of a new connection come with it.
                if earlier.is_some() {
                    add(Kind::PathNew, path, None);
                }
                false
            }
        };
        match (was_down, is_down) {
            (false, true) => add(Kind::PathDown, path, Some(path.judgement.text())),
            (true, false) => add(Kind::PathUp, path, None),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
