# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2153
# Sourced by the suites. Each test that runs in a guest leaves a file of KTAP in the
# folder of results. All checks of a suite share one such file.
set -euo pipefail

results=$OUT/results-$KIND
boots=0
reports=0
# What the report of a defect in a kernel log contains.
complaint='Call [Tt]race:|Kernel panic|Oops|WARNING: |BUG: |UBSAN: |INFO: |kmemleak: [0-9]+ new'

# Suites share folders, so only one runs at a time. A suite that is called by another one needs no lock.
[[ ${SUITE_IN:-} == "$OUT" ]] || lock "$OUT/suites.lock"
export SUITE_IN=$OUT

# compare_with KIND: sets of_c, the C kernel that a suite compares with.
compare_with() {
	of_c=$1
	[[ $KIND != "$of_c" ]] || die "IMPL=c: the C kernel cannot be compared with itself"
	[[ $FLAVOUR != ipv4 ]] || die "FLAVOUR=ipv4: the requests need IPv6; run make test-ipv4"
}

# check NAME COMMAND...: one test, which passes if the command succeeds.
checks=()
check() {
	local name=$1 result output
	shift
	output=$("$@" 2>&1 </dev/null) && result=ok || result='not ok'
	checks+=("$result $((${#checks[@]} + 1)) $name")
	echo "${checks[-1]}"
	[[ $result == ok ]] || printf '# %s\n' "${output//$'\n'/$'\n'# }"
}

# report FILE [FIGURE]...: writes the checks so far as KTAP, with figures that count.py shows.
report() {
	local figures=("${@:2}")
	printf '%s\n' 'KTAP version 1' "1..${#checks[@]}" "${checks[@]}" "${figures[@]/#/# figure: }" >"$1"
}

# count FILE...: shows the results in files of KTAP. Fails if a test failed, or if there is none.
count() {
	"$TESTBED/suites/count.py" "$SRC/tools/testing/kunit" "$@"
}

# build_once KIND: builds a kernel. Scripts that this one calls then use that build, and do not look for
# changes again.
build_once() {
	with "$1" "$TESTBED/kernel/build.sh"
	export BUILT_KINDS="${BUILT_KINDS:-} $1"
}

# begin: builds the kernel, and empties the folder of results.
begin() {
	build_once "$KIND"
	# Not before the build, since unpacking a new base removes the folder.
	rm -rf "$results"
	mkdir "$results"
	check "kernel: no warning from the $KIND build" no_warning "$LOGS/build-$KIND.log"
}

# Tests that may be skipped, as patterns of KIND NAME # SKIP REASON.
may_skip=(
	'^um-.* # SKIP copies from user memory ignore PROT_NONE'
	' promtool_accepts_the_metrics # SKIP needs promtool'
	' the_list_is_that_of_ss # SKIP needs a machine that is not emulated'
	# The ss of Debian 12 is too old.
	' diag: [.]*chk last_(data_sent|data_recv|ack_recv) # SKIP'
)

# no_other_skips KIND FILE: prints the tests that were skipped, and may not be. Fails if there are any, or no results.
no_other_skips() {
	[[ -s $2 ]] && ! sed -nE "/# SKIP/s/^ *ok [0-9]+ (- )?/$1 /p" "$2" | grep -vE "$(IFS='|' && echo "${may_skip[*]}")"
}

# suite NAME KIND COMMAND [VM-OPTION]...: boots a kernel for a command that prints KTAP.
suite() {
	local name=$1 kind=$2 command=$3 status
	shift 3
	with "$kind" "$TESTBED/guest/vm.sh" -n "$name" -d 3000 "$@" "$command" |
		tee "$results/$name-$kind.tap" && status=0 || status=$?
	check "$name-$kind: the guest ends with exit status 0" test "$status" == 0
	# KUnit's results are in the kernel log.
	[[ $name == kunit ]] ||
		check "$name-$kind: nothing is skipped that could run" no_other_skips "$kind" "$results/$name-$kind.tap"
	quiet "$name-$kind"
}

# selftest NAME KIND COMMAND [VM-OPTION]...: the same, in the folder of the selftests.
selftest() {
	suite "$1" "$2" "cd $kselftest/net/mptcp && $3" "${@:4}"
}

# quiet BOOT: tests that the kernel reported no defect.
quiet() {
	boots=$((boots + 1))
	check "$1: no report in the kernel log" no_report "$LOGS/console-$1.log"
	[[ ${checks[-1]} == ok* ]] || reports=$((reports + 1))
}

# no_report LOG: shows each report of a defect, and what the guest was running at the time. Fails if there is one.
no_report() {
	[[ -s $1 ]] || { echo "$1 is empty"; return 1; }
	own_races "$1" | awk -v complaint="$complaint" -v file="$1" -v running='the boot' '
		sub(/.*testbed: running /, "") { running = $0 }
		$0 ~ complaint { if (left <= 0) print file ":" NR ", while " running " ran:"; left = 40; bad = 1 }
		left-- > 0
		END { exit bad }'
}

