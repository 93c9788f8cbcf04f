#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs a program of trials/ on the C and the Rust kernel, which must print the same.
# usage: alike.sh PROGRAM
set -euo pipefail
. "${0%/*}/lib.sh"

trials=$("$TESTBED/trials.sh")
name=${1//\//-}
for impl in rust c; do
	IMPL=$impl "$TESTBED/build.sh"
	# What begins with # tells of times.
	IMPL=$impl "$TESTBED/vm.sh" -n "$name" -d 400 "$trials/$1" | grep -v '^#' >"$LOGS/$name-$impl.txt"
done
diff "$LOGS/$name-c.txt" "$LOGS/$name-rust.txt"
