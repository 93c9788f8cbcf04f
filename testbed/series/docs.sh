#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds documentation, and fails if there is a warning about a file of the series.
# usage: docs.sh html|rust
set -euo pipefail
. "${0%/*}/../lib.sh"

# built TARGET INDEX [MAKE-ARGUMENT]...
built() {
	local log=$LOGS/$1.log files warnings
	kmake "$1" "${@:3}" >"$log" 2>&1 </dev/null ||
		die "make $1 fails: $(grep -m 1 -i 'error' "$log" || tail -n 1 "$log") (full log: $log)"
	# The page that lists all pages names many that are not built here.
	files=$(sed 's|^/||; /index.rst$/d' "$OUT/overlay.list")
	warnings=$(grep -Fe "$files" -e 'srctree/ link to' "$log" | grep -i 'warning\|error\|-->') || :
	[[ ! $warnings ]] || die "make $1 has warnings about"$'\n'"$warnings"$'\n'"(full log: $log)"
	say "read $OBJ/Documentation/output/$2"
}

[[ ${1:-} == html || ${1:-} == rust ]] || die "say html or rust"
"$TESTBED/kernel/build.sh" config
lock

case $1 in
html)
	stamp=$VENV/docs-$(cksum <"$TESTBED/series/docs-requirements.txt" | cut -d ' ' -f 1)
	if [[ ! -f $stamp ]]; then
		say "installing Sphinx (once, about half a minute)"
		log=$LOGS/sphinx.log
		"$VENV/bin/pip" install --require-hashes -r "$TESTBED/kernel/requirements.txt" \
			-r "$TESTBED/series/docs-requirements.txt" >"$log" 2>&1 ||
			die "pip cannot install Sphinx: $(grep -m 1 ERROR "$log" || tail -n 1 "$log"); full log: $log"
		touch "$stamp"
	fi
	# Only the pages of the series, and these anew: what Sphinx remembers, it does not warn of again.
	pages=$(sed -n 's|^/Documentation/networking/||p' "$OUT/overlay.list" | paste -sd ,)
	say "building the pages (about 10 s)"
	built htmldocs networking/mptcp-info.html SPHINXBUILD="$VENV/bin/sphinx-build" \
		SPHINXDIRS=networking SPHINXOPTS="-E -D include_patterns=$pages"
	;;
rust)
	say "building the documentation of the kernel's Rust code (about two minutes)"
	built rustdoc rust/rustdoc/kernel/net/index.html -j"$(nproc)"
	;;
esac
