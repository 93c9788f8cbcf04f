#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the programs of trials/, and says in which folder they are. In 32-bit/
# below it are those that also exist as 32-bit programs.
set -euo pipefail
. "${0%/*}/../lib.sh"

log=$LOGS/trials.log
folder=$TOP/out/trials
build() {
	cargo build --release --locked --manifest-path "$TESTBED/trials/Cargo.toml" --target-dir "$folder" "$@" \
		>"$log" 2>&1 || die "trials do not build: $(grep -m 1 '^error' "$log" || tail -n 1 "$log"); full log: $log"
}

[[ -e $folder/release/32-bit ]] || say "building the programs of trials/ (once, two to six minutes)"
build "$@"
# There is no package of a 32-bit standard library: it is built as well. What
# prints backtraces is left out, which is most of it.
export CARGO_PROFILE_RELEASE_PANIC=abort RUSTC_BOOTSTRAP=1
build --target i686-unknown-linux-gnu --bin fuzz --bin stall --bin states -Z build-std=std,panic_abort -Z build-std-features=
ln -sfn "../i686-unknown-linux-gnu/release" "$folder/release/32-bit"
echo "$folder/release"
