// SPDX-License-Identifier: GPL-2.0

//! What machines read.

use std::io::Write;
use std::process::{Command, Stdio};

use testkit::network::{self, NO_ENDPOINTS};
use testkit::wait_for;

use crate::list::{TWO_MORE, pair_with};
use crate::program::{PATH, complaint, found, parse, run};

pub fn errors() {
    for (arguments, kind) in [
        ("--pid 2147483647", "no_process"),
        ("--netns no-such-namespace", "not_found"),
        (
            &format!("--pid {} --fd 9999", std::process::id()),
            "no_descriptor",
        ),
    ] {
        let output = run(&format!("--json {arguments}"));
        let (status, text) = complaint(&output);
        assert_eq!(status, Some(2));
        let error = parse(std::str::from_utf8(&output.stdout).unwrap().trim_end());
        assert_eq!(error["kind"], kind, "{error}");
        assert!(text.contains(error["message"].as_str().unwrap()), "{text}");
    }
}

pub fn promtool() {
    network::alone(&TWO_MORE, || {
        let _pair = pair_with(3);
        let metrics = found("--openmetrics --per-path");
        assert!(
            metrics.contains("\nmptcp_paths{verdict=\"backup\"} 2\n"),
            "{metrics}"
        );
        assert_eq!(metrics.matches("\nmptcp_path_up{").count(), 6, "{metrics}");
        assert!(metrics.ends_with("\n# EOF\n"), "{metrics}");

        let mut check = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        check
            .stdin
            .take()
            .unwrap()
            .write_all(metrics.as_bytes())
            .unwrap();
        let output = check.wait_with_output().unwrap();
        // Nor does it have any advice.
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
    });
}

pub fn metrics_are_bounded() {
    network::alone(&TWO_MORE, || {
        let output = run("--openmetrics");
        let (status, text) = complaint(&output);
        assert_eq!(
            (status, text.as_str()),
            (Some(1), "mptcp-subflows: no MPTCP connection\n")
        );
        let nothing = String::from_utf8(output.stdout).unwrap();
        assert!(nothing.contains("\nmptcp_connections 0\n"), "{nothing}");
        let _pairs = [pair_with(3), pair_with(3)];
        let metrics = found("--openmetrics");
        assert!(metrics.contains("\nmptcp_connections 4\n"), "{metrics}");
        assert_eq!(metrics.lines().count(), nothing.lines().count());

        // Listeners are counted if they are asked for.
        assert!(!metrics.contains("mptcp_listeners"), "{metrics}");
        let all = found("--openmetrics --state all");
        assert!(all.contains("\nmptcp_listeners 2\n"), "{all}");
    });
}

/// The pipeline of the README replaces the file by a complete one, or leaves it alone.
pub fn textfile() {
    let folder =
        std::env::temp_dir().join(format!("mptcp-subflows-textfile-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("mptcp.prom");
    let collect = |arguments: &str| {
        let file = file.display();
        let line = format!(
            "{PATH} --openmetrics {arguments} >{file}.new; test $? -lt 2 && mv {file}.new {file}"
        );
        let status = Command::new("sh")
            .args(["-c", &line])
            .stderr(Stdio::null())
            .status();
        (
            status.unwrap().code(),
            std::fs::read_to_string(folder.join("mptcp.prom")).unwrap_or_default(),
        )
    };
    network::alone(&NO_ENDPOINTS, || {
        let pair = pair_with(1);
        let (status, some) = collect("");
        assert_eq!(status, Some(0));
        assert!(some.contains("\nmptcp_connections 2\n"), "{some}");

        let (status, same) = collect("--pid 2147483647");
        assert_eq!((status, same), (Some(1), some));

        drop(pair);
        let none = wait_for("the end", || {
            let (status, text) = collect("");
            assert_eq!(status, Some(0));
            text.contains("\nmptcp_connections 0\n").then_some(text)
        });
        assert!(none.ends_with("\n# EOF\n"), "{none}");
    });
    std::fs::remove_dir_all(folder).unwrap();
}

pub fn generated() {
    let folder = std::env::temp_dir().join(format!("mptcp-subflows-{}", std::process::id()));
    assert!(
        run(&format!("generate {}", folder.display()))
            .status
            .success()
    );
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(read("mptcp-subflows.1").contains("\\-\\-per\\-path"));
    assert!(read("mptcp-subflows-send.1").contains("expect\\-subflows"));
    for completion in [
        "mptcp-subflows.bash",
        "_mptcp-subflows",
        "mptcp-subflows.fish",
    ] {
        assert!(read(completion).contains("expect-subflows"), "{completion}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
