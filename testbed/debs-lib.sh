# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by scripts that take files from Debian packages which are not installed.
set -euo pipefail

# The Debian mirror that this machine uses.
mirror() {
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(LABEL) $(COMPONENT) $(REPO_URI)' |
		sed -n '/^Debian main /{s///p;q}'
}

# use_suite SUITE [ARCHITECTURE]: from now on, download and "${apt_cache[@]}" know this suite of Debian and no
# other. They have a private list of sources, so that apt's own stay as they are.
use_suite() {
	local apt=$CACHE/apt/$1${2:+-$2} uri
	uri=$(mirror)
	if [[ ! $uri && $(id -u) == 0 ]]; then
		logged update "apt-get update" "${apt_get[@]}" update
		uri=$(mirror)
	fi
	[[ $uri ]] || die "/etc/apt names no Debian mirror, or its lists were never downloaded; as root, run: apt-get update"
	mkdir -p "$apt"/{lists,cache}
	cat >"$apt/debian.sources" <<-END
		Types: deb
		URIs: $uri
		Suites: $1
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	END
	from_suite=(-o "Dir::Etc::sourcelist=$apt/debian.sources" -o Dir::Etc::sourceparts=-
		-o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=)
	# A machine without any package, for needed.
	: >"$apt/status"
	nothing=(-o "Dir::State::status=$apt/status")
	[[ ! ${2:-} ]] || from_suite+=("${nothing[@]}" -o "APT::Architecture=$2" -o "APT::Architectures=$2")
	apt_cache=(apt-cache "${from_suite[@]}")
	logged fetch "apt-get update for $1${2:+, $2}" "${apt_get[@]}" "${from_suite[@]}" update
}

# needed PACKAGE...: prints them, and all that they need on a machine without any package.
needed() {
	"${apt_get[@]}" "${from_suite[@]}" "${nothing[@]}" --simulate --no-install-recommends install "$@" |
		sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

# download FOLDER PACKAGE...: apt-get verifies the checksum before it gives a file its name.
download() {
	rm -rf "$1/part" && mkdir -p "$1/part"
	(cd "$1/part" && "${apt_get[@]}" "${from_suite[@]}" download "${@:2}" >&2) || return 1
	mv "$1/part"/*.deb "$1"
}
