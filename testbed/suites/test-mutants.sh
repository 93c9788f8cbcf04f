#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests the tests: each patch of mutants/ puts a defect into the Rust code, which
# a test has to catch. Those that the test kernel does not show, the one with
# every check has to.
# usage: test-mutants.sh [NAME]...
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

requests=10000
work=$OUT/mutants
tree=$work/src
kinds=(rust debug-rust)

# built KIND: the image of the tree, as of that test kernel.
built() {
	SRC=$tree OBJ=$work/$1 kmake -j"$(nproc)" bzImage >"$LOGS/mutant-$1.log" 2>&1
}

# boot KIND COMMAND [VM-OPTION]...
boot() {
	with "$1" "$TESTBED/guest/vm.sh" -n mutant -d 390 -i "$work/$1/arch/x86/boot/bzImage" "${@:3}" "$2" \
		>"$LOGS/mutant.tap" 2>"$LOGS/mutant.err" && no_report "$LOGS/console-mutant-$1.log" >/dev/null
}

answers() {
	rm -rf "$work/answers"
	mkdir "$work/answers"
	boot rust "$TESTBED/guest/inside/answers.sh $trials $work/answers $requests 1" -w "$work/answers"
}

fuzz() {
	"$trials/fuzz" compare "$work/c" "$work/answers" --file fuzz-64 --file fuzz-32
}

faults() {
	"$trials/faults" compare "$work/c/faults" "$work/answers/faults"
}

stall() {
	"$trials/stall" compare "$work/c" "$work/answers" --file stall-64
}

same() {
	cmp -s "$work/c/$1" "$work/answers/$1"
}

# The first test that failed, if any, of those that a log has.
failed() {
	sed -n '/^ *not ok/{s/^ *not ok [0-9]* //; s/\r$//; p; q}' "$1" | grep .
}

# Says which test, the first of them, catches what is in the tree now.
caught_by() {
	local test
	if ! built rust; then
		grep -q 'evaluation panicked: assertion failed' "$LOGS/mutant-rust.log" ||
			die "the kernel does not build: $(grep -m 1 '^error\|\*\*\*' "$LOGS/mutant-rust.log"); full log: $LOGS/mutant-rust.log"
		echo 'caught by a static assertion'
		return
	fi
	# It ends with the first failure: what follows may wait long for an answer that is right.
	boot rust "set -o pipefail; cd $kselftest/net/mptcp && ./mptcp_subflow_info | sed -u '/^not ok/q'" "${kunit[@]}" ||
		{ echo "caught by the selftest: $(failed "$LOGS/mutant.tap" || echo 'the guest does not end, or complains')"; return; }
	! test=$(failed "$LOGS/console-mutant-rust.log") || { echo "caught by KUnit: $test"; return; }
	answers || { echo 'caught by a program of trials/, or what the kernel said of it'; return; }
	fuzz >/dev/null || { echo 'caught by random requests'; return; }
	faults >/dev/null || { echo 'caught by pages that cannot be accessed'; return; }
	same states-64 || { echo 'caught by sockets in every state'; return; }
	stall >/dev/null || { echo 'caught by memory that is slow to come'; return; }
	built debug-rust || die "the debug kernel does not build: see $LOGS/mutant-debug-rust.log"
	boot debug-rust "$trials/faults inject" || { echo 'caught by injected faults'; return; }
	return 1
}

# Puts the tree's files back as the series has them.
whole() {
	local file
	for file in net/mptcp rust/kernel/net rust/kernel/uaccess.rs; do
		rsync -rlp --checksum "$SRC/$file" "$tree/${file%/*}/"
	done
}

# Says what comes of a defect.
mutant() {
	whole
	[[ $1 == none ]] || patch -s -d "$tree" -p1 -F0 --no-backup-if-mismatch <"$TESTBED/suites/mutants/$1.patch" ||
		{ echo 'does not apply any more'; return; }
	caught_by || echo 'survives'
}

mutants=("$@")
[[ $# -gt 0 ]] || mapfile -t mutants < <(cd "$TESTBED/suites/mutants" && printf '%s\n' *.patch | sed 's/\.patch$//')
for kind in c "${kinds[@]}"; do
	with "$kind" "$TESTBED/kernel/build.sh"
done
say "building the selftests"
selftests || die "the selftests do not build; see $LOGS/selftests.log"
trials=$("$TESTBED/trials/build.sh")

rm -rf "$tree" "$work/c"
mkdir -p "$work/c"
cp -al "$SRC" "$tree"
for kind in "${kinds[@]}"; do
	rm -rf "${work:?}/$kind"
	seed "$work/$kind" "$OUT/$kind" "$tree"
done

say "trying the tests on ${#mutants[@]} defects (about two minutes each)"
with c "$TESTBED/guest/vm.sh" -n mutant-c -d 390 -w "$work/c" "$TESTBED/guest/inside/answers.sh $trials $work/c $requests 1" ||
	die "the C kernel does not answer"
# Without a defect, nothing may be caught.
verdict=$(mutant none)
[[ $verdict == survives ]] || die "without a defect, the kernel is $verdict: see $LOGS/mutant.tap and $LOGS/mutant.err"

mkdir -p "$results"
caught=0
for name in "${mutants[@]}"; do
	verdict=$(mutant "$name")
	check "$name: $verdict" test "${verdict%% *}" == caught
	[[ ${checks[-1]} != ok* ]] || caught=$((caught + 1))
done
report "$results/mutants.tap" "$caught mutants caught, of ${#mutants[@]}"
count "$results/mutants.tap"
