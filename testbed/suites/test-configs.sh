#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the series with configurations that no other suite has. The last line counts the results.
# usage: test-configs.sh [NAME]..., where NAME is an argument of config.sh
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

# each COMMAND: runs it with each name, on all processors.
each() {
	printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -n 1 "$@"
}

# lacks KIND SYMBOL...: tests that a kernel is built without them.
lacks() {
	! grep -xE "CONFIG_($(IFS='|' && echo "${*:2}"))=y" "$OUT/$1/.config"
}

build_once rust
results=$OUT/results-configs
rm -rf "$results"
mkdir "$results"
oldest=$("$SRC/scripts/min-tool-version.sh" bindgen)
names=("$@")
if [[ $# == 0 ]]; then
	names=(cfi lto allmodconfig "bindgen-$oldest" random-{1..32})
	# make quick boots this one.
	build_once um-rust
	check "kernel: no warning from the um-rust build" no_warning "$LOGS/build-um-rust.log"
	check "um-rust: built without INET_DIAG and SYN_COOKIES" lacks um-rust INET_DIAG SYN_COOKIES
fi
# For the oldest bindgen.
"$TESTBED/kernel/install.sh" libclang1-19
BINDGEN_VERSION=$oldest "$TESTBED/kernel/tools.sh"

mkdir -p "$OUT/configs"
say "building ${#names[@]} configurations (about a minute each)"
apart each "$TESTBED/suites/config.sh"
done=0
while read -r name verdict; do
	check "$name: $verdict" test "$verdict" == builds
	done=$((done + 1))
done <&"$apart"
end_apart
check "all configurations were built" test "$done" == ${#names[@]}
summary
