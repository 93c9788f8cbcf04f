#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests the tests with generated defects. The program mutants of trials/ changes the Rust code in one
# place at a time, and each mutant is built and tried as user-mode Linux.
# usage: generated-mutants.sh [NAME]...
set -euo pipefail
export ARCH=um
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

requests=10000
work=$OUT/generated-mutants
files=(net/mptcp/subflow_info.rs rust/kernel/net/mptcp.rs rust/kernel/uaccess.rs)
# Mutants that no test can catch here, each with the reason.
accepted=$TESTBED/suites/mutants/accepted
results=$OUT/results-mutants

# A warning, such as about an unused variable, must not keep a mutant from being tried.
lax=(RUSTFLAGS_{subflow_info,kernel}.o=--cap-lints=allow)

# each_file COMMAND...: runs it with the options that name the files of the series, and the base's version
# of that which the base has.
each_file() {
	(cd "$SRC" && "$@" "${files[@]}" --base "$PRISTINE/rust/kernel/uaccess.rs")
}

# whole WORKER: restores the files of the series in its tree.
whole() {
	local file
	for file in "${files[@]}"; do
		cmp -s "$SRC/$file" "$work/$1/src/$file" || cp --remove-destination "$SRC/$file" "$work/$1/src/$file"
	done
}

# tried WORKER: prints the first test that catches what is in its tree now. Fails if none does.
tried() {
	local folder=$work/$1 log=$LOGS/generated-mutant-$1 console=$LOGS/console-mutant-$1-um-rust.log test status
	if ! SRC=$folder/src OBJ=$folder/um-rust kmake "${lax[@]}" >"$log.log" 2>&1; then
		! grep -q 'evaluation panicked: assertion failed' "$log.log" || { echo 'caught by a static assertion'; return; }
		if ! grep -q '^error' "$log.log" || grep -q 'No space left on device' "$log.log"; then
			echo "not built: $(first_error "$log.log")"
			return
		fi
		echo 'does not compile'
		return
	fi
	rm -rf "$folder/requests"
	mkdir "$folder/requests"
	# End with the first failure: a later test may wait long for something that never comes.
	"$TESTBED/guest/vm.sh" -n "mutant-$1" -d 400 -i "$(image "$folder/um-rust")" -w "$folder/requests" "${kunit[@]}" \
		"set -o pipefail; cd $kselftest/net/mptcp && ./mptcp_subflow_info | sed -u '/^not ok/q' &&
		$TESTBED/guest/inside/requests.sh $trials $folder/requests $requests 1 fuzz-64 states-64" >"$log.tap" 2>"$log.err" &&
		no_report "$console" >/dev/null && status=0 || status=$?
	! test=$(failed "$console") || { echo "caught by KUnit: $test"; return; }
	! test=$(failed "$log.tap") || { echo "caught by the selftest: $test"; return; }
	[[ $status == 0 ]] || { echo 'caught by the guest, which died, or whose kernel reported a defect'; return; }
	"$trials/fuzz" compare "$work/c" "$folder/requests" --file fuzz-64 >/dev/null || { echo 'caught by random requests'; return; }
	cmp -s "$work/c/states-64" "$folder/requests/states-64" || { echo 'caught by sockets in every state'; return; }
	return 1
}

# worker NUMBER: tries every so-many-th mutant. Prints NAME and verdict.
worker() {
	local n name file
	for ((n = $1; n < ${#names[@]}; n += workers)); do
		name=${names[n]}
		file=${places[n]%:*}
		whole "$1"
		"$mutants" apply "$SRC/$file" "$name" --output "$work/$1/src/$file"
		echo "$name $(tried "$1" || echo survives)"
	done
}

all_workers() {
	local n
	for ((n = 0; n < workers; n++)); do
		worker "$n" &
	done
	wait
}

# fine NAME VERDICT
fine() {
	if grep -q "^$1: " "$accepted"; then
		[[ $2 == survives ]] || { echo "$accepted says that no test can catch it"; return 1; }
	else
		[[ $2 == caught* || $2 == 'does not compile' ]]
	fi
}

for kernel in um-c um-rust; do
	build_once "$kernel"
done
say "building the selftest, and the programs of trials/"
selftests || die "the selftest does not build (log: $LOGS/selftests.log)"
trials=$("$TESTBED/trials/build.sh")
cargo_build generator "$TESTBED/trials" --features mutants --bin mutants
mutants=$TOP/out/generator/release/mutants

each_file "$mutants" check "$accepted" >/dev/null
# Only those whose names are given, if any are.
mapfile -t list < <(each_file "$mutants" list | awk -v only="$*" '
	BEGIN { split(only, wanted, " "); for (i in wanted) on[wanted[i]] = 1 }
	only == "" || $1 in on')
names=("${list[@]%% *}")
for name; do
	[[ " ${names[*]} " == *" $name "* ]] ||
		die "MUTANTS: there is no mutant $name: to list them, run: cd $SRC && $mutants list ${files[*]} --base $PRISTINE/rust/kernel/uaccess.rs"
done
places=("${list[@]#* }")
places=("${places[@]%% *}")

workers=$(nproc)
rm -rf "$work"
mkdir -p "$work/c" "$results"
for ((n = 0; n < workers; n++)); do
	mkdir "$work/$n"
	cp -al "$SRC" "$work/$n/src"
	seed "$work/$n/um-rust" "$OUT/um-rust" "$work/$n/src"
done
with um-c "$TESTBED/guest/vm.sh" -n mutant-c -d 390 -w "$work/c" \
	"$TESTBED/guest/inside/requests.sh $trials $work/c $requests 1 fuzz-64 states-64" || die "the requests on the C kernel failed"
# Without a defect, every test must pass.
! verdict=$(tried 0) || die "even without a defect, the kernel is $verdict: see $LOGS/generated-mutant-0.tap"

SECONDS=0
done=0
apart all_workers
while read -r name verdict; do
	check "$name: $verdict" fine "$name" "$verdict"
	done=$((done + 1))
	((done % 10)) || say "  $done of ${#names[@]} mutants, $((SECONDS * (${#names[@]} - done) / done / 60 + 1)) min left"
done <&"$apart"
end_apart
caught=$(printf '%s\n' "${checks[@]}" | grep -c ': caught' || :)
uncompiled=$(printf '%s\n' "${checks[@]}" | grep -c 'does not compile$' || :)
# What fails now fails for another reason than a defect, such as a full disk.
whole 0
verdict=$(tried 0) || verdict=survives
check "without a defect, the kernel still passes: $verdict" test "$verdict" == survives
check "all mutants were tried" test "$done" == ${#names[@]}
report "$results/generated.tap" "$caught mutants caught, of ${#names[@]}; $uncompiled do not compile; $(grep -c '^[^#]' "$accepted" || :) cannot be caught"
count "$results/generated.tap"
