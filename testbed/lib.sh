# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Sourced by every script on the host: variables, paths, messages, locks.
set -euo pipefail
[[ ${V:-0} != 1 ]] || { PS4='+ ${BASH_SOURCE##*testbed/}: '; set -x; }

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# On Ctrl-C, apt-get finishes its work and succeeds. Without this trap, the script would go on.
trap 'exit 130' INT

# The variables of this make must not override the kernel's own.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

TOP=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
TESTBED=$TOP/testbed

# one_of NAME VALUE WORD...: ends the script unless VALUE is one of the words.
one_of() {
	[[ " ${*:3} " == *" $2 "* ]] || die "$1=$2: $1 must be one of: ${*:3}"
}

# By default, the newest base.
mapfile -t bases < <(cd "$TOP/patches" && printf '%s\n' * | sort -V)
BASE=${BASE:-${bases[-1]}}
one_of BASE "$BASE" "${bases[@]}"
PATCHES=$TOP/patches/$BASE
# shellcheck source=/dev/null
. "$PATCHES/base.env"

# This machine's architecture, user-mode Linux, and those for which arch/ says how to build and boot.
mapfile -t crosses < <(cd "$TESTBED/arch" && printf '%s\n' *.env)
crosses=("${crosses[@]%.env}")
ARCH=${ARCH:-x86_64}
# A target of the Makefile may allow fewer.
read -ra arches <<<"${ARCHES:-x86_64 um ${crosses[*]}}"
unset ARCHES
one_of ARCH "$ARCH" "${arches[@]}"
CROSS=''
if [[ -f $TESTBED/arch/$ARCH.env ]]; then
	# shellcheck source=/dev/null
	. "$TESTBED/arch/$ARCH.env"
fi

IMPL=${IMPL:-rust}
one_of IMPL "$IMPL" rust c

mapfile -t flavours < <(sed -n '/prompt "Flavour"/,/^endchoice/s/^config TESTBED_//p' "$TOP/Kconfig")
# Other architectures have only this one.
[[ ! $CROSS ]] || flavours=(plain)
FLAVOUR=${FLAVOUR:-plain}
one_of FLAVOUR "$FLAVOUR" "${flavours[@],,}"

ACCEL=${ACCEL:-auto}
one_of ACCEL "$ACCEL" auto kvm tcg

[[ ${REQUESTS:-1}${SEED:-1} =~ ^[0-9]+$ ]] || die "REQUESTS and SEED must be numbers"

[[ ${MPTCP_RUST_CACHE:-${XDG_CACHE_HOME:-${HOME:-}}} ]] ||
	die "HOME is not set, so the cache has no place: set MPTCP_RUST_CACHE=DIR"
CACHE=$(realpath -m "${MPTCP_RUST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mptcp-rust}")

KERNEL=${KERNEL:-}
OUT=$TOP/out/$BASE
if [[ $KERNEL ]]; then
	[[ -d $KERNEL ]] || die "KERNEL=$KERNEL: there is no such folder"
	KERNEL=$(realpath "$KERNEL")
	# A folder for each tree, so that their objects do not mix.
	OUT+=-user-$(cksum <<<"$KERNEL" | cut -d ' ' -f 1)
fi

for folder in "$TOP" "$CACHE" "$KERNEL"; do
	[[ $folder != *[[:space:]:]* ]] ||
		die "a kernel cannot be built in a path with a space or a colon: move or rename $folder"
done

PRISTINE=${KERNEL:-$OUT/base}
SRC=$OUT/src
# A kind of kernel: architecture, flavour, implementation; all but the last only if not the default.
prefix=$ARCH-
prefix=${prefix#x86_64-}
KIND=$FLAVOUR-$IMPL
KIND=$prefix${KIND#plain-}
OBJ=$OUT/$KIND
LOGS=$OUT/log
# image FOLDER: where the image is in a folder of objects.
image() {
	case $ARCH in
	x86_64) echo "$1/arch/x86/boot/bzImage" ;;
	um) echo "$1/linux" ;;
	*) echo "$1/$CROSS_IMAGE" ;;
	esac
}
IMAGE=$(image "$OBJ")

