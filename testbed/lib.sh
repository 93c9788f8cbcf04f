# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Sourced by every script here: the variables, where things are, how to speak.
set -euo pipefail
[[ ${V:-0} != 1 ]] || { PS4='+ ${BASH_SOURCE##*testbed/}: '; set -x; }

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# What the calling make was told must not override the kernel's own variables.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

TOP=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
TESTBED=$TOP/testbed
CACHE=${MPTCP_RUST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mptcp-rust}

# The newest base that the series is made for, unless told.
BASE=${BASE:-$(cd "$TOP/patches" && printf '%s\n' * | sort -V | tail -n 1)}
PATCHES=$TOP/patches/$BASE
[[ -f $PATCHES/base.env ]] || die "BASE=$BASE: there is no such base, only:" "$(cd "$TOP/patches" && echo *)"
# shellcheck source=/dev/null
. "$PATCHES/base.env"

IMPL=${IMPL:-rust}
[[ $IMPL == rust || $IMPL == c ]] || die "IMPL=$IMPL: say IMPL=rust or IMPL=c"

FLAVOUR=${FLAVOUR:-plain}
grep -qx "config TESTBED_${FLAVOUR^^}" "$TOP/Kconfig" || die "FLAVOUR=$FLAVOUR: say one of plain, inline, ipv4, debug or kcsan"

KERNEL=${KERNEL:-}
OUT=$TOP/out/$BASE
if [[ $KERNEL ]]; then
	[[ -d $KERNEL ]] || die "KERNEL=$KERNEL: there is no such folder"
	KERNEL=$(realpath "$KERNEL")
	# One folder for each tree of the user's, so that they do not mix.
	OUT+=-user-$(cksum <<<"$KERNEL" | cut -d ' ' -f 1)
fi
PRISTINE=${KERNEL:-$OUT/base}
SRC=$OUT/src
KIND=$FLAVOUR-$IMPL
KIND=${KIND#plain-}
OBJ=$OUT/$KIND
LOGS=$OUT/log
IMAGE=$OBJ/arch/x86/boot/bzImage
mkdir -p "$CACHE" "$LOGS"

# rustc and clang must be of one LLVM: the package list says which.
LLVM=/usr/lib/llvm-$(sed -n 's/^clang-//p' "$TESTBED/kernel/packages")
BINDGEN=$CACHE/bindgen-0.73.2
VENV=$CACHE/venv-$(cksum <"$TESTBED/kernel/requirements.txt" | cut -d ' ' -f 1)
export PATH=$LLVM/bin:$BINDGEN/bin:/usr/bin:/usr/sbin:/bin:/sbin:$VENV/bin
export LIBCLANG_PATH=$LLVM/lib

# The same input must give the same cache entry in every clone.
# The compiler's list of headers serves the cache too: no second preprocessor run.
export CCACHE_DIR=$CACHE/ccache CCACHE_BASEDIR=$TOP CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
export KBUILD_BUILD_TIMESTAMP='1970-01-01' KBUILD_BUILD_USER=testbed KBUILD_BUILD_HOST=testbed

# The test kernel's Kconfig sources the base's.
export KBUILD_KCONFIG=$TOP/Kconfig BASE_KCONFIG=$OUT/base.kconfig

# with KIND SCRIPT...: runs a script for another test kernel.
with() {
	local flavour=plain
	[[ $1 != *-* ]] || flavour=${1%-*}
	FLAVOUR=$flavour IMPL=${1##*-} "${@:2}"
}

# Without the preprocessor, ccache does not see that a file has another in it by .incbin: an image of
# the same length would be taken for the same. The sum makes it another command.
# shellcheck disable=SC2016
piggy='AFLAGS_piggy.o=-DSUM=$(shell cksum <arch/x86/boot/compressed/vmlinux.bin.gz | cut -d" " -f1)'

# The kernel's makefiles have C code tell KCSAN of what it accesses, and not Rust code. Rust's compiler
# can do it too: the options are those of scripts/Makefile.kcsan, and the target has to allow it.
kcsan=()
# shellcheck disable=SC2016
[[ $FLAVOUR != kcsan ]] || kcsan=('filechk_rust_target=$< <include/config/auto.conf | sed "s/\"kernel-address\"/&, \"thread\"/"'
	KRUSTFLAGS="-Zsanitizer=thread -Cllvm-args=-tsan-instrument-func-entry-exit=0 -Cllvm-args=-tsan-compound-read-before-write=1 -Cllvm-args=-tsan-distinguish-volatile=1")

# By these, profile.sh names the lines of both implementations. The code is the same.
lines=(CFLAGS_sockopt.o="-gline-tables-only -fdebug-compilation-dir=." RUSTFLAGS_subflow_info.o=-Cdebuginfo=line-tables-only)

# A make in the kernel's tree.
kmake() {
	make -C "$SRC" O="$OBJ" LLVM=1 CC="ccache clang" V="${V:-0}" "$piggy" "${lines[@]}" "${kcsan[@]}" "$@"
}

# seed FOLDER FROM [SOURCE]: an object folder that starts as a copy of another, and may
# be of a copy of the source. Its records of commands must name neither original, or
# make would build it all again.
seed() {
	[[ ! -d $1 && -f $2/vmlinux ]] || return 0
	rm -rf "$1.part"
	cp -a "$2" "$1.part"
	grep -rlZF --include='*.cmd' -e "$2" -e "$SRC" "$1.part" | xargs -0r sed -i "s|$2\\>|$1|g; s|$SRC\\>|${3:-$SRC}|g"
	mv "$1.part" "$1"
}

# For as long as the script runs, no other that calls this one does.
lock() {
	exec {lock}>"$OUT/lock"
	flock -n "$lock" || { say "waiting for another make that is at work in $OUT"; flock "$lock"; }
}
unlock() { exec {lock}>&-; }

# need_space GB: better said before a long step than by its failure.
need_space() {
	local free
	free=$(($(df --output=avail -B 1M "$OUT" | tail -n 1) / 1024))
	((free >= $1)) || die "$OUT needs $1 GB of free disk space, and has $free GB"
}
