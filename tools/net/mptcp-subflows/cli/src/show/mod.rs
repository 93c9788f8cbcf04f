// SPDX-License-Identifier: GPL-2.0

//! Showing the connections: once, again and again, or what happens to them.

mod events;
pub mod json;
mod openmetrics;
mod report;
mod table;

use std::time::Duration;

use crate::Outcome;
use crate::args::{Place, Show};
use crate::look::{self, Look, Looker};
use crate::model::Snapshot;
use crate::stdout::{self, Screen, Style};

pub use table::paths;

pub fn run(args: &Show) -> anyhow::Result<Outcome> {
    let mut looker = Looker::new(&args.place, &args.filter)?;
    match args.events.or(args.watch) {
        None => once(args, &mut looker),
        Some(interval) => repeat(args, &mut looker, interval),
    }
}

fn once(args: &Show, looker: &mut Looker) -> anyhow::Result<Outcome> {
    let Look {
        mut snapshot,
        trouble,
    } = looker.look()?;
    snapshot.judge(None);
    let found = !snapshot.connections.is_empty();
    if args.openmetrics {
        stdout::print(&openmetrics::text(
            &snapshot,
            args.per_path,
            args.filter.listening(),
        ))?;
    } else if args.json {
        for connection in &snapshot.connections {
            stdout::print(&json::connection(&snapshot, connection).to_string())?;
        }
    } else if found {
        stdout::print(&report::report(&snapshot, Style::detect(), None))?;
    }
    match trouble {
        Some(trouble) => Err(trouble),
        None if found => Ok(Outcome::Found),
        None => Ok(Outcome::Nothing(nothing(&args.place))),
    }
}

/// Until the process that was asked for ends, or for ever.
fn repeat(args: &Show, looker: &mut Looker, interval: Duration) -> anyhow::Result<Outcome> {
    let mut screen = Screen::new(!args.json && args.events.is_none());
    let mut before: Option<Snapshot> = None;
    let mut found = false;
    loop {
        let looked = looker.look().and_then(|look| match look.trouble {
            Some(trouble) => Err(trouble),
            None => Ok(look.snapshot),
        });
        let mut snapshot = match looked {
            Ok(snapshot) => snapshot,
            // The process may end while it is looked at.
            Err(_) if before.is_some() && !look::wait(&args.place, Duration::ZERO)? => break,
            Err(error) => return Err(error),
        };
        snapshot.judge(before.as_ref());
        found |= !snapshot.connections.is_empty();

        if args.events.is_some() {
            for event in events::between(before.as_ref(), &snapshot) {
                stdout::print(&match args.json {
                    true => json::event(&snapshot, &event).to_string(),
                    false => event.line(&snapshot, Style::detect()),
                })?;
            }
        } else if args.json {
            for connection in &snapshot.connections {
                stdout::print(&json::connection(&snapshot, connection).to_string())?;
            }
        } else if snapshot.connections.is_empty() {
            screen.show(&nothing(&args.place))?;
        } else {
            screen.show(&report::report(&snapshot, Style::detect(), screen.height()))?;
        }
        before = Some(snapshot);

        if !look::wait(&args.place, interval)? {
            break;
        }
    }
    Ok(match found {
        true => Outcome::Found,
        false => Outcome::Nothing(nothing(&args.place)),
    })
}

fn nothing(place: &Place) -> String {
    let whose = match (place.pid, &place.name) {
        (Some(pid), _) => format!(" of process {pid}"),
        (None, Some(name)) => format!(" of a process {name}"),
        (None, None) => String::new(),
    };
    format!("no MPTCP connection{whose}")
}
