#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Downloads the base kernel's Debian package to the cache, and unpacks it.
set -euo pipefail
. "${0%/*}/../lib.sh"

newest_deb() {
	find "$debs" -maxdepth 1 -name "${BASE_PACKAGE}_*.deb" | sort -V | tail -n 1
}

# The Debian mirror that this machine uses.
mirror() {
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(LABEL) $(COMPONENT) $(REPO_URI)' |
		sed -n '/^Debian main /{s///p;q}'
}

# Downloads with a private list of sources, so that apt's own lists stay as they are.
download() {
	local apt=$CACHE/apt uri there
	uri=$(mirror)
	if [[ ! $uri && $(id -u) == 0 ]]; then
		logged update "apt-get update" "${apt_get[@]}" update
		uri=$(mirror)
	fi
	[[ $uri ]] || die "/etc/apt names no Debian mirror, or its lists were never downloaded; as root, run: apt-get update"
	need_space "$CACHE" 1
	mkdir -p "$apt"/{lists,cache}
	cat >"$apt/base.sources" <<-END
		Types: deb
		URIs: $uri
		Suites: $BASE_SUITE
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	END
	local opt=(-o "Dir::Etc::sourcelist=$apt/base.sources" -o Dir::Etc::sourceparts=-
		-o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=)
	say "downloading $BASE_PACKAGE from $BASE_SUITE (160 MB)"
	logged fetch "apt-get update for $BASE_SUITE" "${apt_get[@]}" "${opt[@]}" update
	there=$(apt-cache "${opt[@]}" search --names-only '^linux-source-' | cut -d ' ' -f 1 | xargs)
	apt-cache "${opt[@]}" show "$BASE_PACKAGE" >/dev/null 2>&1 ||
		die "$BASE_SUITE has no $BASE_PACKAGE, only ${there:-other packages}:" \
			"use a kernel tree of your own as the base, with KERNEL=DIR"
	# apt-get verifies the checksum before it gives the file its name.
	rm -rf "$debs/part" && mkdir -p "$debs/part"
	(cd "$debs/part" && "${apt_get[@]}" "${opt[@]}" download "$BASE_PACKAGE/$BASE_SUITE" >&2) ||
		die "$BASE_PACKAGE cannot be downloaded; run the same command again, or use KERNEL=DIR"
	mv "$debs/part"/*.deb "$debs"
}

[[ ! $KERNEL ]] || exit 0

debs=$CACHE/debs
mkdir -p "$debs"
lock "$CACHE/fetch.lock"
deb=$(newest_deb)
if [[ ! $deb ]]; then
	download
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
