#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds a Debian package and a static program, and says where they are.
# Takes cargo-deb (cargo install cargo-deb), and for the static program the
# package musl-tools and the sources of the standard library: rust-src, or with
# Debian 12's rustc-web, rust-web-src.
# usage: build.sh [FOLDER], by default target/ of the workspace
set -euo pipefail
cd "${0%/*}/.."
folder=$(realpath -m "${1:-target}")
export CARGO_TARGET_DIR=$folder

cargo build --release --locked --package mptcp-subflows-cli
generated=$folder/release/generated
"$folder/release/mptcp-subflows" generate "$generated"
gzip -9fn "$generated"/*.1
# The name of an older package has another version.
rm -f "$folder"/mptcp-subflows_*.deb
cargo deb --no-build --locked --package mptcp-subflows-cli --output "$folder/"

# Debian has no package of the standard library for musl: it is built as well,
# without backtraces, which are most of it.
musl=x86_64-unknown-linux-musl
# The standard library needs libunwind, which gcc has in libgcc_eh. That of
# Debian needs glibc. In its place, backtraces end at once (_URC_END_OF_STACK),
# and the rest is never called, as a panic aborts.
unwind=$folder/unwind
mkdir -p "$unwind"
{
	echo 'int _Unwind_Backtrace(void *trace, void *argument) { return 5; }'
	printf 'void _Unwind_%s(void) { __builtin_trap(); }\n' DeleteException FindEnclosingFunction \
		GetCFA GetDataRelBase GetIP GetIPInfo GetLanguageSpecificData GetRegionStart GetTextRelBase \
		RaiseException SetGR SetIP
} | musl-gcc -x c -c -o "$unwind/unwind.o" -
rm -f "$unwind/libunwind.a"
ar rc "$unwind/libunwind.a" "$unwind/unwind.o"
CARGO_PROFILE_RELEASE_PANIC=abort RUSTC_BOOTSTRAP=1 \
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=musl-gcc \
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS='-C target-feature=+crt-static -C link-self-contained=no' \
	cargo rustc --release --locked --package mptcp-subflows-cli --target "$musl" \
	-Z build-std=std,panic_abort -Z build-std-features= -- -L "native=$unwind" -C relocation-model=static

echo "$folder"/mptcp-subflows_*.deb
echo "$folder/$musl/release/mptcp-subflows"
