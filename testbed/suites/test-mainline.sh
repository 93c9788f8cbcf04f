#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs mainline's larger selftests on the debug kernel, while a program reads the subflows of all sockets. What fails is
# repeated, on the C kernel as well. Then each test must pass, or fail with C, too.
# usage: test-mainline.sh [SCRIPT]...
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

# run PART KIND CPUS COMMAND: boots a kernel for a script, or for a part of one. Prints the name of the log. What mainline
# marks as flaky counts like any other test.
run() {
	local log=$1-$2
	with "$2" "$TESTBED/guest/vm.sh" -n "$1" -c "$3" -d 9000 "cd $kselftest/net/mptcp &&
		SELFTESTS_MPTCP_LIB_OVERRIDE_FLAKY=1 $trials/onlooker bash -c ${4@Q}" >"$results/$log.log" 2>&1 || :
	echo "$log"
}

# first SCRIPT: runs it on the Rust kernel. Unless it is one of two parts, the onlooker has a processor of its own.
first() {
	if [[ $1 == mptcp_join ]]; then
		# Every second test, by number, up to one that is high enough.
		run mptcp_join-odd "$KIND" 1 './mptcp_join.sh {1..399..2}' &
		run mptcp_join-even "$KIND" 1 './mptcp_join.sh {2..400..2}' &
		wait
	else
		run "$1" "$KIND" 2 "./$1.sh"
	fi
}

# until_it OPERATOR TEST...: prints a command that repeats each test up to five times, until it passes (&&) or fails (||).
# Whether some tests fail is a matter of timing: "Infinite map" does if MPTCP sends anything again.
until_it() {
	local tests=("${@:2}")
	echo "for test in ${tests[*]@Q}; do for _ in {1..5}; do ./mptcp_join.sh \"\$test\" $1 break; done; done"
}

# second PART SCRIPT [TEST]...: repeats tests on both kernels, with as many processors.
second() {
	if [[ $2 == mptcp_join ]]; then
		run "$1-again" "$KIND" 1 "$(until_it '&&' "${@:3}")" &
		run "$1-again" "$of_c" 1 "$(until_it '||' "${@:3}")" &
		wait
	else
		run "$1-again" "$KIND" 2 "./$2.sh"
		run "$1-again" "$of_c" 2 "./$2.sh"
	fi
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

# logs NUMBER COMMAND...: checks each log whose name the command prints, and sets logs.
logs() {
	local log
	logs=()
	apart "${@:2}"
	while read -r log; do
		quiet "$log"
		check "$log: ends, with consistent results" ended "$log"
		logs+=("$log")
	done <&"$apart"
	end_apart
	check "$2 ${*:3:1}: all were run" test "${#logs[@]}" == "$1"
}

# names VERDICT LOG: prints the tests with this verdict: ok or not ok.
names() {
	[[ ! -f $results/$2.log ]] || tr -d '\r' <"$results/$2.log" | sed -nE "/# SKIP/d; s/^$1 [0-9]+ - //p" | sed 's/ *#.*//' | sort
}

# excuses PART: prints each test that has failed, and may, with the reason.
excuses() {
	names 'not ok' "$1-again-$of_c" | sed 's/$/\tfails with the C implementation, too/'
	names ok "$1-again-$KIND" | sed 's/$/\tpasses when it is repeated/'
}

# no_excuse PART: prints the tests that should have passed, of those that any run has reached. Succeeds if there are none.
no_excuse() {
	local log
	! comm -23 <(for log in "$1-$KIND" "$1-again-$KIND" "$1-again-$of_c"; do names '(ok|not ok)' "$log"; done | sort -u) \
		<({ names ok "$1-$KIND"; excuses "$1" | cut -f 1; } | sort -u) | grep .
}

# excused PART: prints the KTAP of the Rust kernel, where what fails and has an excuse is skipped.
excused() {
	tr -d '\r' <"$results/$1-$KIND.log" | awk -F '\t' -v excuses=<(excuses "$1") '
		BEGIN { while ((getline < excuses) > 0) why[$1] = $2 }
		/^not ok / {
			name = $0
			sub(/ *#.*/, "", name)
			sub(/^not ok [0-9]+ - /, "", name)
			split($0, words, " ")
			if (name in why) { $0 = "ok " words[3] " - " name " # SKIP " why[name]; excuses_used++ }
		}
		/^(TAP|1\.\.|ok |not ok |# figure)/
		END { print "# figure: " excuses_used + 0 " failed, with an excuse" }'
}

# read_enough PART: whether the onlooker read results of several subflows, and ten results for each test. If the script
# ended early, this can hold for the repetition instead.
read_enough() {
	local log tests most=0 all several
	for log in "$1-$KIND" "$1-again-$KIND"; do
		tests=$(names '(ok|not ok)' "$log" | wc -l)
		((tests > most)) || continue
		most=$tests
		read -r all several < <(sed -nE 's/^# figure: ([0-9]+) .* ([0-9]+) of several.*/\1 \2/p' "$results/$log.log") || :
		echo "$log: ${all:-0} results, ${several:-0} of several subflows, during $tests tests"
		((${several:-0} == 0 || all < 10 * tests)) || return 0
	done
	return 1
}

begin
build_once "$of_c"
trials=$("$TESTBED/trials/build.sh")
check_selftests

for script in "${scripts[@]}"; do
	say "running $script.sh (logs: ${results#"$TOP"/})"
	[[ $script == mptcp_join ]] && parts=2 || parts=1
	logs "$parts" first "$script"
	for part in "${logs[@]%-"$KIND"}"; do
		mapfile -t missed < <(names 'not ok' "$part-$KIND")
		repeated=()
		if [[ ${#missed[@]} -gt 0 ]]; then
			# Only mptcp_join.sh can run single tests.
			[[ $script == mptcp_join ]] && tests=("${missed[@]#mptcp_join: }") || tests=()
			say "repeating with both implementations: $(IFS=, && echo "${missed[*]}")"
			logs 2 second "$part" "$script" "${tests[@]}"
			repeated=("${logs[@]}")
		fi
		for log in "$part-$KIND" "${repeated[@]}"; do
			check "$log: nothing is skipped" no_other_skips "$log" "$results/$log.log"
		done
		check "$part: each test passes, if need be repeated, or fails with C, too" no_excuse "$part"
		check "$part: at least one test passes" test "$(names ok "$part-$KIND")"
		check "$part: several subflows were read, and often enough" read_enough "$part"
		excused "$part" | tee "$results/$part.tap"
	done
done
summary
