# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by who tests what has no KTAP of its own.
set -euo pipefail

# check NAME COMMAND...: one test, by its exit status.
checks=()
check() {
	local name=$1 result said
	shift
	said=$("$@" 2>&1 </dev/null) && result=ok || result='not ok'
	checks+=("$result $((${#checks[@]} + 1)) $name")
	echo "${checks[-1]}"
	[[ $result == ok ]] || printf '# %s\n' "${said//$'\n'/$'\n'# }"
}

# report FILE [FIGURE]...: the checks up to now, as KTAP, and how many of what they had.
report() {
	local figures=("${@:2}")
	printf '%s\n' 'KTAP version 1' "1..${#checks[@]}" "${checks[@]}" "${figures[@]/#/# figure: }" >"$1"
}
