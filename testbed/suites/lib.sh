# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2153
# Sourced by who runs the tests: each suite leaves a file of KTAP in the folder
# of results, and a last one is for the checks.
set -euo pipefail

results=$OUT/results-$KIND
boots=0
reports=0
# What a kernel says of a defect.
complaint='Call Trace:|Kernel panic|Oops|WARNING: |BUG: |UBSAN: |INFO: |kmemleak: [0-9]+ new'

# check NAME COMMAND...: one test, by its exit status.
checks=()
check() {
	local name=$1 result said
	shift
	said=$("$@" 2>&1 </dev/null) && result=ok || result='not ok'
	checks+=("$result $((${#checks[@]} + 1)) $name")
	echo "${checks[-1]}"
	[[ $result == ok ]] || printf '# %s\n' "${said//$'\n'/$'\n'# }"
}

# report FILE [FIGURE]...: the checks up to now, as KTAP, and how many of what they had.
report() {
	local figures=("${@:2}")
	printf '%s\n' 'KTAP version 1' "1..${#checks[@]}" "${checks[@]}" "${figures[@]/#/# figure: }" >"$1"
}

# count FILE...: reads what these hold with the kernel's own parser. Fails if a test did, or there is none.
count() {
	"$TESTBED/suites/count.py" "$SRC/tools/testing/kunit" "$@"
}

# build_once KIND: builds a kernel, which from then on is the one that is tested: no script that
# is called looks for changes.
build_once() {
	with "$1" "$TESTBED/kernel/build.sh"
	export BUILT_KINDS="${BUILT_KINDS:-} $1"
}

# The kernel, and an empty folder for what its tests say.
begin() {
	build_once "$KIND"
	# Not before: where the base is unpacked, all else goes.
	rm -rf "$results"
	mkdir "$results"
	check "kernel: no warning from the $KIND build" no_warning "$LOGS/build-$KIND.log"
}

# suite NAME KIND COMMAND [VM-OPTION...]: a boot, where the command prints KTAP.
suite() {
	local name=$1 kind=$2 command=$3 status
	shift 3
	with "$kind" "$TESTBED/guest/vm.sh" -n "$name" -d 400 "$@" "$command" |
		tee "$results/$name-$kind.tap" && status=0 || status=$?
	check "$name-$kind: the guest ends with exit status 0" test "$status" == 0
	quiet "$name-$kind"
}

# quiet BOOT: whether the kernel had nothing to complain of.
quiet() {
	boots=$((boots + 1))
	check "$1: no report in the kernel log" no_report "$LOGS/console-$1.log"
	[[ ${checks[-1]} == ok* ]] || reports=$((reports + 1))
}

# What a guest runs, it says in the log: so each report is shown with what it came from.
no_report() {
	[[ -s $1 ]] || { echo "$1 is empty"; return 1; }
	own_races "$1" | awk -v complaint="$complaint" -v file="$1" -v running='the boot' '
		sub(/.*testbed: running /, "") { running = $0 }
		$0 ~ complaint { if (left <= 0) print file ":" NR ", while " running " ran:"; left = 40; bad = 1 }
		left-- > 0
		END { exit bad }'
}

# KCSAN finds races in any kernel. Of a log, the first line is left empty of those in which no request
# for an option takes part.
own_races() {
	awk -v own='mptcp_getsockopt' '
		function end() { if (text !~ own) sub(/^[^\n]*/, "", text); printf "%s", text; race = 0 }
		/BUG: KCSAN/ { if (race) end(); race = 1; text = "" }
		!race { print; next }
		{ text = text $0 "\n" }
		/^=+\r?$/ { end() }
		END { if (race) end() }' "$1"
}

no_warning() {
	! grep -ni 'warning' "$@"
}

# script NAME: runs one that leaves KTAP of its own.
script() {
	local status
	"$TESTBED/suites/$1" && status=0 || status=$?
	check "$1 ends with exit status 0" test "$status" == 0
}

# start NAME COMMAND: begins what leaves KTAP of its own, beside what follows.
start() {
	say "beside what follows, $1 is at work (log: ${LOGS#"$TOP"/}/$1.log)"
	# A group of its own, so that it can be ended as a whole.
	set -m
	"$2" >"$LOGS/$1.log" 2>&1 </dev/null &
	started=$!
	set +m
	trap 'kill -- -$started 2>/dev/null || :' EXIT
}

# finish NAME: waits for it.
finish() {
	local status
	say "waiting for $1"
	wait "$started" && status=0 || status=$?
	trap - EXIT
	cat "$LOGS/$1.log"
	check "$1 ends with exit status 0" test "$status" == 0
}

# kunit KIND: our tests that run in the kernel itself.
kunit() {
	suite kunit "$1" true "${kunit[@]}"
	cp "$LOGS/console-kunit-$1.log" "$results/kunit-$1.tap"
}
kunit=(-a kunit.enable=1 -a kunit.autorun=1 -a "kunit.filter_glob=mptcp*")

# Builds mainline's selftests and ours, which is a 32-bit program as well.
kselftest=$OUT/kselftest
selftests() {
	local log=$LOGS/selftests.log
	{ kmake kselftest-install TARGETS=net/mptcp INSTALL_PATH="$kselftest" &&
		mkdir -p "$kselftest-32" &&
		kmake -C tools/testing/selftests/net/mptcp USERCFLAGS=-m32 KHDR_INCLUDES="-isystem $OBJ/usr/include" \
			OUTPUT="$kselftest-32" "$kselftest-32/mptcp_subflow_info" &&
		# Which it runs.
		cp "$kselftest/net/mptcp/pm_nl_ctl" "$kselftest-32"; } >"$log" 2>&1 ||
		{ tail "$log"; return 1; }
	no_warning "$log" || return 1
	# An emulated machine needs more time than mainline's scripts have, and has it for fewer connections;
	# and what they do meanwhile must be done before the last of a connection's data is sent.
	sed -i 's/^timeout_poll=[0-9]*$/timeout_poll=300/; s/ -w 20 / -w 600 /
		s/local timeout=20$/local timeout=300/; s/"-r 50"$/"-r 15"/; s/^\(NR_CLIENTS\|NR_SERVERS\)=100$/\1=20/' "$kselftest"/net/mptcp/*.sh
}

check_selftests() {
	say "building the selftests"
	check "selftests: build without a warning" selftests
}

# Writes the results of the checks, and shows all that there are.
summary() {
	report "$results/checks.tap" "$reports reports in $boots kernel logs"
	count "$results"/*.tap
}
