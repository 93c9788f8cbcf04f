#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checks that the Rust kernel has no code of the C functions that Rust replaces, nor of
# functions that only these call. The compiler inlines most of them, so the symbols of
# sockopt.o do not show this. So sockopt.c is compiled again for both kernels, without
# inlining.
# usage: c-dropped.sh RUST-OBJECTS C-OBJECTS
set -euo pipefail
. "${0%/*}/../lib.sh"

rust=$1 c=$2
file=net/mptcp/sockopt
replaced='mptcp_getsockopt_(tcpinfo|subflow_addrs|full_info)'
work=$OUT/c-dropped
mkdir -p "$work"

# compile OBJECTS TO: compiles as the kernel build does, but without inlining.
compile() {
	local command
	"$SRC/scripts/clang-tools/gen_compile_commands.py" -d "$1" -o "$work/commands.json" "$1/net/mptcp"
	command=$(jq -er ".[] | select(.file | endswith(\"$file.c\")).command" "$work/commands.json") ||
		die "$1 has no $file.o"
	command=$(sed "s|-Wp,-MMD,[^ ]*||; s| -o [^ ]*| -o $2|" <<<"$command")
	(cd "$1" && eval "$command -fno-inline -ffunction-sections")
}

# functions OBJECT: lists those that it defines or calls.
functions() {
	llvm-nm "$1" | awk '$(NF - 1) ~ /[TtU]/ && $NF !~ /^__(cfi|pfx)_/ { print $NF }' | sort
}

# Lists the functions of the C kernel that can be reached without the replaced ones, from
# any function that is global in the Rust kernel: some of these are static in the C kernel.
reached() {
	llvm-objdump -dr "$work/c.o" | awk -v replaced="^$replaced\$" \
		-v entries="$(llvm-nm -g --defined-only "$work/rust.o" | awk '{ print $NF }' | xargs)" '
		function walk(name,   i, n, callees) {
			if (name in seen || name ~ replaced)
				return
			seen[name]
			print name
			n = split(calls[name], callees)
			for (i = 1; i <= n; i++)
				walk(callees[i])
		}
		/^[0-9a-f]+ <.*>:$/ { name = substr($2, 2, length($2) - 3) }
		/R_X86_64_/ { sub(/[-+]0x[0-9a-f]+$/, ""); sub(/^\.text\./, "", $NF); calls[name] = calls[name] " " $NF }
		END { n = split(entries, entry); for (i = 1; i <= n; i++) walk(entry[i]) }' | sort
}

compile "$rust" "$work/rust.o"
compile "$c" "$work/c.o"
functions "$work/rust.o" >"$work/rust"
functions "$work/c.o" >"$work/c"
comm -23 "$work/c" <(reached) >"$work/expected"
comm -23 "$work/c" "$work/rust" >"$work/dropped"
[[ $(grep -cxE "$replaced" "$work/expected") == 3 ]] || die "$file.c lacks one of the three functions $replaced"
diff --label expected --label dropped -U 0 "$work/expected" "$work/dropped" ||
	die "the Rust kernel does not drop the expected functions (without inlining)"
left=$(comm -12 "$work/expected" <(functions "$rust/$file.o"))
[[ ! $left ]] || die "$rust/$file.o still has ${left//$'\n'/, }"
say "dropped: $(xargs <"$work/dropped")"
