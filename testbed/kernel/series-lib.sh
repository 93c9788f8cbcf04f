# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by who takes the series apart. Each file of patches/ is a patch's
# message, then its changes to files of the base. The new files stand in the
# repository at their place in the kernel's tree, and a line of a message says
# which patch brings one:
#   Adds: FILE
#   Adds: FILE before LINE	(as far as this line; a later patch adds the whole)
set -euo pipefail
patches=("$PATCHES"/[0-9]*.patch)

version=$(sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = //p' "$PRISTINE/Makefile" | paste -sd .)

adds() { sed -n '/^--- a\//q; s/^Adds: //p' "$1"; }
message() { sed '/^--- a\//,$d; /^Adds: /d; s/^Subject: //' "$1"; }

# Each new file is the whole of one patch's.
check_adds() {
	local odd
	odd=$(comm -3 <(cd "$TOP" && find Documentation include net rust tools/testing -type f ! -name '*~' ! -name '.*.sw?' | sort) \
		<(for patch in "${patches[@]}"; do adds "$patch"; done | grep -v ' before ' | sort) | tr -d '\t')
	[[ ! $odd ]] || die "a line 'Adds: FILE' must stand in the message of one patch of ${PATCHES#"$TOP"/}," \
		"it does not for ${odd//$'\n'/, }"
}

# copy_base FOLDER: the base's version of every file that the series changes.
copy_base() {
	local patch file
	for patch in "${patches[@]}"; do
		sed -n 's|^--- a/||p' "$patch" | cut -f 1 | while IFS= read -r file; do
			[[ -e $PRISTINE/$file ]] ||
				die "${patch#"$TOP"/} does not apply to Linux $version: it has no $file"
			(cd "$PRISTINE" && cp -p --parents "$file" "$1")
		done
	done
}

# apply PATCH FOLDER: what one patch adds and changes.
apply() {
	local patch=$1 folder=$2 file line said
	adds "$patch" | while read -r file _ line; do
		[[ ! -e $PRISTINE/$file ]] || die "$PRISTINE has a $file already: the series adds this file"
		install -Dm 644 "$TOP/$file" "$folder/$file"
		[[ ! -x $TOP/$file ]] || chmod 755 "$folder/$file"
		if [[ $line ]]; then
			grep -qxF "$line" "$TOP/$file" || die "${patch#"$TOP"/}: there is no line '$line' in $file"
			awk -v line="$line" '$0 == line { exit } NF { printf "%s%s\n", blank, $0; blank = ""; next } { blank = blank "\n" }' \
				"$TOP/$file" >"$folder/$file"
		fi
	done
	said=$(patch -d "$folder" -p1 -F0 -f -r - --no-backup-if-mismatch <"$patch" 2>&1) ||
		die "${patch#"$TOP"/} does not apply to Linux $version:" \
			"$(awk '/^patching/ { file = $3 } /FAILED at|\*\*\*\*/ { said = said ", " file ": " $0 } END { print substr(said, 3) }' <<<"$said")"
}
