#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The tests that boot no kernel: sources, crates, documentation, compiled code, and the
# series.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

no_panic_path() {
	local undefined
	undefined=$(llvm-nm -u "$1") || return 1
	! grep 'panic' <<<"$undefined"
}

# sourced_only FILE...: tests that a *lib.sh has no run bit and no shebang, and any other script both.
sourced_only() {
	local file run bad=0
	for file; do
		[[ -x $file ]] && run=y || run=''
		[[ $(head -c 2 "$file") == '#!' ]] && run+=y
		[[ ($file == *lib.sh && ! $run) || ($file != *lib.sh && $run == yy) ]] || { echo "$file"; bad=1; }
	done
	return $bad
}

# defects_fit: tests that each defect of mutants/ can be put into the code.
defects_fit() {
	local file name bad=0
	for file in "$TESTBED"/suites/mutants/*.patch; do
		name=${file##*/}
		put_defect "$SRC" "${name%.patch}" --dry-run || { echo "$name does not apply"; bad=1; }
	done
	return $bad
}

# beside FOLDER SOURCE MAKE-ARGUMENT...: builds in FOLDER, which starts as a copy of the kernel's objects.
beside() {
	local objects=$OUT/$1
	lock
	seed "$objects" "$OBJ"
	cmp -s "$OBJ/.config" "$objects/.config" || cp "$OBJ/.config" "$objects"
	unlock
	SRC=$2 OBJ=$objects kmake -s -j"$(nproc)" "${@:3}"
}

# With CONFIG_MPTCP_RUST off, the compiled code is the same as the base's. Two objects of the Rust crates
# differ, since the accesses to user memory that patch 2 adds do not depend on the option.
same_code() {
	local object
	beside pristine "$PRISTINE" rust/ net/mptcp/ || return 1
	(cd "$OUT/pristine" && find rust net/mptcp -name '*.o' ! -path rust/helpers/helpers.o ! -path rust/kernel.o) | while read -r object; do
		diff <(disassembled "$OUT/pristine/$object") <(disassembled "$OBJ/$object") >"$LOGS/same_code.diff" ||
			{ echo "$object differs:"; head -n 20 "$LOGS/same_code.diff"; return 1; }
	done
}

disassembled() {
	(cd "${1%/*}" && llvm-objdump -dr "${1##*/}")
}

"$TESTBED/kernel/build.sh"
mkdir -p "$results"

say "checking the sources"
mapfile -t scripts < <(find "$TESTBED" "$TOP/tools/net" -name target -prune -o -name '*.sh' -print)
check "shellcheck" shellcheck "${scripts[@]}" "$TESTBED"/arch/*.env "$TOP/.ci/run"
check "scripts: those called lib.sh, and only those, are sourced" sourced_only "${scripts[@]}"
check "mutants: each patch applies" defects_fit
script front-door.sh
check "kernel: rustfmtcheck" kmake rustfmtcheck
script crate-check.sh
cargo_tests trials "$TESTBED/trials" --features bench,mutants

say "building the documentation (about three minutes)"
check "documentation: no warning about the pages" "$TESTBED/series/docs.sh" html
check "documentation: no warning about the Rust code" "$TESTBED/series/docs.sh" rust

if [[ $KIND == rust ]]; then
	check "subflow_info.o: no panic path" no_panic_path "$OBJ/net/mptcp/subflow_info.o"
	say "building with clippy (about two minutes)"
	check "kernel: clippy" beside clippy "$SRC" CLIPPY=1 rust/ net/mptcp/
	with c "$TESTBED/kernel/build.sh"
	check "kernel: no C code of the options with CONFIG_MPTCP_RUST" "$TESTBED/suites/c-dropped.sh" "$OBJ" "$OUT/c"
	# Building outside of the tree needs a clean source tree, which the user's may not be.
	if [[ ! $KERNEL ]]; then
		say "building the base without the series (about two minutes)"
		OBJ=$OUT/c check "kernel: with CONFIG_MPTCP_RUST off, the same code as the base's" same_code
	fi
	script series-check.sh
fi

report "$results/code.tap"
count "$results"/{trials,code}.tap
