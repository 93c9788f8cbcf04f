#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds what the series touches with a configuration that no test kernel has. Prints its name and a verdict. The
# objects of one that fails are kept.
# usage: config.sh NAME
# NAME is allmodconfig, random-SEED, or, with the test kernel's configuration, cfi, lto or bindgen-VERSION.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

shopt -s nullglob
name=$1
plain=$OBJ
OBJ=$OUT/configs/$name
log=$LOGS/config-$name.log
goal=allnoconfig
options=()
mapfile -t wanted < <(grep '^CONFIG_' "$plain/.config")
case $name in
cfi)
	wanted+=(CONFIG_CFI=y)
	;;
lto)
	mapfile -t wanted < <(printf '%s\n' "${wanted[@]}" CONFIG_LTO_CLANG_THIN=y | grep -vx CONFIG_LTO_NONE=y)
	;;
bindgen-*)
	options=(BINDGEN="$CACHE/$name/bin/bindgen")
	# bindgen before 0.72.1 does not support a newer libclang. libclang 19 does not know all options of the newer
	# compiler.
	export LIBCLANG_PATH=/usr/lib/llvm-19/lib BINDGEN_EXTRA_CLANG_ARGS=-Wno-unknown-warning-option
	;;
*)
	# What MPTCP_RUST depends on.
	wanted=(CONFIG_{64BIT,NET,INET,MPTCP,RUST,MPTCP_RUST,RANDSTRUCT_NONE}"=y" CONFIG_{MODVERSIONS,DEBUG_INFO_BTF}"=n")
	export KBUILD_KCONFIG=Kconfig
	;;&
allmodconfig)
	goal=allmodconfig
	# As netdev's CI does.
	options=(W=1)
	;;
random-*)
	goal=randconfig
	export KCONFIG_SEED=${name#*-}
	;;
esac

configured() {
	KCONFIG_ALLCONFIG=$OBJ/wanted kmake -s "$goal" && ! grep '=y$' "$OBJ/wanted" | grep -vxFf "$OBJ/.config"
}

# This object defines what the Rust code needs of TCP.
tcp=net/ipv4/tcp.o

built() {
	kmake -s -j2 "${options[@]}" rust/ net/mptcp/ "$tcp"
}

# undefined: prints what the code of the series needs of Rust, MPTCP and TCP, but no object defines. What sanitizers
# and inlined helpers need besides is in the rest of the kernel, which is not built. Code that a build_assert!() leaves
# in place calls rust_build_error.
undefined() {
	local own others defined
	rm rust/build_error.o
	own=$(llvm-nm -uj net/mptcp/subflow_info.o) && others=$(llvm-nm -uj rust/kernel.o net/mptcp/sockopt.o) &&
		defined=$(llvm-nm -Uj rust/*.o rust/helpers/*.o net/mptcp/*.o "$tcp") || return 1
	comm -23 <({ grep '^_R\|^rust_\|^tcp_\|^mptcp_' <<<"$own"; grep -x '\w*mptcp\w*' <<<"$others"; } | sort -u) <(sort -u <<<"$defined")
}

# verdict: builds it, and prints what is wrong. Fails if anything is.
verdict() {
	local missing warnings
	configured >"$log" 2>&1 || { echo "not configured: $(tail -n 1 "$log")"; return 1; }
	built >"$log" 2>&1 || { echo "not built: $(first_error "$log")"; return 1; }
	warnings=$(no_warning "$log") || { echo "a warning: ${warnings%%$'\n'*}"; return 1; }
	missing=$(cd "$OBJ" && undefined 2>>"$log") || { echo "llvm-nm failed"; return 1; }
	[[ ! $missing ]] || { echo "undefined: ${missing//$'\n'/ }"; return 1; }
	echo builds
}

rm -rf "$OBJ"
# For the programs of the build, which are the same.
seed "$OBJ" "$plain"
rm -f "$OBJ"/{net/mptcp,rust,rust/helpers}/*.o
printf '%s\n' "${wanted[@]}" >"$OBJ/wanted"
if verdict=$(verdict); then
	rm -rf "$OBJ"
else
	verdict+=" (log: ${log#"$TOP"/})"
fi
echo "$name $verdict"
