#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Lays the series over the base: src is the pristine tree with the overlay,
# which holds only the files that the series adds or changes.
set -euo pipefail
. "${0%/*}/lib.sh"

[[ -f $PRISTINE/Makefile ]] || die "$PRISTINE is not a kernel tree"
version=$(sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = //p' "$PRISTINE/Makefile" | paste -sd .)
[[ $version == "$BASE".* ]] ||
	die "$PRISTINE is Linux $version; the series is for $BASE.x, choose a tree of that version"

new=$OUT/overlay.new
rm -rf "$new"
mkdir -p "$new" "$OUT/overlay"

# What the series adds.
parts=(Documentation include net rust tools/testing)
for part in "${parts[@]}"; do
	[[ ! -d $TOP/$part ]] || (cd "$TOP" && find "$part" -type f ! -name '*~' ! -name '.*.sw?' -print0)
done | while IFS= read -rd '' file; do
	[[ ! -e $PRISTINE/$file ]] || die "$PRISTINE has a $file already: the series adds this file"
	install -Dm 644 "$TOP/$file" "$new/$file"
	[[ ! -x $TOP/$file ]] || chmod 755 "$new/$file"
done

# What the series changes.
for patch in "$PATCHES"/[0-9]*.patch; do
	[[ -f $patch ]] || continue
	sed -n 's|^--- a/||p' "$patch" | cut -f 1 | while IFS= read -r file; do
		[[ ! -e $new/$file ]] || continue
		[[ -e $PRISTINE/$file ]] ||
			die "${patch#"$TOP"/} does not apply to Linux $version: it has no $file"
		(cd "$PRISTINE" && cp -p --parents "$file" "$new")
	done
	said=$(patch -d "$new" -p1 -F0 -f --no-backup-if-mismatch <"$patch" 2>&1) ||
		die "${patch#"$TOP"/} does not apply to Linux $version:" \
			"$(awk '/^patching/ { file = $3 } /FAILED at|\*\*\*\*/ { print file, $0; exit }' <<<"$said")"
done

# A file that did not change keeps its time, and is not built again.
rsync -rlp --checksum --delete "$new/" "$OUT/overlay/"
rm -rf "$new"

list=$OUT/overlay.list
(cd "$OUT/overlay" && find . -type f -printf '/%P\n' | sort) >"$list.new"

if [[ $KERNEL ]]; then
	# The user's tree is only read, and what was built in it stays behind.
	[[ -d $SRC ]] || { need_space 5; say "copying $KERNEL"; }
	rsync -a --delete --exclude-from=- "$KERNEL/" "$SRC/" <<-END
		$(<"$list.new")
		.git
		/.config*
		/include/config
		/include/generated
		/arch/*/include/generated
		*.o
		*.a
		*.cmd
	END
elif [[ ! -d $SRC ]]; then
	cp -al "$PRISTINE" "$SRC.part"
	mv "$SRC.part" "$SRC"
fi

# Files that left the series are the base's again, with today's date for make.
touch "$list"
comm -13 "$list.new" "$list" | while IFS= read -r file; do
	rm -f "$SRC$file"
	[[ ! -f $PRISTINE$file ]] || cp "$PRISTINE$file" "$SRC$file"
done
rsync -rlp --checksum "$OUT/overlay/" "$SRC/"
mv "$list.new" "$list"
