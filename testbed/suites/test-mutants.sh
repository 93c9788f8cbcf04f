#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests the tests: puts defects into the code, one at a time, each of which a test must catch.
# usage: test-mutants.sh [NAME]...
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

results=$OUT/results-mutants
rm -rf "$results"
mkdir -p "$results"
written=()
generated=()
for name; do
	# A generated mutant is named after the file and the function that it is in.
	[[ $name == */* ]] && generated+=("$name") || written+=("$name")
done
[[ $# -gt 0 && ${#written[@]} == 0 ]] || script written-mutants.sh "${written[@]}"
[[ $# -gt 0 && ${#generated[@]} == 0 ]] || script generated-mutants.sh "${generated[@]}"
summary
