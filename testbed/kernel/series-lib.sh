# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by scripts that need the parts of the series. A file in patches/ has
# the message of a patch, then its changes to files of the base. New files are in
# the repository, at their paths in the kernel tree. A line of the message names
# a new file that the patch adds:
#   Adds: FILE
#   Adds: FILE before LINE	(up to that line; a later patch adds the whole file)
set -euo pipefail
patches=("$PATCHES"/[0-9]*.patch)

version=$(sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = //p' "$PRISTINE/Makefile" | paste -sd .)

adds() { sed -n '/^--- a\//q; s/^Adds: //p' "$1"; }
message() { sed '/^--- a\//,$d; /^Adds: /d; s/^Subject: //' "$1"; }

# Exactly one patch must add each new file as a whole.
check_adds() {
	local odd
	odd=$(comm -3 <(cd "$TOP" && find Documentation include net rust tools/testing -type f ! -name '*~' ! -name '.*.sw?' | sort) \
		<(for patch in "${patches[@]}"; do adds "$patch"; done | grep -v ' before ' | sort) | tr -d '\t')
	[[ ! $odd ]] || die "exactly one patch in ${PATCHES#"$TOP"/} must have the line 'Adds: FILE' for each new file;" \
		"wrong for ${odd//$'\n'/, }"
}

# copy_base FOLDER: copies the base's version of every file that the series changes.
copy_base() {
	local patch file
	for patch in "${patches[@]}"; do
		sed -n 's|^--- a/||p' "$patch" | cut -f 1 | while IFS= read -r file; do
			[[ -e $PRISTINE/$file ]] ||
				die "${patch#"$TOP"/} does not apply to Linux $version, which has no $file"
			(cd "$PRISTINE" && cp -p --parents "$file" "$1")
		done
	done
}

# apply PATCH FOLDER: adds and changes the files of one patch.
apply() {
	local patch=$1 folder=$2 file line output
	adds "$patch" | while read -r file _ line; do
		[[ ! -e $PRISTINE/$file ]] || die "the series adds $file, which $PRISTINE already has"
		install -Dm 644 "$TOP/$file" "$folder/$file"
		[[ ! -x $TOP/$file ]] || chmod 755 "$folder/$file"
		if [[ $line ]]; then
			grep -qxF "$line" "$TOP/$file" || die "${patch#"$TOP"/}: $file has no line '$line'"
			awk -v line="$line" '$0 == line { exit } NF { printf "%s%s\n", blank, $0; blank = ""; next } { blank = blank "\n" }' \
				"$TOP/$file" >"$folder/$file"
		fi
	done
	output=$(patch -d "$folder" -p1 -F0 -f -r - --no-backup-if-mismatch <"$patch" 2>&1) ||
		die "${patch#"$TOP"/} does not apply to Linux $version:" \
			"$(awk '/^patching/ { file = $3 } /FAILED at|\*\*\*\*/ { all = all ", " file ": " $0 } END { print substr(all, 3) }' <<<"$output")"
}
