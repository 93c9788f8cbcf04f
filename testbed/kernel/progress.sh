#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Reads a kernel build's output and says how far it is.
# usage: progress.sh [FILE], which holds how many steps to expect
set -euo pipefail
. "${0%/*}/../lib.sh"

if [[ ${V:-0} == 1 ]]; then
	exec cat >&2
fi
of=''
[[ ! -f ${1:-} ]] || of=" of about $(<"$1")"

steps=0
next=0
report() {
	local text
	printf -v text '  %d%s steps, %d min %d s' $steps "$of" $((SECONDS / 60)) $((SECONDS % 60))
	if [[ -t 2 ]]; then
		printf '\r%s' "$text" >&2
	else
		say "$text"
	fi
}

# A terminal sees it run; a log gets a line now and then.
[[ -t 2 ]] && every=1 || every=20
while true; do
	if IFS= read -r -t "$every" line; then
		[[ $line != '  '[A-Z]* ]] || steps=$((steps + 1))
		[[ $line != *warning:* ]] || say "$line"
	elif (($? <= 128)); then
		break
	fi
	if ((SECONDS >= next)); then
		((next == 0)) || report
		next=$((SECONDS + every))
	fi
done
report
[[ ! -t 2 ]] || echo >&2
