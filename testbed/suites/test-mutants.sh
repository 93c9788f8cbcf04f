#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests the tests: puts defects into the code, one at a time, each of which a test must catch.
# usage: test-mutants.sh [NAME]...
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

results=$OUT/results-mutants
written=()
generated=()
for name; do
	# A generated mutant is named after the file and the function that it is in.
	if [[ $name == */* ]]; then
		generated+=("$name")
	else
		[[ -f $TESTBED/suites/mutants/$name.patch ]] || die "MUTANTS: there is no defect $name"
		written+=("$name")
	fi
done
rm -rf "$results"
mkdir -p "$results"
[[ $# -gt 0 && ${#written[@]} == 0 ]] || script written-mutants.sh "${written[@]}"
[[ $# -gt 0 && ${#generated[@]} == 0 ]] || script generated-mutants.sh "${generated[@]}"
summary
