#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes the test kernel's .config: allnoconfig, plus what the repository's Kconfig selects.
set -euo pipefail
. "${0%/*}/../lib.sh"

# If the content is the same, the file keeps its time stamp, and nothing is configured again.
kconfig=$(grep -v '^mainmenu ' "$SRC/Kconfig")
[[ -f $BASE_KCONFIG && $(<"$BASE_KCONFIG") == "$kconfig" ]] || printf '%s\n' "$kconfig" >"$BASE_KCONFIG"

fragment=$OUT/config-$KIND
symbols=(TESTBED "TESTBED_${IMPL^^}" "TESTBED_${FLAVOUR^^}")
# The debug kernel takes many stack traces, and its timer tick is slow. These options make both cheaper.
# They belong to choices, so Kconfig cannot select them.
[[ $ARCH-$FLAVOUR != x86_64-debug ]] || symbols+=(UNWINDER_FRAME_POINTER NO_HZ_IDLE HZ_100)
printf 'CONFIG_%s=y\n' "${symbols[@]}" >"$fragment"

# What menuconfig changed is kept until one of these inputs changes.
mkdir -p "$OBJ"
sum=$(cd "$OUT" && { clang --version && rustc --version && bindgen --version &&
	cat "$fragment" "$KBUILD_KCONFIG" "$BASE_KCONFIG" && find overlay -name 'Kconfig*' -exec cat {} +; } | cksum)
stamp=$OBJ/.config.from
[[ ! -f $OBJ/.config || ! -f $stamp || $(<"$stamp") != "$sum" ]] || exit 0

say "configuring the $KIND test kernel"
KCONFIG_WERROR=1 KCONFIG_ALLCONFIG=$fragment logged "config-$KIND" "the configuration" kmake allnoconfig

# allnoconfig accepts this.
unmet=$(sed -n 's/^WARNING: unmet direct dependencies detected for //p' "$LOGS/config-$KIND.log")
[[ ! $unmet ]] || die "the dependencies of ${unmet//$'\n'/ } are not met (log: $LOGS/config-$KIND.log)"

# Kconfig silently ignores the select of an undefined symbol.
lost=$(awk 'FNR == NR { if (sub(/=y$/, "")) on[$0] = 1; next }
	/^config / { owner = "CONFIG_" $2 }
	$1 == "select" && owner in on && !("CONFIG_" $2 in on) { print $2 }' "$OBJ/.config" "$KBUILD_KCONFIG")
[[ ! $lost ]] || die "this kernel tree lacks symbols that ${KBUILD_KCONFIG#"$TOP"/} selects: ${lost//$'\n'/ }"
lost=$(grep -vxFf "$OBJ/.config" "$fragment") || :
[[ ! $lost ]] || die "Kconfig did not accept ${lost//$'\n'/ } (log: $LOGS/config-$KIND.log)"

if ! grep -qx CONFIG_RUST=y "$OBJ/.config"; then
	logged rustavailable "this kernel tree does not support the Rust toolchain: make rustavailable" kmake rustavailable
	die "CONFIG_RUST is off, although make rustavailable passes: see $OBJ/.config"
fi
echo "$sum" >"$stamp"