# writable FOLDER ADVICE: creates the folder if needed.
writable() {
	local error
	error=$(mkdir -p "$1" 2>&1) || die "cannot create $1 (${error##*: }): $2"
	[[ -w $1 ]] || die "cannot write to $1: $2"
}
writable "$CACHE" "set MPTCP_RUST_CACHE=DIR to a folder of yours"
writable "$LOGS" "clone the repository to a folder of yours, or change the owner of $TOP/out"

# rustc and clang must use the same version of LLVM. The package list names it.
LLVM=/usr/lib/llvm-$(sed -n 's/^clang-//p' "$TESTBED/kernel/packages")
BINDGEN=$CACHE/bindgen-${BINDGEN_VERSION:-0.73.2}
VENV=$CACHE/venv-$(cksum <"$TESTBED/kernel/requirements.txt" | cut -d ' ' -f 1)
export PATH=$LLVM/bin:$BINDGEN/bin:/usr/bin:/usr/sbin:/bin:/sbin:$VENV/bin
export LIBCLANG_PATH=$LLVM/lib

# In every clone and every locale, the same input finds the same cache entry. ccache takes the list of headers
# from the compiler, which saves a run of the preprocessor.
export CCACHE_DIR=$CACHE/ccache CCACHE_BASEDIR=$TOP CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=locale CCACHE_DEPEND=1
export KBUILD_BUILD_TIMESTAMP='1970-01-01' KBUILD_BUILD_USER=testbed KBUILD_BUILD_HOST=testbed

# cargo keeps its downloads in the home folder if that is writable.
[[ ${CARGO_HOME:-} || -w ${HOME:-} ]] || export CARGO_HOME=$CACHE/cargo
# Without a network, fail early.
export CARGO_NET_RETRY=1 CARGO_HTTP_TIMEOUT=15 PIP_RETRIES=1 PIP_TIMEOUT=15
apt_get=(apt-get -o DPkg::Lock::Timeout=300 -o APT::Update::Error-Mode=any -o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15)

# The test kernel's Kconfig sources the base's.
export KBUILD_KCONFIG=$TOP/Kconfig BASE_KCONFIG=$OUT/base.kconfig

