#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Redraws the pictures of README.md: run.svg, a terminal with the end of make run, and
# bench.svg, the plot of make bench.
# usage: pictures.sh [run|bench]...
set -euo pipefail
. "${0%/*}/../lib.sh"

folder=$TESTBED/pictures

run() {
	local output=$OUT/pictures-run
	"$TESTBED/guest/run.sh" >"$output"
	python_packages rich "$folder/requirements.txt"
	# The first line, and all lines from the last table on.
	awk 'NR == 1 { print; print "..." } / at the end: / { on = 1 } on' "$output" |
		"$VENV/bin/python" "$folder/screen.py" 'make run' "$folder/run.svg"
}

bench() {
	"$TESTBED/bench/bench.sh"
	cp "$TOP/out/bench.svg" "$folder/bench.svg"
}

[[ $# -gt 0 ]] || set -- run bench
for picture; do
	one_of picture "$picture" run bench
	"$picture"
	say "look at ${folder#"$TOP"/}/$picture.svg before you commit it"
done
