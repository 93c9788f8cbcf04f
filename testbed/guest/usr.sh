#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Puts bash, busybox and iproute2 for ARCH into the cache, and prints the path of their folder, which a guest
# of that architecture mounts over this machine's /usr. Nothing is installed.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/debs-lib.sh"

packages=(bash busybox-static iproute2)
root=$CACHE/debian-12-$CROSS_DEBIAN
debs=$CACHE/debs/debian-12-$CROSS_DEBIAN

unpack() {
	local deb
	rm -rf "$root.part"
	# As on this machine, everything is below /usr.
	mkdir -p "$root.part"/usr/{bin,lib,sbin}
	ln -s usr/{bin,lib,sbin} "$root.part"
	for deb in "$debs"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root.part" || return 1
	done
}

lock "$root.lock"
if [[ ! -f $root/packages || $(<"$root/packages") != "${packages[*]}" ]]; then
	need_space "$CACHE" 1
	say "downloading a shell for $ARCH (12 MB)"
	use_suite bookworm "$CROSS_DEBIAN"
	needed=$(needed "${packages[@]}")
	mapfile -t libraries < <(grep '^lib\|^zlib' <<<"$needed")
	mkdir -p "$debs"
	logged "download-$ARCH" "the download of packages for $CROSS_DEBIAN" download "$debs" "${packages[@]}" "${libraries[@]}"
	logged "unpack-$ARCH" "the unpacking of packages for $CROSS_DEBIAN" unpack
	echo "${packages[*]}" >"$root.part/packages"
	rm -rf "$debs" "$root"
	mv "$root.part" "$root"
fi
echo "$root/usr"