# with KIND COMMAND...: runs a script for another test kernel.
with() {
	local arch=x86_64 flavour
	[[ " um ${crosses[*]} " != *" ${1%%-*} "* ]] || arch=${1%%-*}
	flavour=${1#"$arch"-}
	[[ $flavour == *-* ]] && flavour=${flavour%-*} || flavour=plain
	ARCH=$arch FLAVOUR=$flavour IMPL=${1##*-} "${@:2}"
}

# first_error LOG: prints the first line that reports an error, or the last line.
first_error() {
	grep -m 1 'No space left on device' "$1" ||
		grep -m 1 '^E: \|^W: Failed\|ERROR\|\berror\(\[E[0-9]*\]\)\?:\|\*\*\*\|unmet direct dep' "$1" ||
		tail -n 1 "$1"
}

# logged LOG WHAT COMMAND...: runs a command with its output in a log. If the command fails, the script
# ends with the first error of the log.
logged() {
	local log=$LOGS/$1.log advice=''
	"${@:3}" >"$log" 2>&1 </dev/null && return
	! grep -q 'Temporary failure\|Could not \(resolve\|connect\)\|unreachable\|onnection refused\|imed out\|Failed to fetch\|spurious network' "$log" ||
		advice='; check the network, and run the same command again'
	die "$2 failed: $(first_error "$log" | sed 's/^ *//; s/^error: //I')$advice (log: ${log#"$TOP"/})"
}

# python_packages NAME FILE: installs what a requirements file lists, in the folder of virtme-ng.
python_packages() {
	local stamp
	stamp=$VENV/$1-$(cksum <"$2" | cut -d ' ' -f 1)
	[[ ! -f $stamp ]] || return 0
	lock "$CACHE/tools.lock"
	say "installing $1 (once, about half a minute)"
	logged "$1" "the installation of $1" \
		"$VENV/bin/pip" install --require-hashes -r "$TESTBED/kernel/requirements.txt" -r "$2"
	unlock
	touch "$stamp"
}

# cargo_build NAME FOLDER [OPTION]...: builds the crate in FOLDER to out/NAME.
cargo_build() {
	logged "$1" "the build of ${2#"$TOP"/}" cargo build --release --locked \
		--manifest-path "$2/Cargo.toml" --target-dir "$TOP/out/$1" "${@:3}"
}

# cargo_install ROOT CRATE [DEPENDENCY]...: builds a program of crates.io, whose version is at the end of ROOT, into
# that folder. Such a program runs only a few times: optimizing more than the named crates takes longer than
# that saves.
cargo_install() {
	local crate profile=(--config profile.release.opt-level=0)
	for crate in "${@:3}"; do
		profile+=(--config "profile.release.package.$crate.opt-level=1")
	done
	CARGO_TARGET_DIR=$1.build logged "install-$2" "the build of $2" \
		cargo install "$2" --locked "${profile[@]}" --version "${1##*-}" --root "$1"
	rm -rf "$1.build"
}

# piggy.S includes the compressed image by .incbin, which ccache does not see: it would return the object of
# another image of the same length. The checksum makes the compiler's command differ.
# shellcheck disable=SC2016
piggy='AFLAGS_piggy.o=-DSUM=$(shell cat arch/x86/boot/compressed/vmlinux.bin.gz arch/arm/boot/compressed/piggy_data 2>/dev/null | cksum | cut -d" " -f1)'

# The kernel's makefiles let KCSAN instrument C code only. rustc can instrument Rust code, too: with the
# options of scripts/Makefile.kcsan, and a target that allows it.
kcsan=()
# shellcheck disable=SC2016
[[ $FLAVOUR != kcsan ]] || kcsan=('filechk_rust_target=$< <include/config/auto.conf | sed "s/\"kernel-address\"/&, \"thread\"/"'
	KRUSTFLAGS="-Zsanitizer=thread -Cllvm-args=-tsan-instrument-func-entry-exit=0 -Cllvm-args=-tsan-compound-read-before-write=1 -Cllvm-args=-tsan-distinguish-volatile=1")

# Line tables let profile.sh name the source lines of both implementations. They do not change the code.
lines=(CFLAGS_sockopt.o="-gline-tables-only -fdebug-compilation-dir=." RUSTFLAGS_subflow_info.o=-Cdebuginfo=line-tables-only)

# The compiler links user-mode Linux, and uses GNU ld, where the makefiles expect lld: they do not turn off
# this warning. They link a program of it with all options for compiling, some of which Clang does not use.
um=()
[[ $ARCH != um ]] || um=("CC_FLAGS_LTO=-Wl,--no-warn-rwx-segments" "STUB_EXE_LDFLAGS=-Wl,-n -static -Qunused-arguments")

# kmake ARGUMENT...: make in the kernel's tree.
kmake() {
	make -C "$SRC" O="$OBJ" ARCH="${ARCH/x86_64/x86}" LLVM=1 CC="ccache clang" V="${V:-0}" "$piggy" "${lines[@]}" "${kcsan[@]}" "${um[@]}" "$@"
}

# seed FOLDER FROM [SOURCE]: starts an object folder as a copy of another, for the same source tree or for a
# copy of it. The recorded commands must name the new folders, or make would build everything again.
seed() {
	[[ ! -d $1 && -f $2/vmlinux ]] || return 0
	rm -rf "$1.part"
	cp -a "$2" "$1.part"
	grep -rlZF --include='*.cmd' -e "$2" -e "$SRC" "$1.part" | xargs -0r sed -i "s|$2\\>|$1|g; s|$SRC\\>|${3:-$SRC}|g"
	mv "$1.part" "$1"
}

# lock [FILE]: makes others that lock the same file wait until this script ends.
lock() {
	local file=${1:-$OUT/lock}
	{ exec {lock}>"$file"; } 2>/dev/null || die "cannot write to $file: check its owner, and the free disk space"
	flock -n "$lock" || { say "waiting for another make to finish (it holds ${file#"$TOP"/})"; flock "$lock"; }
}
unlock() { exec {lock}>&-; }

# need_space FOLDER GB: ends the script if there is less free space. Called before a long step, which would
# fail late.
need_space() {
	local free
	free=$(df --output=avail -B 1M "$1" | tail -n 1)
	((free >= $2 * 1024)) || die "$1 needs $2 GB of free disk space, and has $((free / 1024)).$((free % 1024 * 10 / 1024)) GB"
}
