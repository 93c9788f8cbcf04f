#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the programs of trials/, and prints the path of their folder. Its subfolder 32-bit/ has those that
# are also built as 32-bit programs. For another architecture, the folder has the programs that compare
# results on this machine, and the subfolder ARCH/ those for the guest.
# usage: build.sh [CARGO-OPTION]...
set -euo pipefail
. "${0%/*}/../lib.sh"

lock "$TOP/out/trials.lock"
folder=$TOP/out/trials/release
[[ -d $folder ]] || say "building the programs of trials/ (once, one to six minutes)"

# build_other SUBFOLDER TARGET [CARGO-OPTION]...: builds programs for a target of which Debian has no standard
# library of Rust, so that it is built too, without backtraces, which are most of it. With a folder of its own:
# these variables would have cargo build the other programs again.
build_other() {
	CARGO_PROFILE_RELEASE_PANIC=abort RUSTC_BOOTSTRAP=1 cargo_build "trials-$1" "$TESTBED/trials" --target "$2" "${@:3}" \
		-Z build-std=std,panic_abort -Z build-std-features=
	ln -sfn "../../trials-$1/$2/release" "$folder/$1"
}

case $ARCH in
x86_64)
	cargo_build trials "$TESTBED/trials" "$@"
	build_other 32-bit i686-unknown-linux-gnu --bin bpf --bin fuzz --bin stall --bin states
	;;
um)
	# User-mode Linux runs no 32-bit programs, and two of the others.
	cargo_build trials "$TESTBED/trials" --bin fuzz --bin states "$@"
	;;
*)
	cargo_build trials "$TESTBED/trials" --bin fuzz --bin faults "$@"
	build_other "$ARCH" "$CROSS_RUST" --bin fuzz --bin faults --bin states \
		--config "target.$CROSS_RUST.linker='clang'" \
		--config "target.$CROSS_RUST.rustflags=['-Clink-arg=--target=$CROSS', '-Clink-arg=-fuse-ld=lld']"
	# For a 32-bit architecture, these are the 32-bit programs.
	[[ $CROSS_BITS == 64 ]] || ln -sfn . "$folder/$ARCH/32-bit"
	;;
esac
echo "$folder"