# own_races LOG: prints the log without the first line of each KCSAN report that involves no getsockopt call.
# Those races are mainline's own, and must not count as reports.
own_races() {
	awk -v own='mptcp_getsockopt' '
		function end() { if (text !~ own) sub(/^[^\n]*/, "", text); printf "%s", text; race = 0 }
		/BUG: KCSAN/ { if (race) end(); race = 1; text = "" }
		!race { print; next }
		{ text = text $0 "\n" }
		/^=+\r?$/ { end() }
		END { if (race) end() }' "$1"
}

# failed LOG: prints the first test that failed. Fails if none did.
failed() {
	sed -n '/^ *not ok/{s/^ *not ok [0-9]* //; s/\r$//; p; q}' "$1" | grep .
}

# no_warning LOG: rustc's warning of a target feature that the kernel's makefile for s390 turns on does not count.
no_warning() {
	[[ -f $1 ]] && ! grep -ni 'warning' "$1" | grep -v 'feature.*backchain.$\|warning: 1 warning emitted$'
}

# instrumented OBJECT PREFIX: whether it calls functions of a sanitizer.
instrumented() {
	llvm-nm -u "$1" | grep "$2"
}

# script NAME [ARGUMENT]...: runs a suite that writes its own KTAP.
script() {
	local status
	"$TESTBED/suites/$1" "${@:2}" && status=0 || status=$?
	check "$* ends with exit status 0" test "$status" == 0
}

# start NAME COMMAND: starts a suite that writes its own KTAP, in the background.
start() {
	say "running $1 in the background (log: ${LOGS#"$TOP"/}/$1.log)"
	# In a process group of its own, so that it can be ended as a whole.
	set -m
	"$2" >"$LOGS/$1.log" 2>&1 </dev/null &
	started=$!
	set +m
	trap 'kill -- -$started 2>/dev/null || :' EXIT
}

# apart COMMAND...: runs it in the background, in a process group of its own that ends with this script.
# What it prints can be read from the file descriptor $apart.
apart() {
	local fifo=$OUT/apart.$$
	mkfifo "$fifo"
	set -m
	"$@" >"$fifo" </dev/null &
	apart_group=$!
	set +m
	trap end_apart EXIT
	exec {apart}<"$fifo"
	rm "$fifo"
}

# end_apart: ends it, if it has not ended.
end_apart() {
	kill -- "-$apart_group" 2>/dev/null || :
	wait "$apart_group" || :
	exec {apart}<&-
	trap - EXIT
}

# finish NAME: waits for the suite that was started, and shows its output.
finish() {
	local status
	say "waiting for $1"
	wait "$started" && status=0 || status=$?
	trap - EXIT
	cat "$LOGS/$1.log"
	check "$1 ends with exit status 0" test "$status" == 0
}

# kunit KIND: runs MPTCP's KUnit tests, the series' and mainline's, whose KTAP is in the kernel log.
kunit() {
	suite kunit "$1" true "${kunit[@]}"
	cp "$LOGS/console-kunit-$1.log" "$results/kunit-$1.tap"
	check "kunit-$1: nothing is skipped that could run" no_other_skips "$1" "$results/kunit-$1.tap"
}
kunit=(-a kunit.enable=1 -a kunit.autorun=1 -a "kunit.filter_glob=mptcp*")

# Longer timeouts and fewer connections, for mainline's scripts on an emulated machine. What a script does
# during a transfer must be done before the transfer ends, so transfers are made slower, too. simult_flows.sh
# then tests only that all data arrive, not how soon.
slower=(
	's/^timeout_poll=[0-9]*$/timeout_poll=300/'
	's/^slack=50$/slack=300000/'
	's/timeout_test=120 /timeout_test=1200 /'
	's/ -w 20 / -w 600 /'
	's/ -w 300 / -w 3000 /'
	's/local timeout=20$/local timeout=300/'
	's/"-r 50"$/"-r 15"/'
	's/^NR_CLIENTS=100$/NR_CLIENTS=20/'
	's/^NR_SERVERS=100$/NR_SERVERS=20/'
)

kselftest=$OUT/kselftest
[[ $ARCH == x86_64 ]] || kselftest+=-$ARCH
# Only x86_64 runs 32-bit programs as well, and has what mainline's scripts need. For the others, only the
# selftest of the series is built.
selftests() {
	local log=$LOGS/selftests.log cross=${CROSS:+--target=$CROSS -fuse-ld=lld}
	if [[ $ARCH == x86_64 ]]; then
		all_selftests
	else
		built_apart "$kselftest" "$cross -Werror" "$kselftest/net/mptcp/mptcp_subflow_info" &&
			# The selftest runs this program of mainline, which has a warning on 32 bits.
			built_apart "$kselftest" "$cross -Wno-format" "$kselftest/net/mptcp/pm_nl_ctl"
	fi >"$log" 2>&1 || { tail "$log"; return 1; }
	no_warning "$log"
}

