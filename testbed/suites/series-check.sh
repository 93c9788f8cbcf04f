#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checks the series as netdev's CI bots (github.com/linux-netdev/nipa) do: each patch
# applies, follows the style, goes to its maintainers, and builds. With all patches
# applied, the tree is the one that the tests run on.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

# Types of checkpatch messages that are ignored.
excused=(
	# Reported even if an entry of MAINTAINERS covers the new file, which is checked below.
	FILE_PATH_CHANGES
)

# Files that a build of the kernel does not use.
not_built=(':!*.rst' ':!MAINTAINERS' ':!tools/testing')

tree=$OUT/series-src
for impl in rust c; do
	with "$impl" "$TESTBED/kernel/build.sh"
done
lock
for impl in rust c; do
	rm -rf "$OUT/series-$impl"
	seed "$OUT/series-$impl" "$OUT/$impl" "$tree"
done
unlock

# The checks need no real name in the sign-off.
git -C "$TOP" -c user.useConfigOnly=true var GIT_COMMITTER_IDENT >/dev/null 2>&1 ||
	export GIT_COMMITTER_NAME=testbed GIT_COMMITTER_EMAIL=testbed@localhost
folder=$OUT/series-patches
"$TESTBED/series/series.sh" "$folder"
mapfile -t mails < <(printf '%s\n' "$folder"/*)
patches=("${mails[@]:1}")

# Works on a tree of its own. The repository of the series has only the files of the
# series, and is outside of the tree.
git() {
	GIT_DIR=$OUT/series/.git GIT_WORK_TREE=$tree GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null \
		command git -c user.name=testbed -c user.email=testbed@localhost "$@"
}
mapfile -t commits < <(git rev-list --reverse base..series)
mapfile -t files < <(git diff --name-only base series)
mapfile -t new < <(git diff --name-only --diff-filter=A base series)
rm -rf "$tree"
cp -al "$SRC" "$tree"
cd "$tree"
rm "${files[@]}"
git checkout -qf --detach base

pristine() {
	# Objects in a user's tree are not copied.
	! { diff -rq "$PRISTINE" . || :; } | grep -v "^Only in $PRISTINE"
}

style() {
	local width=80
	# rustfmt allows 100 columns.
	! grep -q '^+++ .*\.rs$' "$1" || width=100
	scripts/checkpatch.pl -q --strict --codespell --max-line-length=$width \
		--ignore "$(IFS=, && echo "${excused[*]}")" "$1"
}

# git format-patch marks with *** what a person has to fill in.
cover_letter() {
	[[ ${mails[0]} == */0000-cover-letter.patch ]] && ! grep -F '*** ' "${mails[0]}"
}

# added PATHSPEC...: prints the lines that the series adds.
added() {
	git diff base series -- "$@" | sed -n '/^+++ /d; s/^+//p'
}

# adds_no PATTERN PATHSPEC...: tests that no added line matches.
adds_no() {
	local lines
	lines=$(added "${@:2}") || return 1
	! grep -P "$1" <<<"$lines"
}

# at_most LIMIT WHAT NUMBER: tests a number against a limit.
at_most() {
	check "$2: $3 (at most $1)" test "$3" -le "$1"
}

unsafes() {
	added '*.rs' | sed 's://.*::' | grep -ow unsafe | wc -l
}

# Apart from the option numbers, only the entry point may use bindings. All other code uses
# abstractions.
abstracted() {
	awk '/^#\[export\]/ { entry = 1 }
		/^}/ { entry = 0 }
		{ sub("//.*", ""); gsub(/bindings::MPTCP_[A-Z_]+/, "") }
		!entry && /bindings::/ { print FILENAME ":" FNR ": " $0; bad = 1 }
		END { exit bad }' net/mptcp/subflow_info.rs
}

# Tests that the lists in a selftest's Makefile and the symbols in its config are sorted.
sorted() {
	local makefile
	for makefile in $(printf '%s\n' "${files[@]}" | grep '^tools/testing/selftests/.*/Makefile$'); do
		awk '/= \\$/ { last = ""; next }
			/\\$/ { if ($1 < last) { print FILENAME ": " $1; bad = 1 } last = $1 }
			END { exit bad }' "$makefile" &&
			sed 's/=.*//' "${makefile%/*}/config" | LC_ALL=C sort -dc || return 1
	done
}

