#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds documentation. A warning about a file of the series is an error.
# usage: docs.sh html|rust
set -euo pipefail
. "${0%/*}/../lib.sh"

# built TARGET INDEX [MAKE-ARGUMENT]...: builds a target of the kernel's make. INDEX is its start page.
built() {
	local log=$LOGS/$1.log files warnings
	logged "$1" "make $1" kmake "$1" "${@:3}"
	# index.rst causes warnings: it names many pages that are not built here.
	files=$(sed 's|^/||; /index.rst$/d' "$OUT/overlay.list")
	warnings=$(grep -Fe "$files" -e 'srctree/ link to' "$log" | grep -i 'warning\|error\|-->') || :
	[[ ! $warnings ]] || die "make $1 has these warnings:"$'\n'"$warnings"$'\n'"(log: ${log#"$TOP"/})"
	say "the result is $OBJ/Documentation/output/$2"
}

[[ ${1:-} == html || ${1:-} == rust ]] || die "usage: docs.sh html|rust"
"$TESTBED/kernel/build.sh" config
lock

case $1 in
html)
	python_packages sphinx "$TESTBED/series/docs-requirements.txt"
	# Only the pages of the series, and from scratch: Sphinx does not repeat the warnings of a page that it
	# has in its cache.
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
