#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Puts programs of Debian 13 into the cache, and prints the path of their folder: the oldest Rust with which
# mptcp-subflows must build, its clippy, and promtool, whose package would start a service. Nothing is installed.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/debs-lib.sh"

root=$CACHE/debian-13
packages=(cargo rustc libstd-rust-dev rust-clippy promtool)
programs=(cargo rustc clippy-driver promtool)

lock "$root.lock"
if ! has "$root" "${packages[@]}"; then
	need_space "$CACHE" 1
	say "downloading Rust and promtool of Debian 13 (145 MB)"
	use_suite trixie
	# They need newer libraries than this machine has.
	logged debian-13 "the download of Rust of Debian 13" unpack_with_libraries "$root" "${packages[@]}"
	mkdir "$root.part/run"
	for program in "${programs[@]}"; do
		cat >"$root.part/run/$program" <<-END
			#!/bin/sh
			exec $root/usr/lib64/ld-linux-x86-64.so.2 --library-path $root/usr/lib/x86_64-linux-gnu $root/usr/bin/$program "\$@"
		END
		chmod +x "$root.part/run/$program"
	done
	rm -rf "$root"
	mv "$root.part" "$root"
fi
echo "$root/run"
