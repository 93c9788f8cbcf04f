// SPDX-License-Identifier: GPL-2.0

//! One object per line, as `schema/output.schema.json` describes them.

use std::net::SocketAddr;
use std::time::SystemTime;

use humantime::format_rfc3339_millis;
use mptcp_subflows::diag::Fallback;
use serde_json::{Map, Value, json};

use super::events::Event;
use crate::error;
use crate::model::{Connection, Path, Process, Snapshot};
use crate::traffic::send::Progress;

pub fn connection(snapshot: &Snapshot, connection: &Connection) -> Value {
    let total = connection.rate();
    let paths = connection.paths.iter();
    let mut object = head("connection", snapshot.time);
    merge(&mut object, identity(connection));
    merge(
        &mut object,
        json!({
            "state": connection.state.to_string(),
            "uid": connection.uid,
            "inode": connection.inode,
            "working_paths": connection.working(),
            "fallback": connection.fallback.map(why),
            "mptcp_info": connection.info.map(|info| fields(info.fields())),
            "paths": paths.map(|path| self::path(path, total)).collect::<Value>(),
        }),
    );
    object
}

pub fn event(snapshot: &Snapshot, event: &Event) -> Value {
    let mut object = head("event", snapshot.time);
    merge(&mut object, identity(event.connection));
    merge(
        &mut object,
        json!({
            "event": event.kind.word(),
            "reason": event.reason,
            "path": event.path.as_ref().map(|path| json!({
                "local": address(path.local()),
                "remote": address(path.remote()),
            })),
        }),
    );
    object
}

pub fn progress(progress: &Progress) -> Value {
    let total = progress.paths.iter().filter_map(Path::rate).sum();
    let paths = progress.paths.iter();
    let mut object = head("progress", SystemTime::now());
    merge(
        &mut object,
        json!({
            "elapsed_ms": progress.elapsed.as_millis() as u64,
            "sent": progress.sent,
            "read": progress.read,
            "final": progress.over,
            "paths": paths.map(|path| self::path(path, total)).collect::<Value>(),
        }),
    );
    object
}

pub fn error(error: &anyhow::Error) -> Value {
    let mut object = head("error", SystemTime::now());
    merge(
        &mut object,
        json!({"kind": error::kind(error), "message": format!("{error:#}")}),
    );
    object
}

fn head(kind: &str, time: SystemTime) -> Value {
    json!({"type": kind, "time": format_rfc3339_millis(time).to_string()})
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

/// What tells one connection from another.
fn identity(connection: &Connection) -> Value {
    json!({
        "token": connection.token(),
        "cookie": connection.cookie,
        "local": address(connection.local),
        "remote": address(connection.remote),
        "processes": connection.processes.iter().map(process).collect::<Value>(),
    })
}

fn process(process: &Process) -> Value {
    json!({"pid": process.pid, "command": process.command, "fds": process.fds})
}

/// v4-mapped addresses as IPv4.
fn address(address: SocketAddr) -> Value {
    json!({"address": address.ip().to_canonical().to_string(), "port": address.port()})
}

/// What the kernel does not report is null.
fn path(path: &Path, total: f64) -> Value {
    let subflow = &path.subflow;
    let details = subflow.details();
    let flags = details.and_then(|details| details.flags());
    json!({
        "id": subflow.id(),
        "cookie": details.map(|details| details.cookie()),
        "local": address(subflow.local()),
        "remote": address(subflow.remote()),
        "local_id": details.and_then(|details| details.local_id()),
        "remote_id": details.and_then(|details| details.remote_id()),
        "join": flags.map(|flags| flags.is_join()),
        "backup": flags.map(|flags| flags.backup_local() || flags.backup_remote()),
        "state": subflow.tcp_info().state().map(|state| state.to_string()),
        "interface": path.interface,
        "verdict": path.judgement.verdict.word(),
        "reason": path.judgement.reason,
        "rates": path.delta.map(|delta| json!({
            "sending": delta.acked_rate(),
            "receiving": delta.received_rate(),
            "share": path.share(total),
        })),
        "tcp_info": fields(subflow.tcp_info().fields()),
    })
}

fn fields(fields: impl Iterator<Item = (&'static str, Option<u64>)>) -> Value {
    let fields = fields.map(|(name, value)| (name.into(), value.into()));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// A word that stays the same.
fn why(fallback: Fallback) -> &'static str {
    match fallback {
        Fallback::Handshake => "handshake",
        Fallback::Later => "later",
        Fallback::NotRequested => "not_requested",
        _ => "unknown",
    }
}
