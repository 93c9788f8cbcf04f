#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The tests of mptcp-subflows that boot no kernel: style, lints, tests, the oldest Rust, and what is published.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

manifest=$TOP/tools/net/mptcp-subflows/Cargo.toml

# oldest_rust OPTION...: what Debian 13's Rust or its clippy warns about is an error. cargo clippy would look for
# clippy-driver beside the dynamic linker, which starts these programs.
oldest_rust() {
	PATH=$debian13:$PATH RUSTFLAGS='-D warnings' RUSTC_WORKSPACE_WRAPPER=$debian13/clippy-driver \
		"$debian13/cargo" check --manifest-path "$manifest" --target-dir "$TOP/out/debian-13" --locked "$@"
}

publishable() {
	cargo publish --manifest-path "$manifest" --target-dir "$TOP/out/publish" --locked \
		--workspace --dry-run --allow-dirty
}

"$TESTBED/kernel/build.sh" config
mkdir -p "$results"
debian13=$("$TESTBED/crate/debian13.sh")
# For promtool: the rest is on this machine as well, and found there first.
export PATH+=:$debian13

say "testing mptcp-subflows"
cargo_tests crate "${crate[@]}"
[[ $("$debian13/rustc" --version) == 'rustc 1.85.'* ]] || die "Debian 13 has another Rust than mptcp-subflows was made for"
check "crate: library and program compile with Rust 1.85" oldest_rust --workspace --exclude testkit --all-features
check "crate: the library alone compiles with Rust 1.85" oldest_rust --package mptcp-subflows
check "crate: cargo publish --dry-run" publishable

report "$results/crate-check.tap"
count "$results"/{crate,crate-check}.tap
