#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Extracts the examples of Documentation/networking/mptcp-info.rst, and compiles the one in C with the
# base's headers, with older ones, and with headers that are newer than the kernel.
set -euo pipefail
. "${0%/*}/../lib.sh"

out=$OUT/example
headers=$OBJ/usr/include
rm -rf "$out"
mkdir -p "$out"
for file in subflows.c subflows.py; do
	awk -v caption="\t:caption: $file" '
		$0 == caption { on = 1; next }
		on && /^[^\t]/ { exit }
		on { sub(/^\t/, ""); print }' "$TOP/Documentation/networking/mptcp-info.rst" >"$out/$file"
	[[ -s $out/$file ]] || die "mptcp-info.rst has no example with the caption $file"
done
kmake -s headers

# compile COMPILER NAME [OPTION]...
compile() {
	"$1" -Wall -Wextra -Werror -O2 "${@:3}" -o "$out/$2" "$out/subflows.c"
}

# compile_changed NAME SED-SCRIPT: compiles with headers that the script has changed.
compile_changed() {
	local header changed=$out/$1-headers
	mkdir -p "$changed/linux"
	for header in linux/mptcp.h linux/tcp.h; do
		sed "$2" "$headers/$header" >"$changed/$header"
	done
	compile clang "$1" -isystem "$changed" -isystem "$headers"
}

# Newer headers: with longer structures, and with an option that the kernel does not know.
longer='/^struct \(mptcp_subflow_addrs\|mptcp_subflow_info\|mptcp_info\|tcp_info\) {/,/^};/s/^};/\t__u64 future[5];\n};/'
unknown='s/^\(#define MPTCP_FULL_INFO\).*/\1 1000/'
compile gcc gcc -isystem "$headers"
compile clang clang -isystem "$headers"
# Debian 12's headers, where both structures are as long as in 5.16, the first kernel with the options.
compile gcc machine
echo '_Static_assert(sizeof(struct tcp_info) == 232 && sizeof(struct mptcp_info) == 48, "sizes of Linux 5.16");' |
	gcc -include linux/tcp.h -include linux/mptcp.h -fsyntax-only -x c - || die "linux-libc-dev is not Debian 12's"
compile_changed longer "$longer"
compile_changed unknown "$unknown"
compile_changed longer-unknown "$longer;$unknown"
[[ $(cat "$out"/longer-unknown-headers/linux/*.h | grep -c 'future\|MPTCP_FULL_INFO 1000') == 5 ]] ||
	die "the headers in $headers are not written as ${0##*/} expects: it cannot change them"

# The recipe in Python, as a program with the arguments of the one in C.
cat >"$out/python" <<-'END'
	#!/usr/bin/python3
	import socket
	import sys

	from subflows import subflows

	connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
	connection.connect((sys.argv[1], int(sys.argv[2])))
	for line in sys.stdin:
	    connection.send(line.encode())
	    try:
	        print(subflows(connection.fileno(), room=1), flush=True)
	    except OSError as error:
	        print(error, flush=True)
END
chmod +x "$out/python"
