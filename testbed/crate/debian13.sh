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

lock "$CACHE/debian-13.lock"
if [[ ! -f $root/packages || $(<"$root/packages") != "${packages[*]}" ]]; then
	need_space "$CACHE" 1
	say "downloading Rust and promtool of Debian 13 (145 MB)"
	use_suite trixie
	# They need newer libraries than this machine has.
	needed=$(needed "${packages[@]}")
	mapfile -t libraries < <(grep '^lib\|^zlib' <<<"$needed" | grep -v -e '-dev$' -e '^libpam' -e 'san[0-9]*$')
	debs=$CACHE/debs/debian-13
	mkdir -p "$debs"
	download "$debs" "${packages[@]}" "${libraries[@]}" || die "Rust of Debian 13 cannot be downloaded; give the same command again"
	rm -rf "$root.part"
	mkdir -p "$root.part/run"
	for deb in "$debs"/*.deb; do
		dpkg-deb --extract "$deb" "$root.part"
	done
	for program in "${programs[@]}"; do
		cat >"$root.part/run/$program" <<-END
			#!/bin/sh
			exec $root/usr/lib64/ld-linux-x86-64.so.2 --library-path $root/usr/lib/x86_64-linux-gnu $root/usr/bin/$program "\$@"
		END
		chmod +x "$root.part/run/$program"
	done
	echo "${packages[*]}" >"$root.part/packages"
	rm -rf "$debs" "$root"
	mv "$root.part" "$root"
fi
echo "$root/run"
