#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Compiles the example of Documentation/networking/mptcp-info.rst: as it is, and
# with headers that know more than the kernel.
set -euo pipefail
. "${0%/*}/../lib.sh"

out=$OUT/example
headers=$OBJ/usr/include
rm -rf "$out"
mkdir -p "$out"
awk '/^\t:caption: subflows.c$/ { on = 1; next } on && /^[^\t]/ { exit } on { sub(/^\t/, ""); print }' \
	"$TOP/Documentation/networking/mptcp-info.rst" >"$out/subflows.c"
kmake -s headers

# compiled COMPILER NAME [SED-SCRIPT]: with headers that are changed by the script.
compiled() {
	local header changed=$out/$2-headers
	mkdir -p "$changed/linux"
	for header in linux/mptcp.h linux/tcp.h; do
		sed "${3:-}" "$headers/$header" >"$changed/$header"
	done
	"$1" -Wall -Wextra -Werror -O2 -isystem "$changed" -isystem "$headers" -o "$out/$2" "$out/subflows.c"
}

longer='/^struct \(mptcp_subflow_addrs\|mptcp_subflow_info\|mptcp_info\|tcp_info\) {/,/^};/s/^};/\t__u64 future[5];\n};/'
unknown='s/^\(#define MPTCP_FULL_INFO\).*/\1 1000/'
compiled gcc gcc
compiled clang clang
compiled clang longer "$longer"
compiled clang unknown "$unknown"
compiled clang longer-unknown "$longer;$unknown"
[[ $(cat "$out"/longer-unknown-headers/linux/*.h | grep -c 'future\|MPTCP_FULL_INFO 1000') == 5 ]] ||
	die "the headers in $headers are not written as testbed/suites/example.sh expects: it cannot change them"
