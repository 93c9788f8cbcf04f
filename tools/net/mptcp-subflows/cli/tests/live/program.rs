// SPDX-License-Identifier: GPL-2.0

//! Running the program, and reading what it prints.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use jsonschema::Validator;
use serde_json::Value;
use testkit::PATIENCE;

pub const PATH: &str = env!("CARGO_BIN_EXE_mptcp-subflows");

/// The program in a locale and at a width that do not depend on who runs the tests.
pub fn program(arguments: &str) -> Command {
    wrapped("", arguments)
}

/// The program, started by another one that takes a command line.
pub fn wrapped(wrapper: &str, arguments: &str) -> Command {
    let mut words = wrapper
        .split_whitespace()
        .chain([PATH])
        .chain(arguments.split_whitespace());
    let mut command = Command::new(words.next().unwrap());
    command
        .args(words)
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8")
        .env_remove("COLUMNS");
    command
}

/// The program on a terminal of this size, as `stty` takes it.
pub fn on_terminal(size: &str, arguments: &str) -> Command {
    let line = format!("stty {size}; exec {PATH} {arguments}");
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--flush", "--command", &line, "/dev/null"])
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .env_remove("COLUMNS");
    command
}

pub fn run(arguments: &str) -> Output {
    program(arguments).output().unwrap()
}

/// What it prints when it finds something.
pub fn found(arguments: &str) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments}: {output:?}");
    assert!(output.stderr.is_empty(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Exit status and the one line on stderr.
pub fn complaint(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    (output.status.code(), text)
}

/// A line of JSON that is as the schema wants it.
pub fn parse(line: &str) -> Value {
    static SCHEMA: OnceLock<Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let schema = include_str!("../../schema/output.schema.json");
        jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
    });
    let value = serde_json::from_str(line).unwrap();
    if let Err(error) = schema.validate(&value) {
        panic!("{error} at {}: {line}", error.instance_path());
    }
    value
}

pub fn parse_all(text: &str) -> Vec<Value> {
    text.lines().map(parse).collect()
}

/// `address:port` of an object with both.
pub fn address(value: &Value) -> String {
    format!("{}:{}", value["address"].as_str().unwrap(), value["port"])
}

/// Local and remote address of a connection or path.
pub fn ends(value: &Value) -> (String, String) {
    (address(&value["local"]), address(&value["remote"]))
}

/// A program that prints lines until it is killed, which happens when this is dropped.
pub struct Running {
    pub child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        // It ends with the program, or when nobody wants the lines any more.
        thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            lines.map(|line| sender.send(line)).find(Result::is_err)
        });
        Self { child, lines }
    }

    /// The next line that `pick` makes something of.
    pub fn find<T>(&mut self, mut pick: impl FnMut(String) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).expect("another line in time");
            if let Some(found) = pick(line) {
                return found;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A `serve` that accepts connections; killed when dropped.
pub struct Server {
    pub child: Child,
    pub address: String,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(arguments: &str) -> Self {
        Self::spawn(&mut program(&format!("serve {arguments}")))
    }

    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .expect(&line)
            .into();
        Self {
            child,
            address,
            stdout,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status and the rest of its output, when it has ended by itself.
    pub fn end(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
