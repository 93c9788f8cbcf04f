#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# On this machine or in a guest: runs test programs that are written in Rust, and prints KTAP.
# usage: rust-tests.sh PROGRAM...
set -euo pipefail

run() {
	local program bad=0
	for program; do
		# Rust's own harness prints JSON for the nightly compiler only, or with this variable.
		RUSTC_BOOTSTRAP=1 timeout --foreground -k 5 900 "$program" -Z unstable-options --format json ||
			{ bad=1; echo "$program: failed, or did not end within 15 minutes" >&2; }
	done
	return $bad
}

# A test that needs what is not here has that in parentheses behind its name.
# shellcheck disable=SC2016 # these are jq's
ktap='[inputs | fromjson? | select(.type == "test" and (.event | IN("ok", "failed", "ignored")))]
	| "KTAP version 1", "1..\(length)", (to_entries[] | "\(.key + 1)" as $number | .value
		| (.stdout // empty | rtrimstr("\n") | split("\n")[] | "# " + .),
		if .event == "ignored" then
			(.name | capture("^(?<name>.*?)( \\((?<reason>.*)\\))?$")) as {$name, $reason}
			| "ok \($number) \($name) # SKIP \($reason // "")"
		else
			(if .event == "failed" then "not " else "" end) + "ok \($number) \(.name)"
		end)'
run "$@" | jq -rRn "$ktap"
