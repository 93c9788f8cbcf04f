#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the series with configurations that no other suite has, and boots two of them. The last line counts the
# results.
# usage: test-configs.sh [NAME]..., where NAME is rt, kmsan, or an argument of config.sh
set -euo pipefail
export FLAVOUR=plain IMPL=rust
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

# each COMMAND: runs it with each name, on all processors.
each() {
	printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -n 1 "$@"
}

# lacks KIND SYMBOL...: tests that a kernel is built without them.
lacks() {
	[[ -s $OUT/$1/.config ]] && ! grep -xE "CONFIG_($(IFS='|' && echo "${*:2}"))=y" "$OUT/$1/.config"
}

# build_all: builds what the series touches with each name.
build_all() {
	local name verdict done=0
	for name in "${names[@]}"; do
		[[ $name == bindgen-* ]] || continue
		"$TESTBED/kernel/install.sh" libclang1-19
		BINDGEN_VERSION=${name#*-} "$TESTBED/kernel/tools.sh"
	done
	mkdir -p "$OUT/configs"
	say "building ${#names[@]} configurations (one to three minutes each)"
	apart each "$TESTBED/suites/config.sh"
	while read -r name verdict; do
		check "$name: $verdict" test "$verdict" == builds
		done=$((done + 1))
	done <&"$apart"
	end_apart
	check "all configurations were built" test "$done" == ${#names[@]}
}

# boot FLAVOUR: builds a whole kernel, and runs the tests of the series on it.
boot() {
	local kind=$1-rust
	build_once "$kind"
	check "kernel: no warning from the $kind build" no_warning "$LOGS/build-$kind.log"
	[[ $1 != kmsan ]] || check "sockopt.o: instrumented for KMSAN" instrumented "$OUT/$kind/net/mptcp/sockopt.o" __msan_
	kunit "$kind"
	[[ $1 != kmsan ]] || check "kmsan: started" grep 'Starting KernelMemorySanitizer' "$LOGS/console-kunit-$kind.log"
	selftest mptcp_subflow_info "$kind" ./mptcp_subflow_info
}

booted=()
names=()
for name; do
	case $name in
	rt | kmsan) booted+=("$name") ;;
	random-*[!0-9]* | random-0?*) die "CONFIGS: $name has a seed that is not a decimal number" ;;
	cfi | lto | allmodconfig | bindgen-[0-9]* | random-[0-9]*) names+=("$name") ;;
	*) die "CONFIGS: there is no configuration $name" ;;
	esac
done

build_once rust
results=$OUT/results-configs
rm -rf "$results"
mkdir "$results"
if [[ $# == 0 ]]; then
	booted=(rt kmsan)
	names=(cfi lto allmodconfig "bindgen-$("$SRC/scripts/min-tool-version.sh" bindgen)" random-{1..32})
	# make quick boots this one.
	build_once um-rust
	check "kernel: no warning from the um-rust build" no_warning "$LOGS/build-um-rust.log"
	check "um-rust: built without INET_DIAG and SYN_COOKIES" lacks um-rust INET_DIAG SYN_COOKIES
fi
if [[ ${#names[@]} -gt 0 ]]; then
	build_all
fi
if [[ ${#booted[@]} -gt 0 ]]; then
	check_selftests
	for name in "${booted[@]}"; do
		boot "$name"
	done
fi
summary
