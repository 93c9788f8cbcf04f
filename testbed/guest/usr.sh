#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Puts bash, busybox and iproute2 for ARCH into the cache, and prints the path of their folder, which a guest
# of that architecture mounts over this machine's /usr. Nothing is installed.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/debs-lib.sh"

packages=(bash busybox-static iproute2)
root=$CACHE/debian-12-$CROSS_DEBIAN

lock "$root.lock"
if ! has "$root" "${packages[@]}"; then
	need_space "$CACHE" 1
	say "downloading a shell for $ARCH (12 MB)"
	use_suite bookworm "$CROSS_DEBIAN"
	logged "unpack-$ARCH" "the download of packages for $CROSS_DEBIAN" unpack_with_libraries "$root" "${packages[@]}"
	rm -rf "$root"
	mv "$root.part" "$root"
fi
echo "$root/usr"
