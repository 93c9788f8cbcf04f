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
	# A kernel build runs bindgen only a few times: optimizing all of it takes longer than that saves.
	profile=(--config profile.release.opt-level=0)
	for crate in bindgen proc-macro2 quote regex-automata; do
		profile+=(--config "profile.release.package.$crate.opt-level=1")
	done
	CARGO_TARGET_DIR=$CACHE/bindgen.build logged tools "the build of bindgen" \
		cargo install bindgen-cli --locked "${profile[@]}" --version "${BINDGEN##*-}" --root "$BINDGEN"
	rm -rf "$CACHE/bindgen.build"
fi
