#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Installs the Debian packages of the list that are missing.
set -euo pipefail
. "${0%/*}/../lib.sh"

mapfile -t packages <"$TESTBED/kernel/packages"
command -v dpkg-query >/dev/null ||
	die "this is not a Debian system: use one (12, a container will do), or install there the likes of:" \
		"${packages[*]}"

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null |
	sed -n 's/^installed //p') || :
mapfile -t missing < <(printf '%s\n' "${packages[@]}" | grep -vxF "$installed")
[[ ${#missing[@]} -gt 0 ]] || exit 0

install=(apt-get install -y --no-install-recommends "${missing[@]}")
[[ $(id -u) == 0 ]] || die "packages are missing; as root, say: apt-get update && ${install[*]}"

say "installing ${#missing[@]} Debian packages (about half a minute): ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$LOGS/install.log
# The lists on the machine may be missing or too old to download from.
if ! "${install[@]}" >"$log" 2>&1 </dev/null; then
	{ apt-get update && "${install[@]}"; } >>"$log" 2>&1 </dev/null ||
		die "apt-get cannot install them: $(grep -m 1 '^E: ' "$log" || tail -n 1 "$log")" \
			"- this testbed is made for Debian 12; full log: $log"
fi
