#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes the test kernel's .config from nothing but what Kconfig says it needs.
set -euo pipefail
. "${0%/*}/../lib.sh"

# A file that is the same keeps its time, and nothing is configured anew.
kconfig=$(grep -v '^mainmenu ' "$SRC/Kconfig")
[[ -f $BASE_KCONFIG && $(<"$BASE_KCONFIG") == "$kconfig" ]] || printf '%s\n' "$kconfig" >"$BASE_KCONFIG"

fragment=$OUT/config-$KIND
symbols=(TESTBED "TESTBED_${IMPL^^}" "TESTBED_${FLAVOUR^^}")
# What has every check takes many stack traces, and this is the quick way; and each
# tick of the clock is slow. They are parts of choices: nothing can select them.
[[ $FLAVOUR != debug ]] || symbols+=(UNWINDER_FRAME_POINTER NO_HZ_IDLE HZ_100)
printf 'CONFIG_%s=y\n' "${symbols[@]}" >"$fragment"

# What the user set with menuconfig stays for as long as this is the same.
mkdir -p "$OBJ"
sum=$(cd "$OUT" && { clang --version && rustc --version && bindgen --version &&
	cat "$fragment" "$KBUILD_KCONFIG" "$BASE_KCONFIG" && find overlay -name 'Kconfig*' -exec cat {} +; } | cksum)
stamp=$OBJ/.config.from
[[ ! -f $OBJ/.config || ! -f $stamp || $(<"$stamp") != "$sum" ]] || exit 0

log=$LOGS/config-$KIND.log
say "configuring the $KIND test kernel"
KCONFIG_WERROR=1 KCONFIG_ALLCONFIG=$fragment kmake allnoconfig >"$log" 2>&1 </dev/null ||
	die "the configuration does not hold: $(grep -m 1 'unmet\|rror:' "$log" || grep -m 1 -i 'error\|warning' "$log")" \
		"(full log: $log)"

# Kconfig takes a select of a symbol that is nowhere defined without a word.
lost=$(awk 'FNR == NR { if (sub(/=y$/, "")) on[$0] = 1; next }
	/^config / { owner = "CONFIG_" $2 }
	$1 == "select" && owner in on && !("CONFIG_" $2 in on) { print $2 }' "$OBJ/.config" "$KBUILD_KCONFIG")
[[ ! $lost ]] || die "this tree has no" "${lost//$'\n'/ }" "- its Kconfig lacks what $KBUILD_KCONFIG asks for"
lost=$(grep -vxFf "$OBJ/.config" "$fragment") || :
[[ ! $lost ]] || die "Kconfig did not accept" "${lost//$'\n'/ }" "(full log: $log)"

if ! grep -qx CONFIG_RUST=y "$OBJ/.config"; then
	kmake rustavailable >>"$log" 2>&1 || :
	die "this tree does not take the Rust toolchain: $(tail -n 3 "$log" | head -n 1)"
fi
echo "$sum" >"$stamp"
