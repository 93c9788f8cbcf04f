#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the programs of trials/, and prints the path of their folder. Its subfolder
# 32-bit/ has those that are also built as 32-bit programs.
# usage: build.sh [CARGO-OPTION]...
set -euo pipefail
. "${0%/*}/../lib.sh"

lock "$TOP/out/trials.lock"
folder=$TOP/out/trials/release
[[ -d $folder ]] || say "building the programs of trials/ (once, one to six minutes)"
if [[ $ARCH == um ]]; then
	# User-mode Linux runs no 32-bit programs, and two of the others.
	cargo_build trials "$TESTBED/trials" --bin fuzz --bin states "$@"
else
	cargo_build trials "$TESTBED/trials" "$@"
	# Debian has no 32-bit standard library of Rust, so it is built too, without backtraces, which are most
	# of it. With a folder of its own: these variables would have cargo build the programs above again.
	CARGO_PROFILE_RELEASE_PANIC=abort RUSTC_BOOTSTRAP=1 cargo_build trials-32 "$TESTBED/trials" \
		--target i686-unknown-linux-gnu --bin bpf --bin fuzz --bin stall --bin states \
		-Z build-std=std,panic_abort -Z build-std-features=
	ln -sfn ../../trials-32/i686-unknown-linux-gnu/release "$folder/32-bit"
fi
echo "$folder"
