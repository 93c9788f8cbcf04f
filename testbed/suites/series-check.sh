#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Looks at the series as a maintainer's robots do: each patch applies, keeps to
# the style and builds, and all of them make the tree that the tests run on.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

# What checkpatch shall not ask for.
excused=(
	# MAINTAINERS has a patch of its own, behind those that add files.
	FILE_PATH_CHANGES
)

# What a kernel is not built from.
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

# Who runs the tests need not be one who signs something off.
git -C "$TOP" -c user.useConfigOnly=true var GIT_COMMITTER_IDENT >/dev/null 2>&1 ||
	export GIT_COMMITTER_NAME=testbed GIT_COMMITTER_EMAIL=testbed@localhost
folder=$OUT/series-patches
"$TESTBED/series/series.sh" "$folder"
mapfile -t mails < <(printf '%s\n' "$folder"/*)
patches=("${mails[@]:1}")

# A whole tree of its own. The series' repository knows the files of the series
# only, since no patch touches another, and stays out of the kernel's sight.
git() {
	GIT_DIR=$OUT/series/.git GIT_WORK_TREE=$tree GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null \
		command git -c user.name=testbed -c user.email=testbed@localhost "$@"
}
mapfile -t commits < <(git rev-list --reverse base..series)
mapfile -t files < <(git diff --name-only base series)
rm -rf "$tree"
cp -al "$SRC" "$tree"
cd "$tree"
rm "${files[@]}"
git checkout -qf --detach base

pristine() {
	# What lies about in a user's tree is not copied.
	! { diff -rq "$PRISTINE" . || :; } | grep -v "^Only in $PRISTINE"
}

style() {
	local width=80
	# rustfmt has its own idea of a line.
	! grep -q '^+++ .*\.rs$' "$1" || width=100
	scripts/checkpatch.pl -q --strict --codespell --max-line-length=$width \
		--ignore "$(IFS=, && echo "${excused[*]}")" "$1"
}

# Git asks for what it was not told.
cover_letter() {
	[[ ${mails[0]} == */0000-cover-letter.patch ]] && ! grep -F '*** ' "${mails[0]}"
}

no_inline() {
	! git diff base series -- '*.c' | grep '^+.*\<inline\>'
}

# The lists in a selftest's Makefile, and the symbols of its config.
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

maintained() {
	local file lacking=0
	for file in "${files[@]}"; do
		# That all have to do with.
		[[ $file != MAINTAINERS ]] || continue
		[[ $(scripts/get_maintainer.pl --nogit --nogit-fallback -f "$file") == *'(maintainer:'* ]] ||
			{ echo "$file has no maintainer"; lacking=1; }
	done
	return $lacking
}

# build IMPL MAKE-ARGUMENT...: with the configuration of that test kernel.
build() {
	local SRC=$tree OBJ=$OUT/series-$1 log=$LOGS/series-$1.log on=0
	local -x KBUILD_KCONFIG=$KBUILD_KCONFIG
	[[ $1 == c ]] || on=1
	# The first patches' code depends on a symbol that a later one brings.
	if ! grep -qx 'config MPTCP_RUST' net/mptcp/Kconfig; then
		{ cat "$TOP/Kconfig" && printf '%s\n' 'config MPTCP_RUST' '	bool'; } >"$OBJ.kconfig"
		KBUILD_KCONFIG=$OBJ.kconfig
	fi
	cp "$OUT/$1/.config" "$OBJ"
	{ kmake -s olddefconfig &&
		test "$(grep -cx CONFIG_MPTCP_RUST=y "$OBJ/.config")" == $on &&
		kmake -j"$(nproc)" "${@:2}"; } >"$log" 2>&1 ||
		{ grep -m 10 'error\|\*\*\*' "$log" || tail "$log"; return 1; }
}

# Side by side, since the compiler of Rust has but one thread for the most of it.
build_both() {
	local status=0
	build c vmlinux &
	build rust vmlinux || status=1
	wait $! || status=1
	! grep 'warning:' "$LOGS"/series-{rust,c}.log && return $status
}

# Debian's sparse is older than __typeof_unqual__. Taken for __typeof__, it does
# no harm here; where the base has it complain, that is not of this series.
sparse_clean() {
	local file
	for file in "${changed[@]}"; do
		grep -qx "  CHECK   $file" "$LOGS/series-rust.log" || { echo "sparse did not look at $file"; return 1; }
	done
	! grep 'warning:\|error:' "$LOGS/series-rust.log" | grep -F "$(printf '%s:\n' "${files[@]}")"
}

say "checking the patches"
check "the tree is the base" pristine
check "git am: no fuzz, no whitespace error" git am -q --empty=drop --whitespace=error-all "${mails[@]}"
check "the tree is the one that the tests run on" diff -rq "$SRC" .
check "no more than 15 patches" test ${#patches[@]} -le 15
check "a cover letter" cover_letter
for patch in "${patches[@]}"; do
	number=${patch##*/}
	check "${number%%-*}: checkpatch" style "$patch"
done
check "no inline function in a .c file" no_inline
check "selftests: Makefile and config are sorted" sorted
check "shellcheck of added scripts" added_scripts sh shellcheck
check "pylint of added scripts" added_scripts py pylint
check "kernel-doc" kernel_doc
check "get_maintainer.pl finds one for each file" maintained

say "building after each patch (about four minutes)"
for file in "${files[@]}"; do
	# As old as it is there, or all that includes it would be built again.
	ln -f "$SRC/$file" "$file"
done
git update-index -q --refresh
# Backwards: all but a few of the last patch's objects are those of the test kernels.
for ((i = ${#patches[@]}; i > 0; i--)); do
	! git diff --quiet "${commits[i - 1]}"{^,} -- . "${not_built[@]}" || continue
	git checkout -q "${commits[i - 1]}"
	check "$(printf %04d $i): builds with CONFIG_MPTCP_RUST, and without" build_both
done
git checkout -q series
mapfile -t objects < <(printf '%s\n' "${files[@]}" | sed -n 's/^\(net\/.*\)\.\(c\|rs\)$/\1.o/p')
mapfile -t changed < <(git diff --name-only --diff-filter=M base series -- '*.c')
# sparse looks at what is compiled.
(cd "$OUT/series-rust" && rm -f "${changed[@]/%.c/.o}")
check "builds with W=1" build rust W=1 C=1 CHECK='sparse -D__typeof_unqual__=__typeof__' rust/ "${objects[@]}"
check "sparse (C=1)" sparse_clean

mkdir -p "$results"
report "$results/series.tap"
count "$results/series.tap"
