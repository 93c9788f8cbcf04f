#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Downloads the base kernel's Debian package to the cache, and unpacks it.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/debs-lib.sh"

newest_deb() {
	find "$debs" -maxdepth 1 -name "${BASE_PACKAGE}_*.deb" | sort -V | tail -n 1
}

fetch_base() {
	local there
	need_space "$CACHE" 1
	say "downloading $BASE_PACKAGE from $BASE_SUITE (160 MB)"
	use_suite "$BASE_SUITE"
	there=$("${apt_cache[@]}" search --names-only '^linux-source-' | cut -d ' ' -f 1 | xargs)
	"${apt_cache[@]}" show "$BASE_PACKAGE" >/dev/null 2>&1 ||
		die "$BASE_SUITE has no $BASE_PACKAGE, only ${there:-other packages}:" \
			"use a kernel tree of your own as the base, with KERNEL=DIR"
	download "$debs" "$BASE_PACKAGE" ||
		die "$BASE_PACKAGE cannot be downloaded; run the same command again, or use KERNEL=DIR"
}

[[ ! $KERNEL ]] || exit 0

debs=$CACHE/debs
mkdir -p "$debs"
lock "$CACHE/fetch.lock"
deb=$(newest_deb)
if [[ ! $deb ]]; then
	fetch_base
	deb=$(newest_deb)
fi

stamp=$OUT/base.deb
[[ ! -f $stamp || $(<"$stamp") != "${deb##*/}" ]] || exit 0

say "unpacking ${deb##*/} (about half a minute)"
# Remove what was built from another release: make would keep it where it is newer than the new sources.
find "$OUT" -mindepth 1 -maxdepth 1 ! -name log ! -name '*lock' -exec rm -rf {} +
need_space "$OUT" 3
mkdir -p "$PRISTINE.part"
unpack() {
	dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$BASE_PACKAGE.tar.xz" |
		tar -xJ --strip-components=1 -C "$PRISTINE.part"
}
logged fetch "the unpacking of $deb (remove it to download it again)" unpack
mv "$PRISTINE.part" "$PRISTINE"
echo "${deb##*/}" >"$stamp"
