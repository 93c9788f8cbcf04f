#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds a Debian package and a static program of mptcp-subflows, tests both, and prints their paths.
set -euo pipefail
. "${0%/*}/../lib.sh"

# runs_static FILE: the program needs no library, lists connections, and survives an error whose backtrace is wanted.
runs_static() {
	local headers status
	headers=$(readelf --program-headers --dynamic "$1") || return 1
	! grep 'INTERP\|NEEDED' <<<"$headers" || return 1
	"$1" --state all && status=0 || status=$?
	((status < 2)) || return 1
	RUST_BACKTRACE=1 "$1" --pid 2147483647 && status=0 || status=$?
	((status == 2))
}

# installs FILE: installs and removes the package in an overlay of this machine, on which nothing changes. Without
# triggers, of which man-db's takes minutes.
installs() {
	local isolated=(unshare --mount)
	[[ $(id -u) == 0 ]] || isolated+=(--map-root-user)
	# shellcheck disable=SC2016
	"${isolated[@]}" bash -euxc '
		mount -t tmpfs none "$1"
		mkdir "$1"/{upper,work,root}
		mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" none "$1/root"
		mount --bind /dev "$1/root/dev"
		cp "$2" "$1/root/tmp/package.deb"
		chroot "$1/root" dpkg --no-triggers --install /tmp/package.deb
		chroot "$1/root" mptcp-subflows --version
		chroot "$1/root" bash -euc ". /usr/share/bash-completion/completions/mptcp-subflows; complete -p mptcp-subflows"
		chroot "$1/root" dpkg --no-triggers --purge mptcp-subflows
		cd "$1/upper"
		! find usr etc -type f -path "*mptcp*" | grep .' bash "$work" "$1"
}

"$TESTBED/kernel/install.sh"
cargo_deb=$CACHE/cargo-deb-3.8.0
lock "$CACHE/tools.lock"
if [[ ! -x $cargo_deb/bin/cargo-deb ]]; then
	say "building cargo-deb ${cargo_deb##*-} (once, about two minutes)"
	cargo_install "$cargo_deb" cargo-deb
fi
unlock

lock "$TOP/out/crate.lock"
say "building the packages of mptcp-subflows (about two minutes)"
PATH=$cargo_deb/bin:$PATH
logged packages "the build of the packages" "$TOP/tools/net/mptcp-subflows/packaging/build.sh" "$TOP/out/crate"
mapfile -t files < <(tail -n 2 "$LOGS/packages.log")

logged static "the test of the static program" runs_static "${files[1]}"
work=$(mktemp -d)
trap 'rmdir "$work"' EXIT
if unshare --mount --map-root-user true 2>/dev/null || unshare --mount true; then
	logged installs "the installation of the package" installs "${files[0]}"
else
	say "unshare is not permitted here: the installation of the package was not tested"
fi
if command -v lintian >/dev/null; then
	logged lintian "lintian" lintian --fail-on error,warning "${files[0]}"
else
	say "lintian is not installed: it did not check the package"
fi
printf '%s\n' "${files[@]#"$PWD"/}"
