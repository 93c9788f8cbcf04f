#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Puts the tools that Debian 12 lacks into the cache: bindgen and virtme-ng.
set -euo pipefail
. "${0%/*}/../lib.sh"

[[ ! -f $VENV/complete || ! -x $BINDGEN/bin/bindgen ]] || exit 0
lock "$CACHE/tools.lock"

if [[ ! -f $VENV/complete ]]; then
	rm -rf "$VENV"
	logged tools "the creation of $VENV" /usr/bin/python3 -m venv "$VENV"
	logged tools "the installation of virtme-ng" \
		"$VENV/bin/pip" install --require-hashes -r "$TESTBED/kernel/requirements.txt"
	touch "$VENV/complete"
fi

if [[ ! -x $BINDGEN/bin/bindgen ]]; then
	say "building bindgen ${BINDGEN##*-} (once, two to four minutes, while other steps run)"
	cargo_install "$BINDGEN" bindgen-cli bindgen proc-macro2 quote regex-automata
fi
