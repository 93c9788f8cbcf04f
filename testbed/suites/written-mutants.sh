#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests the tests with the defects of the patches in mutants/, in QEMU. A defect that no test catches on
# the plain kernel is tried on the debug kernel.
# usage: written-mutants.sh [NAME]...
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

requests=10000
work=$OUT/mutants
results=$OUT/results-mutants
tree=$work/src
kinds=(rust debug-rust)

# built KIND: builds the tree with the configuration of that test kernel.
built() {
	SRC=$tree OBJ=$work/$1 kmake -j"$(nproc)" bzImage >"$LOGS/mutant-$1.log" 2>&1
}

# boot KIND COMMAND [VM-OPTION]...: fails if the command fails, or if the kernel reports a defect.
boot() {
	with "$1" "$TESTBED/guest/vm.sh" -n mutant -d 390 -i "$(image "$work/$1")" "${@:3}" "$2" \
		>"$LOGS/mutant.tap" 2>"$LOGS/mutant.err" && no_report "$LOGS/console-mutant-$1.log" >/dev/null
}

requests_made() {
	rm -rf "$work/requests"
	mkdir "$work/requests"
	boot rust "$TESTBED/guest/inside/requests.sh $trials $work/requests $requests 1 fuzz faults states stall" -w "$work/requests"
}

fuzz() {
	"$trials/fuzz" compare "$work/c" "$work/requests" --file fuzz-64 --file fuzz-32
}

faults() {
	"$trials/faults" compare "$work/c" "$work/requests" --file faults
}

stall() {
	"$trials/stall" compare "$work/c" "$work/requests" --file stall-64
}

same() {
	cmp -s "$work/c/$1" "$work/requests/$1"
}

# Prints the first test that catches what is in the tree now. Fails if none does.
caught_by() {
	local test
	if ! built rust; then
		grep -q 'evaluation panicked: assertion failed' "$LOGS/mutant-rust.log" ||
			die "the kernel does not build: $(first_error "$LOGS/mutant-rust.log") (log: $LOGS/mutant-rust.log)"
		echo 'caught by a static assertion'
		return
	fi
	# Stop at the first failure: a later test might wait for something that never happens.
	boot rust "set -o pipefail; cd $kselftest/net/mptcp && ./mptcp_subflow_info | sed -u '/^not ok/q'" "${kunit[@]}" ||
		{ echo "caught by the selftest: $(failed "$LOGS/mutant.tap" || echo 'the guest died, or its kernel reported a defect')"; return; }
	! test=$(failed "$LOGS/console-mutant-rust.log") || { echo "caught by KUnit: $test"; return; }
	requests_made || { echo 'caught by a program in trials/, or by a report of the kernel'; return; }
	fuzz >/dev/null || { echo 'caught by random requests'; return; }
	faults >/dev/null || { echo 'caught by pages that cannot be accessed'; return; }
	same states-64 || { echo 'caught by sockets in every state'; return; }
	stall >/dev/null || { echo 'caught by memory that faults slowly'; return; }
	built debug-rust || die "the debug kernel does not build: $(first_error "$LOGS/mutant-debug-rust.log") (log: $LOGS/mutant-debug-rust.log)"
	boot debug-rust "$trials/faults inject" || { echo 'caught by injected faults'; return; }
	return 1
}

# Restores the files of the series in the tree.
whole() {
	local file
	for file in net/mptcp rust/kernel/net rust/kernel/uaccess.rs; do
		rsync -rlp --checksum "$SRC/$file" "$tree/${file%/*}/"
	done
}

# mutant NAME: prints whether, and by what, a defect is caught.
mutant() {
	whole
	[[ $1 == none ]] || put_defect "$tree" "$1" ||
		{ echo 'does not apply'; return; }
	caught_by || echo 'survives'
}

mutants=("$@")
[[ $# -gt 0 ]] || mapfile -t mutants < <(cd "$TESTBED/suites/mutants" && printf '%s\n' *.patch | sed 's/\.patch$//')
for kind in c "${kinds[@]}"; do
	with "$kind" "$TESTBED/kernel/build.sh"
done
say "building the selftests"
selftests || die "the selftests do not build (log: $LOGS/selftests.log)"
trials=$("$TESTBED/trials/build.sh")

rm -rf "$tree" "$work/c"
mkdir -p "$work/c"
cp -al "$SRC" "$tree"
for kind in "${kinds[@]}"; do
	rm -rf "${work:?}/$kind"
	seed "$work/$kind" "$OUT/$kind" "$tree"
done

say "testing ${#mutants[@]} defects (about two minutes each)"
with c "$TESTBED/guest/vm.sh" -n mutant-c -d 390 -w "$work/c" "$TESTBED/guest/inside/requests.sh $trials $work/c $requests 1 fuzz faults states stall" ||
	die "the requests on the C kernel failed"
# Without a defect, every test must pass.
verdict=$(mutant none)
[[ $verdict == survives ]] || die "a test fails without any defect ($verdict): see $LOGS/mutant.tap and $LOGS/mutant.err"

mkdir -p "$results"
caught=0
for name in "${mutants[@]}"; do
	verdict=$(mutant "$name")
	check "$name: $verdict" test "${verdict%% *}" == caught
	[[ ${checks[-1]} != ok* ]] || caught=$((caught + 1))
done
report "$results/written.tap" "$caught mutants caught, of ${#mutants[@]}"
count "$results/written.tap"
