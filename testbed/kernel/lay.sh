#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Lays the series over the base: src/ is the pristine tree plus the overlay,
# which has the files that the series adds or changes.
set -euo pipefail
. "${0%/*}/../lib.sh"

[[ -f $PRISTINE/Makefile ]] || die "$PRISTINE is not a kernel tree: it has no Makefile"
. "$TESTBED/kernel/series-lib.sh"
[[ $version == "$BASE".* ]] ||
	die "$PRISTINE is Linux $version, and the series is for $BASE: choose a tree of that version"

new=$OUT/overlay.new
rm -rf "$new"
mkdir -p "$new" "$OUT/overlay"

check_adds
copy_base "$new"
for patch in "${patches[@]}"; do
	apply "$patch" "$new"
done

# A file that did not change keeps its time stamp, so that it is not built again.
rsync -rlp --checksum --delete "$new/" "$OUT/overlay/"
rm -rf "$new"

list=$OUT/overlay.list
(cd "$OUT/overlay" && find . -type f -printf '/%P\n' | sort) >"$list.new"

if [[ $KERNEL ]]; then
	# The user's tree is only read. Objects and configuration in it are not copied.
	[[ -d $SRC ]] || { need_space "$OUT" 5; say "copying $KERNEL"; }
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

# A file that is no longer in the series becomes the base's again, with a new time stamp, so that it is built.
touch "$list"
comm -13 "$list.new" "$list" | while IFS= read -r file; do
	rm -f "$SRC$file"
	[[ ! -f $PRISTINE$file ]] || cp "$PRISTINE$file" "$SRC$file"
done
rsync -rlp --checksum "$OUT/overlay/" "$SRC/"
mv "$list.new" "$list"
