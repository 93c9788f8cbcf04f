#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs mainline's larger selftests on the debug kernels, while a program reads the subflows of all sockets. A test
# may fail only if it fails with the C implementation as well, or if it passes when it is repeated.
set -euo pipefail
export FLAVOUR=debug
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"
results=$OUT/results-mainline
compare_with "${prefix}debug-c"

all=(userspace_pm simult_flows mptcp_join)
scripts=("${@:-${all[@]}}")
for script in "${scripts[@]}"; do
	one_of SCRIPTS "$script" "${all[@]}"
done

# run LOG KIND SCRIPT [TEST]...: runs the script on a kernel. A test that mainline marks as flaky counts like any other.
run() {
	local tests=("${@:4}")
	# One processor: the scripts mostly run one program at a time.
	with "$2" "$TESTBED/guest/vm.sh" -n "$1" -c 1 -d 9000 "cd $kselftest/net/mptcp &&
		SELFTESTS_MPTCP_LIB_OVERRIDE_FLAKY=1 $trials/onlooker ./$3.sh ${tests[*]@Q}" >"$results/$1-$2.log" 2>&1 || :
	echo "$2"
}

# both SCRIPT: runs it on both kernels. Prints the kind of each that has ended.
both() {
	run "$1" "$KIND" "$1" &
	run "$1" "$of_c" "$1" &
	wait
}

# ended LOG: whether the script has run to its end, with or without failures, and each result that was read meanwhile
# was consistent.
ended() {
	local log=$results/$1.log
	if ! grep '^# figure' "$log" || ! grep -q 'testbed: exit status' "$LOGS/console-$1.log"; then
		tail -n 5 "$log"
		echo "(log: ${log#"$TOP"/})"
		return 1
	fi
}

# names VERDICT LOG: prints the tests with this verdict: ok, not ok, or SKIP.
names() {
	tr -d '\r' <"$results/$2.log" | sed -nE "/# SKIP/s/^ok/SKIP/; s/^$1 [0-9]+ - //p" | sed 's/ *#.*//' | sort
}

same_tests() {
	diff <(names '(ok|not ok|SKIP)' "$1-$of_c") <(names '(ok|not ok|SKIP)' "$1-$KIND")
}

# worse SCRIPT: prints what passes on the C kernel, but not on the Rust kernel.
worse() {
	comm -12 <(names ok "$1-$of_c") <(names '(not ok|SKIP)' "$1-$KIND")
}

# again SCRIPT TEST...: repeats tests that passed on the C kernel only: the scripts depend on time, so one of them may
# fail by chance. Only mptcp_join.sh runs single tests.
again() {
	local script=$1 tests=()
	shift
	say "repeating on the Rust kernel: $*"
	[[ $script != mptcp_join ]] || tests=("${@#mptcp_join: }")
	run "$script-again" "$KIND" "$script" "${tests[@]}" >/dev/null
	quiet "$script-again-$KIND"
	check "$script-again-$KIND: ends, with consistent results" ended "$script-again-$KIND"
}

# still_worse SCRIPT TEST...: prints those that did not pass when they were repeated. Succeeds if there are none.
still_worse() {
	[[ $# == 1 ]] || ! comm -23 <(printf '%s\n' "${@:2}") <(names ok "$1-again-$KIND") | grep .
}

# excused SCRIPT TEST...: prints the KTAP of the Rust kernel. A test that fails on both kernels becomes one that is
# skipped, and so does one that passes when it is repeated.
excused() {
	{
		names 'not ok' "$1-$of_c" | sed 's/$/\tfails with the C implementation, too/'
		[[ $# == 1 ]] || names ok "$1-again-$KIND" | sed 's/$/\tfailed once, and then passed/'
	} >"$results/$1.excuses"
	tr -d '\r' <"$results/$1-$KIND.log" | awk -F '\t' -v excuses="$results/$1.excuses" '
		BEGIN { while ((getline < excuses) > 0) why[$1] = $2 }
		/^not ok / {
			name = $0
			sub(/ *#.*/, "", name)
			sub(/^not ok [0-9]+ - /, "", name)
			split($0, words, " ")
			if (name in why) $0 = "ok " words[3] " - " name " # SKIP " why[name]
		}
		/^(TAP|1\.\.|ok |not ok |# figure)/'
}

begin
build_once "$of_c"
trials=$("$TESTBED/trials/build.sh")
check_selftests

for script in "${scripts[@]}"; do
	say "running $script.sh on both kernels (logs: ${results#"$TOP"/})"
	apart both "$script"
	while read -r kind; do
		quiet "$script-$kind"
		check "$script-$kind: ends, with consistent results" ended "$script-$kind"
	done <&"$apart"
	end_apart
	check "$script: the same tests on both kernels" same_tests "$script"
	mapfile -t worse < <(worse "$script")
	[[ ${#worse[@]} == 0 ]] || again "$script" "${worse[@]}"
	check "$script: what passes with C passes with Rust" still_worse "$script" "${worse[@]}"
	excused "$script" "${worse[@]}" | tee "$results/$script.tap"
	check "$script: at least one test passes" test "$(names ok "$script-$KIND")"
done
summary
