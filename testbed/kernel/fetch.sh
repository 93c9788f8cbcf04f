#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Downloads the base kernel's Debian package into the cache, and unpacks it.
set -euo pipefail
. "${0%/*}/../lib.sh"

newest_deb() {
	find "$debs" -maxdepth 1 -name "${BASE_PACKAGE}_*.deb" | sort -V | tail -n 1
}

# A private list of sources, on the mirror that the machine itself uses.
download() {
	local apt=$CACHE/apt uri
	mkdir -p "$apt"/{lists,cache}
	mirror() {
		# shellcheck disable=SC2016 # these are apt's
		apt-get indextargets --format '$(LABEL) $(COMPONENT) $(REPO_URI)' |
			sed -n '/^Debian main /{s///p;q}'
	}
	uri=$(mirror)
	[[ $uri || $(id -u) != 0 ]] || { apt-get update >"$log" 2>&1 && uri=$(mirror); }
	[[ $uri ]] || die "no Debian mirror with downloaded lists in /etc/apt: as root, say: apt-get update"
	cat >"$apt/base.sources" <<-END
		Types: deb
		URIs: $uri
		Suites: $BASE_SUITE
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	END
	local opt=(-o "Dir::Etc::sourcelist=$apt/base.sources" -o Dir::Etc::sourceparts=-
		-o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=)
	say "fetching $BASE_PACKAGE from $BASE_SUITE (160 MB)"
	apt-get "${opt[@]}" update >"$log" 2>&1 ||
		die "the lists of $BASE_SUITE cannot be fetched: $(grep -m 1 '^[EW]: ' "$log");" \
			"give a kernel tree of your own instead: KERNEL=DIR"
	local there
	there=$(apt-cache "${opt[@]}" search --names-only '^linux-source-' | cut -d ' ' -f 1 | xargs)
	apt-cache "${opt[@]}" show "$BASE_PACKAGE" >/dev/null 2>&1 ||
		die "looked for $BASE_PACKAGE in $BASE_SUITE, where there is: ${there:-no linux-source at all};" \
			"give a kernel tree of your own instead: KERNEL=DIR"
	# apt-get checks the hash before it gives the file its name.
	rm -rf "$debs/part" && mkdir -p "$debs/part"
	(cd "$debs/part" && apt-get "${opt[@]}" download "$BASE_PACKAGE/$BASE_SUITE" >&2) ||
		die "$BASE_PACKAGE cannot be downloaded; run the same command again, or use KERNEL=DIR"
	mv "$debs/part"/*.deb "$debs"
}

[[ ! $KERNEL ]] || exit 0

debs=$CACHE/debs
log=$LOGS/fetch.log
mkdir -p "$debs"
exec {lock}>"$CACHE/fetch.lock"
flock "$lock"
deb=$(newest_deb)
if [[ ! $deb ]]; then
	download
	deb=$(newest_deb)
fi

stamp=$OUT/base.deb
[[ ! -f $stamp || $(<"$stamp") != "${deb##*/}" ]] || exit 0

say "unpacking ${deb##*/} (about 25 s)"
need_space 5
# Files of another release may be older than what was built from the last one.
find "$OUT" -mindepth 1 -maxdepth 1 ! -name log ! -name lock -exec rm -rf {} +
mkdir -p "$PRISTINE.part"
{ dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$BASE_PACKAGE.tar.xz" |
	tar -xJ --strip-components=1 -C "$PRISTINE.part"; } >"$log" 2>&1 ||
	die "$deb cannot be unpacked: $(tail -n 1 "$log"); remove it and run the same command again"
mv "$PRISTINE.part" "$PRISTINE"
echo "${deb##*/}" >"$stamp"