added_scripts() {
	local added
	mapfile -t added < <(git diff --name-only --diff-filter=A base series -- "*.$1")
	[[ ${#added[@]} == 0 ]] || "${@:2}" "${added[@]}"
}

kernel_doc() {
	printf '%s\n' "${files[@]}" | grep '\.[ch]$' | xargs scripts/kernel-doc -none -Wall -Werror
}

# Tests that a selftest's Makefile builds each new program, and that git ignores it.
built_and_ignored() {
	local file name
	for file in "${new[@]}"; do
		[[ $file == tools/testing/selftests/*.c ]] || continue
		name=$(basename "$file" .c)
		grep -qw "$name" "${file%/*}/Makefile" || { echo "$name is not in ${file%/*}/Makefile"; return 1; }
		grep -qx "/\?$name" "${file%/*}/.gitignore" || { echo "$name is not in ${file%/*}/.gitignore"; return 1; }
	done
}

get_maintainer() {
	scripts/get_maintainer.pl --nogit --nogit-fallback "$@"
}

# smallest_entry FILE: prints the number of files in the narrowest MAINTAINERS entry for it.
smallest_entry() {
	local patterns
	get_maintainer --sections -f "$1" |
		awk '/^F:/ { patterns = patterns " " $2 } /^$/ { print patterns; patterns = "" } END { print patterns }' |
		while read -r patterns; do
			# shellcheck disable=SC2086
			find $patterns -type f 2>/dev/null | wc -l
		done | sort -n | head -n 1
}

# A new file needs an entry that is not a catch-all. netdev's limit is 75 files.
covered() {
	local file count lacking=0
	for file in "${new[@]}"; do
		count=$(smallest_entry "$file")
		((count < 75)) || { echo "$file is covered by catch-all entries only ($count files and more)"; lacking=1; }
	done
	return $lacking
}

# recipients MAIL: prints their addresses.
recipients() {
	awk '/^$/ { exit } /^[^ ]/ { on = /^(To|Cc):/ } on' "$1" | grep -o '[^ <,]*@[^ >,]*' | sort -u
}

# goes_to MAIL ADDRESSES: fails if one of them is not a recipient.
goes_to() {
	local missing
	missing=$(comm -13 <(recipients "$1") <(sort -u <<<"$2")) || return 1
	[[ ! $missing ]] || { echo "not sent to ${missing//$'\n'/, }"; return 1; }
}

# A patch goes to its maintainers, and to netdev, whose tree it is for.
addressed() {
	local people
	people=$(get_maintainer --norolestats --non "$1") || return 1
	goes_to "$1" "$people"$'\n'netdev@vger.kernel.org
}

cover_letter_addressed() {
	goes_to "${mails[0]}" "$(for patch in "${patches[@]}"; do recipients "$patch"; done)"
}

# show_errors LOG COMMAND...: on failure, shows the errors in the log.
show_errors() {
	"${@:2}" >"$1" 2>&1 || { grep -m 10 'error\|\*\*\*' "$1" || tail "$1"; return 1; }
}

# build IMPL MAKE-ARGUMENT...: builds with the configuration of that test kernel.
build() {
	local SRC=$tree OBJ=$OUT/series-$1 symbol=0
	# The symbol does not exist before the patch that adds it.
	[[ $1 == c ]] || symbol=$(grep -cx 'config MPTCP_RUST' net/mptcp/Kconfig)
	cp "$OUT/$1/.config" "$OBJ"
	show_errors "$LOGS/series-$1.log" kmake -s olddefconfig || return 1
	[[ $(grep -cx CONFIG_MPTCP_RUST=y "$OBJ/.config") == "$symbol" ]] ||
		{ echo "CONFIG_MPTCP_RUST in $OBJ/.config is not as in the $1 kernel"; return 1; }
	show_errors "$LOGS/series-$1.log" kmake -j"$(nproc)" "${@:2}"
}

# build_patch COMMIT: builds both kernels at once, since rustc mostly uses one thread. Fails
# if the build of the Rust kernel does not compile a file that the patch changes.
build_patch() {
	local status=0 sources file
	mapfile -t sources < <(git diff --name-only --diff-filter=d "$1^" "$1" -- '*.c' '*.h' '*.rs' ':!tools')
	for file in "${sources[@]}"; do
		# Remove what the build of a later patch left.
		file=$OUT/series-rust/${file%.*}.o
		rm -f "$file" "${file%/*}/.${file##*/}.cmd"
	done
	build c vmlinux &
	build rust vmlinux || status=1
	wait $! || status=1
	for file in "${sources[@]}"; do
		grep -rqF --include='.*.cmd' "/$file" "$OUT/series-rust"/{net,rust} || { echo "$file is not compiled"; status=1; }
	done
	! grep 'warning:' "$LOGS"/series-{rust,c}.log && return $status
}

# Builds only the C code, since on x86, Rust is for 64 bits only.
build_32bit() {
	local SRC=$tree OBJ=$OUT/series-32bit
	mkdir -p "$OBJ"
	printf 'CONFIG_%s=y\n' NET INET IPV6 MPTCP MPTCP_IPV6 PRINTK BUG WERROR >"$OBJ/wanted"
	show_errors "$LOGS/series-32bit.log" kmake -s ARCH=i386 KBUILD_KCONFIG=Kconfig KCONFIG_ALLCONFIG="$OBJ/wanted" allnoconfig &&
		show_errors "$LOGS/series-32bit.log" kmake -j"$(nproc)" ARCH=i386 KBUILD_KCONFIG=Kconfig W=1 net/mptcp/ &&
		! grep 'warning:' "$LOGS/series-32bit.log"
}

# Tests that sparse checked each changed file, and has no warning about a file of the series.
sparse_clean() {
	local file
	for file in "${changed[@]}"; do
		grep -qx "  CHECK   $file" "$LOGS/series-rust.log" || { echo "sparse did not check $file"; return 1; }
	done
	! grep 'warning:\|error:' "$LOGS/series-rust.log" | grep -F "$(printf '%s:\n' "${files[@]}")"
}

say "checking the patches"
check "the tree is the base" pristine
check "git am: no fuzz, no whitespace error" git am -q --empty=drop --whitespace=error-all "${mails[@]}"
check "the tree is the one that the tests run on" diff -rq "$SRC" .
at_most 9 "patches" ${#patches[@]}
at_most 22 "'unsafe' in Rust code" "$(unsafes)"
at_most 350 "lines added to rust/kernel and rust/helpers" "$(added rust/kernel rust/helpers | wc -l)"
check "subflow_info.rs: bindings only in the entry point and for option numbers" abstracted
check "a cover letter" cover_letter
check "0000: goes to everyone who gets a patch" cover_letter_addressed
for patch in "${patches[@]}"; do
	number=${patch##*/}
	check "${number%%-*}: checkpatch" style "$patch"
	check "${number%%-*}: goes to its maintainers and to netdev" addressed "$patch"
done
check "no inline function in a .c file" adds_no '\binline\b' '*.c'
check "every function in a header is inline" adds_no '^static (?!.*inline\b).*\(' '*.h'
check "nothing that netdev deprecated" adds_no '\b(module_param|dev_hold|dev_put|get_net|put_net|init_dummy_netdev)\(' '*.[ch]'
check "no preprocessor condition on CONFIG_MPTCP_RUST in C code" adds_no '^#.*CONFIG_MPTCP_RUST' 'net/*.c'
check "selftests: Makefile and config are sorted" sorted
check "selftests: new programs are in Makefile and .gitignore" built_and_ignored
check "shellcheck of added scripts" added_scripts sh shellcheck
check "pylint of added scripts" added_scripts py pylint
check "kernel-doc" kernel_doc
check "MAINTAINERS: every new file has an entry that is not a catch-all" covered

say "building after each patch (about four minutes)"
for file in "${files[@]}"; do
	# With the same time stamp, or everything that includes the file would be built again.
	ln -f "$SRC/$file" "$file"
done
git update-index -q --refresh
# From the last patch to the first: with all patches, nearly all objects are those of the test kernels.
for ((i = ${#patches[@]}; i > 0; i--)); do
	! git diff --quiet "${commits[i - 1]}"{^,} -- . "${not_built[@]}" || continue
	git checkout -q "${commits[i - 1]}"
	check "$(printf %04d $i): builds with CONFIG_MPTCP_RUST, and without" build_patch "${commits[i - 1]}"
done
git checkout -q series
mapfile -t objects < <(printf '%s\n' "${files[@]}" | sed -n 's/^\(net\/.*\)\.\(c\|rs\)$/\1.o/p')
# rust/helpers/helpers.c includes the other files of its folder.
mapfile -t changed < <(git diff --name-only --diff-filter=M base series -- '*.c' | sed 's|^rust/helpers/.*|rust/helpers/helpers.c|')
# sparse checks only what is compiled. Debian's version does not know __typeof_unqual__: use __typeof__.
(cd "$OUT/series-rust" && rm -f "${changed[@]/%.c/.o}")
check "builds with W=1" build rust W=1 C=1 CHECK='sparse -D__typeof_unqual__=__typeof__' rust/ "${objects[@]}"
check "sparse (C=1)" sparse_clean
check "builds with W=1 for a 32-bit machine" build_32bit

mkdir -p "$results"
report "$results/series.tap"
count "$results/series.tap"
