#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Puts the tools that Debian 12 lacks into the cache: bindgen and virtme-ng.
set -euo pipefail
. "${0%/*}/../lib.sh"

log=$LOGS/tools.log
exec {lock}>"$CACHE/tools.lock"
flock "$lock"

if [[ ! -f $VENV/complete ]]; then
	rm -rf "$VENV"
	{ /usr/bin/python3 -m venv "$VENV" &&
		"$VENV/bin/pip" install --require-hashes -r "$TESTBED/kernel/requirements.txt"; } >"$log" 2>&1 ||
		die "pip cannot install virtme-ng: $(grep -m 1 ERROR "$log" || tail -n 1 "$log"); full log: $log"
	touch "$VENV/complete"
fi

if [[ ! -x $BINDGEN/bin/bindgen ]]; then
	say "building bindgen ${BINDGEN##*-} (once, two to four minutes, beside the other steps)"
	# It runs but a few times for each kernel: to optimize all of it takes longer than that saves.
	profile=(--config profile.release.opt-level=0)
	for crate in bindgen proc-macro2 quote regex-automata; do
		profile+=(--config "profile.release.package.$crate.opt-level=1")
	done
	CARGO_TARGET_DIR=$CACHE/bindgen.build cargo install bindgen-cli --locked "${profile[@]}" \
		--version "${BINDGEN##*-}" --root "$BINDGEN" >"$log" 2>&1 ||
		die "cargo cannot build bindgen: $(grep -m 1 '^error' "$log" || tail -n 1 "$log"); full log: $log"
	rm -rf "$CACHE/bindgen.build"
fi
