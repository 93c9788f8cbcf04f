#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the programs of trials/, and prints the path of their folder. Its subfolder
# 32-bit/ has those that are also built as 32-bit programs.
# usage: build.sh [CARGO-OPTION]...
set -euo pipefail
. "${0%/*}/../lib.sh"

lock "$TOP/out/trials.lock"
folder=$TOP/out/trials/release
[[ -e $folder/32-bit ]] || say "building the programs of trials/ (once, two to six minutes)"
cargo_build trials "$TESTBED/trials" "$@"
# Debian has no 32-bit standard library of Rust, so it is built too, without
# backtraces, which are most of it.
export CARGO_PROFILE_RELEASE_PANIC=abort RUSTC_BOOTSTRAP=1
cargo_build trials "$TESTBED/trials" --target i686-unknown-linux-gnu --bin fuzz --bin stall --bin states \
	-Z build-std=std,panic_abort -Z build-std-features=
ln -sfn ../i686-unknown-linux-gnu/release "$folder/32-bit"
echo "$folder"
