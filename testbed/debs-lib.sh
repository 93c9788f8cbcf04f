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
	# A machine without any package, for libraries.
	: >"$apt/status"
	nothing=(-o "Dir::State::status=$apt/status")
	[[ ! ${2:-} ]] || from_suite+=("${nothing[@]}" -o "APT::Architecture=$2" -o "APT::Architectures=$2")
	apt_cache=(apt-cache "${from_suite[@]}")
	logged fetch "apt-get update for $1${2:+, $2}" "${apt_get[@]}" "${from_suite[@]}" update
}

# libraries PACKAGE...: prints the libraries that they need on a machine without any package. Those for building
# programs, and for sanitizers, are left out.
libraries() {
	"${apt_get[@]}" "${from_suite[@]}" "${nothing[@]}" --simulate --no-install-recommends install "$@" |
		sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep '^lib\|^zlib' | grep -vxF "$(printf '%s\n' "$@")" | grep -v -e '-dev$' -e '^libpam' -e 'san[0-9]*$'
}

# download FOLDER PACKAGE...: apt-get verifies the checksum before it gives a file its name.
download() {
	rm -rf "$1/part" && mkdir -p "$1/part"
	(cd "$1/part" && "${apt_get[@]}" "${from_suite[@]}" download "${@:2}" >&2) || return 1
	mv "$1/part"/*.deb "$1"
}

# has ROOT PACKAGE...: whether the folder has these packages.
has() {
	[[ -f $1/packages && $(<"$1/packages") == "${*:2}" ]]
}

# unpack_with_libraries ROOT PACKAGE...: downloads them and their libraries, and unpacks them to ROOT.part.
unpack_with_libraries() {
	local root=$1 debs=$1.debs deb needed
	needed=$(libraries "${@:2}") || return 1
	mkdir -p "$debs"
	# shellcheck disable=SC2086
	download "$debs" "${@:2}" $needed || return 1
	rm -rf "$root.part"
	# As on this machine, everything is below /usr.
	mkdir -p "$root.part"/usr/{bin,lib,lib64,sbin}
	ln -s usr/{bin,lib,lib64,sbin} "$root.part"
	for deb in "$debs"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root.part" || return 1
	done
	rm -rf "$debs"
	echo "${*:2}" >"$root.part/packages"
}
