#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Writes the series as mails: a cover letter and numbered patches, signed off by
# the user and addressed to the maintainers. Sends nothing.
# usage: series.sh [FOLDER]
set -euo pipefail
. "${0%/*}/../lib.sh"

folder=${1:-$TOP/out/series/${OUT##*/}}

say "writing the series to ${folder#"$TOP"/}"
lock
"$TESTBED/kernel/install.sh"
who=$(git -C "$TOP" -c user.useConfigOnly=true var GIT_COMMITTER_IDENT 2>/dev/null) ||
	die "git has no name to sign the series off with; run:" \
		"git config --global user.name 'YOUR NAME' && git config --global user.email YOUR@ADDRESS"
"$TESTBED/kernel/fetch.sh"
"$TESTBED/kernel/lay.sh"
. "$TESTBED/kernel/series-lib.sh"

# The same input gives the same patches, whatever git's configuration and the date are.
name=${who%% <*} email=${who#*<}
email=${email%%>*}
date=$(git -C "$TOP" log -1 --format=%cI 2>/dev/null) || date=
export GIT_AUTHOR_NAME=$name GIT_AUTHOR_EMAIL=$email GIT_AUTHOR_DATE=$date
export GIT_COMMITTER_NAME=$name GIT_COMMITTER_EMAIL=$email GIT_COMMITTER_DATE=$date
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null

# The repository has only those files of the base that the patches change.
repo=$OUT/series
rm -rf "$repo"
git init -q -b series "$repo"
cd "$repo"
copy_base "$repo"
git add -Af
git commit -qm "Linux $version"
git tag base
for patch in "${patches[@]}"; do
	apply "$patch" "$repo"
	git add -Af
	message "$patch" | git commit -qsF -
done
git config branch.series.description "$(<"$PATCHES/cover-letter.txt")"

rm -rf "$folder"{,.part}
git format-patch -q --cover-letter --cover-from-description=subject --subject-prefix='PATCH net-next' \
	--zero-commit --abbrev=12 --no-signature -o "$folder.part" base
"$TESTBED/series/recipients.py" "$SRC" net/mptcp "$folder.part"/*.patch
mv "$folder.part" "$folder"
folder=${folder#"$TOP"/}
say "${#patches[@]} patches and a cover letter are in $folder, addressed by get_maintainer.pl; nothing has been sent"
# Documentation may contain characters that are not ASCII.
say "to send them: git send-email --8bit-encoding=UTF-8 $folder/*.patch"