# built_apart FOLDER CFLAGS FILE...: builds programs of MPTCP's selftests, which need no configured kernel.
built_apart() {
	local of=${ARCH/um/x86_64}
	local headers=$OUT/headers-$of
	mkdir -p "$1/net/mptcp" &&
		OBJ=$headers ARCH=$of kmake headers_install &&
		ARCH=$of kmake -C tools/testing/selftests/net/mptcp USERCFLAGS="$2" KHDR_INCLUDES="-isystem $headers/usr/include" \
			OUTPUT="$1/net/mptcp" "${@:3}"
}

# All selftests of MPTCP, with mainline's made slower; and the series' as a 32-bit program.
all_selftests() {
	local change before
	kmake kselftest-install TARGETS=net/mptcp INSTALL_PATH="$kselftest" USERCFLAGS=-Werror &&
		built_apart "$kselftest-32" '-m32 -Werror' "$kselftest-32/net/mptcp/mptcp_subflow_info" &&
		# The selftest runs this program, whose 32-bit build has a warning.
		cp "$kselftest/net/mptcp/pm_nl_ctl" "$kselftest-32/net/mptcp" || return 1
	for change in "${slower[@]}"; do
		before=$(cat "$kselftest"/net/mptcp/*.sh | cksum)
		sed -i "$change" "$kselftest"/net/mptcp/*.sh
		[[ $(cat "$kselftest"/net/mptcp/*.sh | cksum) != "$before" ]] || { echo "nothing in mainline's scripts matches $change"; return 1; }
	done
}

check_selftests() {
	say "building the selftests"
	check "selftests: build without a warning" selftests
}

# build_tests NAME FOLDER [CARGO-OPTION]...: builds the tests of the crates in FOLDER, and lists their programs in
# a file for test_programs. Another script may do the same at the same time.
build_tests() {
	local list=$TOP/out/tests/$1.list
	mkdir -p "$TOP/out/tests"
	cargo test --manifest-path "$2/Cargo.toml" --target-dir "$TOP/out/tests" --locked "${@:3}" \
		--lib --bins --tests --no-run --message-format json-render-diagnostics |
		jq -r 'select(.profile.test and .executable) | .executable' >"$list.$$" ||
		{ rm -f "$list" "$list.$$"; return 1; }
	mv "$list.$$" "$list"
}

# test_programs NAME: sets programs, if they have been built.
test_programs() {
	[[ -f $TOP/out/tests/$1.list ]] && mapfile -t programs <"$TOP/out/tests/$1.list"
}

# mptcp-subflows, for build_tests and cargo_tests.
crate=("$TOP/tools/net/mptcp-subflows" --workspace --all-features)

# crate_suite KIND: the tests of mptcp-subflows in a guest.
crate_suite() {
	local programs
	test_programs crate || return 0
	suite crate "$1" "$TESTBED/suites/rust-tests.sh ${programs[*]}"
}

# put_defect TREE NAME [PATCH-OPTION]...: puts a defect of mutants/ into a tree.
put_defect() {
	patch -s -d "$1" -p1 -F0 --no-backup-if-mismatch "${@:3}" <"$TESTBED/suites/mutants/$2.patch"
}

# cargo_tests NAME FOLDER [CARGO-OPTION]...
cargo_tests() {
	local name=$1 log=$LOGS/$1-test.log status programs
	local crate=(--manifest-path "$2/Cargo.toml" --target-dir "$TOP/out/tests" --locked "${@:3}")
	check "$name: cargo fmt" cargo fmt "${crate[@]:0:2}" --all --check
	check "$name: cargo clippy" cargo clippy "${crate[@]}" --all-targets -- -D warnings
	check "$name: the tests build" build_tests "$@"
	# A file without a test counts as a failure.
	: >"$results/$name.tap"
	if test_programs "$name"; then
		"$TESTBED/suites/rust-tests.sh" "${programs[@]}" 2>"$log" | tee "$results/$name.tap" && status=0 || status=$?
		check "$name: the tests end with exit status 0" ended_well "$status" "$log"
	fi
	check "$name: cargo test --doc" cargo test "${crate[@]}" --doc
}

# ended_well STATUS LOG
ended_well() {
	((! $1)) || { cat "$2"; return 1; }
}

# summary [FILE]...: writes the results of the checks, and shows all results, with those of a suite that
# this one has called.
summary() {
	report "$results/checks.tap" "$reports reports in $boots kernel logs"
	count "$results"/*.tap "$@"
}
