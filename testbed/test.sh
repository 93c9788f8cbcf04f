#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs every test. Each suite leaves a file of KTAP; the last line counts them all.
set -euo pipefail
. "${0%/*}/lib.sh"
. "$TESTBED/check.sh"

results=$OUT/results
crate=(--manifest-path "$TOP/tools/net/mptcp-subflows/Cargo.toml" --target-dir "$TOP/out/crate" --locked)
kselftest=$OUT/kselftest

# suite NAME [FLAVOUR-]IMPL COMMAND [VM-OPTION...]: a boot, where the command prints KTAP.
suite() {
	local name=$1 kind=$2 command=$3 flavour=plain status
	shift 3
	[[ $kind != *-* ]] || flavour=${kind%-*}
	FLAVOUR=$flavour IMPL=${kind##*-} "$TESTBED/vm.sh" -n "$name" -d 400 "$@" "$command" |
		tee "$results/$name-$kind.tap" && status=0 || status=$?
	check "$name-$kind: the guest ends with exit status 0" test "$status" == 0
	check "$name-$kind: no splat in the kernel log" no_splat "$LOGS/console-$name-$kind.log"
}

no_splat() {
	[[ -s $1 ]] || { echo "$1 is empty"; return 1; }
	! grep -n -A 30 'Call Trace:\|Kernel panic\|Oops\|WARNING: \|BUG: ' "$1"
}

no_warning() {
	! grep -ni 'warning' "$@"
}

no_panic_path() {
	local undefined
	undefined=$(llvm-nm -u "$1") || return 1
	! grep 'panic' <<<"$undefined"
}

# beside FOLDER SOURCE MAKE-ARGUMENT...: a build that starts from the kernel's own objects.
beside() {
	local objects=$OUT/$1
	seed "$objects" "$OBJ"
	cmp -s "$OBJ/.config" "$objects/.config" || cp "$OBJ/.config" "$objects"
	SRC=$2 OBJ=$objects kmake -s -j"$(nproc)" "${@:3}"
}

# With its option off, the series leaves the compiled code as the base has it.
same_code() {
	local object
	beside pristine "$PRISTINE" rust/ net/mptcp/ || return 1
	(cd "$OUT/pristine" && find rust net/mptcp -name '*.o') | while read -r object; do
		diff <(disassembled "$OUT/pristine/$object") <(disassembled "$OBJ/$object") >"$LOGS/same_code.diff" ||
			{ echo "$object differs:"; head -n 20 "$LOGS/same_code.diff"; return 1; }
	done
}

disassembled() {
	(cd "${1%/*}" && llvm-objdump -dr "${1##*/}")
}

crate_tests() {
	local log=$LOGS/crate-test.log status=0
	# The runner lets the test programs, and nothing else, print JSON.
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='env RUSTC_BOOTSTRAP=1' \
		cargo test "${crate[@]}" --no-fail-fast --lib --bins --tests -- -Z unstable-options --format json \
		>"$log" 2>&1 || status=$?
	jq -rRn '[inputs | fromjson? | select(.type == "test" and .event != "started")]
		| "KTAP version 1", "1..\(length)", (to_entries[]
			| (.value.stdout // empty | split("\n")[] | "# " + .),
			(if .value.event == "failed" then "not " else "" end) + "ok \(.key + 1) \(.value.name)"
			+ (if .value.event == "ignored" then " # SKIP" else "" end))' \
		<"$log" | tee "$results/crate.tap"
	check "crate: cargo test" test "$status" == 0
}

selftests() {
	local log=$LOGS/selftests.log
	kmake kselftest-install TARGETS=net/mptcp INSTALL_PATH="$kselftest" >"$log" 2>&1 ||
		{ tail "$log"; return 1; }
	no_warning "$log"
}

"$TESTBED/build.sh"
# Not before: where the base is unpacked, all else goes.
rm -rf "$results"
mkdir "$results"

say "checking the sources"
check "shellcheck" shellcheck "$TESTBED"/*.sh "$TESTBED"/guest/*.sh "$TOP/.ci/run"
check "crate: cargo fmt" cargo fmt "${crate[@]:0:2}" --check
check "crate: cargo clippy" cargo clippy "${crate[@]}" --all-targets -- -D warnings
say "running the crate's tests"
crate_tests
check "crate: cargo test --doc" cargo test "${crate[@]}" --doc
check "kernel: rustfmtcheck" kmake rustfmtcheck
check "kernel: no warning from the $KIND build" no_warning "$LOGS/build-$KIND.log"

say "building the selftests"
check "selftests: build without a warning" selftests

say "building the documentation (about three minutes)"
check "documentation: no warning about the pages" "$TESTBED/docs.sh" html
check "documentation: no warning about the Rust code" "$TESTBED/docs.sh" rust
check "documentation: the example compiles, with gcc and clang" "$TESTBED/example.sh"

in_guest="cd $kselftest/net/mptcp &&"
# Those variants of the selftest's that need no IPv6.
ipv4=(ipv4 ipv4_any ipv4_{1,2,3} tcpinfo{,_1} addrs_1 subflow_addrs full_info)
suite mptcp_sockopt "$KIND" "$in_guest ./mptcp_sockopt.sh"
suite mptcp_subflow_info "$KIND" "$in_guest ./mptcp_subflow_info"
suite example "$KIND" "$TESTBED/guest/example.sh $OUT/example"
if [[ $KIND == rust ]]; then
	suite kunit rust true -a kunit.enable=1 -a kunit.autorun=1 -a "kunit.filter_glob=mptcp*"
	cp "$LOGS/console-kunit-rust.log" "$results/kunit-rust.tap"
	say "building with clippy (about two minutes)"
	check "kernel: clippy" beside clippy "$SRC" CLIPPY=1 rust/ net/mptcp/
	check "subflow_info.o: no panic path" no_panic_path "$OBJ/net/mptcp/subflow_info.o"

	FLAVOUR=ipv4 "$TESTBED/build.sh"
	check "kernel: no warning from the build without IPv6" no_warning "$LOGS/build-ipv4-rust.log"
	suite mptcp_subflow_info ipv4-rust "$in_guest ./mptcp_subflow_info${ipv4[*]/#/ -v }"

	# The C implementation is the oracle of the selftest.
	IMPL=c "$TESTBED/build.sh"
	suite mptcp_subflow_info c "$in_guest ./mptcp_subflow_info"
	suite example c "$TESTBED/guest/example.sh $OUT/example"
	check "kernel: no warning from the c build" no_warning "$LOGS/build-c.log"
	# The user's own tree may not be clean, and the kernel builds beside a clean one only.
	if [[ ! $KERNEL ]]; then
		say "building the base without the series (about two minutes)"
		OBJ=$OUT/c check "kernel: the same code as the base's with the option off" same_code
	fi
fi

report "$results/checks.tap"
"$TESTBED/count.py" "$SRC/tools/testing/kunit" "$results"/*.tap
