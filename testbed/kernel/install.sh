#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Installs each Debian package in the list that is not installed yet, those for another architecture, and those named.
# usage: install.sh [PACKAGE]...
set -euo pipefail
. "${0%/*}/../lib.sh"

[[ $(uname -m) == x86_64 ]] || die "the test kernels must be built on x86-64: this machine is $(uname -m)"

mapfile -t packages <"$TESTBED/kernel/packages"
[[ ! $CROSS ]] || packages+=("${CROSS_PACKAGES[@]}")
packages+=("$@")
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null |
	sed -n 's/^installed //p') || :
mapfile -t missing < <(printf '%s\n' "${packages[@]}" | grep -vxF "$installed")
[[ ${#missing[@]} -gt 0 ]] || exit 0

system=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}" "${PRETTY_NAME:-}") || :
[[ $system == 'debian 12 '* ]] ||
	die "this is not Debian 12 but ${system#* * }: run make in a container or virtual machine with Debian 12"

install=(install -y --no-install-recommends "${missing[@]}")
[[ $(id -u) == 0 ]] ||
	die "${#missing[@]} Debian packages are missing; as root, run: apt-get update && apt-get ${install[*]}"

say "installing ${#missing[@]} Debian packages (half a minute to two minutes): ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# apt's lists of packages may be missing, or too old to download from.
"${apt_get[@]}" "${install[@]}" >"$LOGS/install.log" 2>&1 </dev/null || {
	logged update "apt-get update" "${apt_get[@]}" update
	logged install "the installation of packages" "${apt_get[@]}" "${install[@]}"
}
