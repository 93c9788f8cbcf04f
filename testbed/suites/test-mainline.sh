#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs mainline's larger selftests on the debug kernels, while a program reads the subflows of all sockets. A test
# may fail only if it fails with the C implementation as well, or if mainline marks it as flaky.
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

# both SCRIPT: runs it on both kernels. Prints the kind of each that has ended.
both() {
	local kind
	# Each has one processor: the scripts mostly run one program at a time.
	for kind in "$KIND" "$of_c"; do
		{
			with "$kind" "$TESTBED/guest/vm.sh" -n "$1" -c 1 -d 9000 "cd $kselftest/net/mptcp && $trials/onlooker ./$1.sh" \
				>"$results/$1-$kind.log" 2>&1 || :
			echo "$kind"
		} &
	done
	wait
}

# ended KIND SCRIPT: whether the script has run to its end, with or without failures, and each result that was
# read meanwhile was consistent.
ended() {
	local log=$results/$2-$1.log
	if ! grep '^# figure' "$log" || ! grep -q 'testbed: exit status' "$LOGS/console-$2-$1.log"; then
		tail -n 5 "$log"
		echo "(log: ${log#"$TOP"/})"
		return 1
	fi
}

# names VERDICT KIND SCRIPT: prints the tests with this verdict: ok, not ok, or SKIP.
names() {
	tr -d '\r' <"$results/$3-$2.log" | sed -nE "/# SKIP/s/^ok/SKIP/; s/^$1 [0-9]+ - //p" | sed 's/ *#.*//' | sort
}

same_tests() {
	diff <(names '(ok|not ok|SKIP)' "$of_c" "$1") <(names '(ok|not ok|SKIP)' "$KIND" "$1")
}

# worse SCRIPT: prints what passes on the C kernel, but not on the Rust kernel. Succeeds if there is nothing.
worse() {
	! comm -12 <(names ok "$of_c" "$1") <(names '(not ok|SKIP)' "$KIND" "$1") | grep .
}

# excused SCRIPT: prints the KTAP of the Rust kernel. A test that fails on both kernels becomes one that is skipped,
# and so does a flaky one that fails, which mainline's scripts show as ignored.
excused() {
	names 'not ok' "$of_c" "$1" >"$results/$1.excuses"
	tr -d '\r' <"$results/$1-$KIND.log" | awk -v excuses="$results/$1.excuses" '
		BEGIN { while ((getline name < excuses) > 0) excused[name] = 1 }
		/^not ok / {
			name = $0
			sub(/ *#.*/, "", name)
			sub(/^not ok [0-9]+ - /, "", name)
			if (name in excused) $0 = "ok " $3 " - " name " # SKIP fails with the C implementation, too"
		}
		{ sub(/# IGNORE/, "# SKIP") }
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
		check "$script-$kind: ends, with consistent results" ended "$kind" "$script"
	done <&"$apart"
	end_apart
	check "$script: the same tests on both kernels" same_tests "$script"
	check "$script: what passes with C passes with Rust" worse "$script"
	excused "$script" | tee "$results/$script.tap"
	check "$script: at least one test passes" test "$(names ok "$KIND" "$script")"
done
summary
