#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes the pictures of README.md again: run.svg, a terminal with the end of make run,
# and bench.svg, the plot of make bench.
set -euo pipefail
. "${0%/*}/../lib.sh"

folder=$TESTBED/pictures
"$TESTBED/kernel/build.sh"
python_packages rich "$folder/requirements.txt"

say "running the demonstration (about a minute)"
run=$OUT/pictures-run
"$TESTBED/guest/run.sh" 2>/dev/null >"$run" || die "make run fails"
# The first line, the last table, and the last line.
awk 'NR == 1 { print; print "..." } { line = $0 } /subflows?$/ && / at the end: / { table = ""; on = 1 }
	on { table = table $0 "\n" } END { printf "%s", table }' "$run" |
	"$VENV/bin/python" "$folder/screen.py" 'make run' "$folder/run.svg"

"$TESTBED/bench/bench.sh"
cp "$TOP/out/bench.svg" "$folder/bench.svg"
say "look at ${folder#"$TOP"/}/run.svg and bench.svg before you commit them"
