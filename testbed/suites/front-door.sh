#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests that make run reports what is missing, in one line and before it starts to work,
# and that Ctrl-C ends it. Runs a copy of this repository in namespaces, which have no
# network and replace files of the system, so that nothing on the machine changes.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

"$TESTBED/kernel/build.sh" config
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy=$work/copy
mkdir "$copy" "$work/home" "$work/empty"
cp -a "$TOP"/{Makefile,Kconfig,Documentation,include,net,patches,rust,testbed,tools} "$copy"
: >"$work/none"
printf '%s\n' ID=ubuntu 'VERSION_ID="24.04"' 'PRETTY_NAME="Ubuntu 24.04 LTS"' >"$work/os-release"
# A cache in which only the base kernel is missing.
mkdir "$work/cache"
ln -s "$VENV" "$BINDGEN" "$work/cache"

isolated=(unshare --mount --net)
[[ $(id -u) == 0 ]] || isolated+=(--map-root-user)

# make_run SETUP [ARGUMENT]...: runs make run in a copy of the repository without out/, after the commands in
# SETUP. Its environment has no variable of this make.
make_run() {
	rm -rf "$copy/out"
	printf '%s\n' 'set -e' "cd $copy" "$1" "exec \${as:-} make run \"\$@\"" >"$work/script"
	env -i PATH="$PATH" HOME="$work/home" "${isolated[@]}" timeout --foreground 120 bash "$work/script" "${@:2}" 2>&1
}

# says PATTERN SETUP [ARGUMENT]...: tests that make run fails before the base is unpacked, with one error in the
# last line, which matches PATTERN.
says() {
	local output
	! output=$(make_run "${@:2}") || { echo "make run succeeds"; return 1; }
	output=$(grep -v '^make' <<<"$output")
	if [[ $(grep -c '^error: ' <<<"$output") != 1 || -d $copy/out/$BASE/base ]] ||
		! tail -n 1 <<<"$output" | grep "^error: .*$1"; then
		echo "expected: $1"
		echo "$output"
		return 1
	fi
}

no_packages="mount --bind $work/none /var/lib/dpkg/status"
cache="export MPTCP_RUST_CACHE=$work/cache"

waits() {
	local line out status=1
	mkdir -p "$copy/out/$BASE"
	exec {held}>"$copy/out/$BASE/lock"
	flock "$held"
	exec {out}< <(cd "$copy" && exec env -i PATH="$PATH" HOME="$work/home" "${isolated[@]}" timeout 120 make run 2>&1)
	while read -rt 60 -u "$out" line; do
		[[ $line != "waiting for another make"* ]] || { status=0; break; }
		echo "$line"
	done
	kill $!
	exec {held}>&- {out}<&-
	return $status
}

# An apt-get that succeeds when it is interrupted, as the real one does while dpkg runs.
cat >"$work/apt-get" <<-END
	#!/bin/bash
	trap 'exit 0' INT
	echo started >$work/started
	sleep 100
END
chmod 755 "$work/apt-get"
mkfifo "$work/started"

# end_session ID: ends its processes, some of which are in groups of their own.
end_session() {
	pgrep -s "$1" | xargs -r kill -KILL
}

interrupted() {
	local group line left
	# As a terminal does: it sends the signal to all processes of its foreground group.
	setsid env --default-signal=INT bash -c "set -euo pipefail; $(declare -f make_run); isolated=(${isolated[*]}) work=$work copy=$copy
		make_run '$cache; $no_packages; mount --bind $work/apt-get /usr/bin/apt-get'" >"$work/output" 2>&1 &
	group=$!
	read -rt 60 line <>"$work/started" || { echo "apt-get is not called"; cat "$work/output"; end_session "$group"; return 1; }
	kill -INT -- "-$group"
	wait "$group" || :
	if left=$(pgrep -a -s "$group" -r D,R,S) || grep 'downloading\|unpacking' "$work/output"; then
		echo "left: $left"
		cat "$work/output"
		end_session "$group"
		return 1
	fi
}

if "${isolated[@]}" true; then
	check "another distribution" says 'this is not Debian 12 but Ubuntu 24.04 LTS' "mount --bind $work/os-release /etc/os-release; $no_packages"
	[[ $(id -u) != 0 ]] ||
		check "packages missing, and no root" says 'packages are missing; as root, run: apt-get update && apt-get install' \
			"chmod -R a+rwX $work; $no_packages; as='setpriv --reuid=65534 --regid=65534 --clear-groups'"
	check "packages missing, and no network" says 'apt-get update failed: .*; check the network' \
		"$no_packages; mount -t tmpfs none /var/lib/apt; mount -t tmpfs none /var/cache/apt"
	check "no base kernel, and no network" says 'apt-get update.* failed: .*; check the network' "$cache"
	check "full disk" says "$copy/out/$BASE needs 4 GB of free disk space" "mkdir out; mount -t tmpfs -o size=10M none out"
	check "full cache" says "needs 1 GB of free disk space" "mount -t tmpfs -o size=10M none $work/home"
	check "read-only home" says 'Read-only file system.*: set MPTCP_RUST_CACHE=DIR' "mount -t tmpfs -o ro none $work/home"
	check "no home" says 'HOME is not set.*: set MPTCP_RUST_CACHE=DIR' 'unset HOME'
	check "no write permission" says "cannot write to $work/empty" "mount --bind -o ro $work/empty $work/empty" MPTCP_RUST_CACHE="$work/empty"
	check "a space in the path" says "move or rename $copy/out/a b" "mkdir -p out/'a b'; mount --bind $copy out/'a b'; cd out/'a b'"
	check "a space in the cache's path" says "move or rename $work/a b" : MPTCP_RUST_CACHE="$work/a b"
	for wrong in ARCH=mips FLAVOUR=guest IMPL=ada BASE=1.0 ACCEL=no; do
		check "$wrong" says "$wrong: ${wrong%=*} must be one of: [a-z0-9]" : "$wrong"
	done
	check "ARCH=s390" says 'ARCH=s390: ARCH must be one of: x86_64 um' : ARCH=s390
	check "SEED=x" says 'must be numbers' : SEED=x
	check "KERNEL=/none" says 'there is no such folder' : KERNEL=/none
	check "full disk, with KERNEL" says "$copy/out/$BASE-user-[0-9]* needs 5 GB of free disk space" \
		"$cache; mkdir out; mount -t tmpfs -o size=4500M none out" KERNEL="$PRISTINE"
	check "KERNEL=/usr" says '/usr is not a kernel tree' "$cache" KERNEL=/usr
	check "another make at work" waits
	check "Ctrl-C" interrupted
else
	checks=("ok 1 front door # SKIP unshare is not permitted here")
fi

mkdir -p "$results"
report "$results/front-door.tap"
count "$results/front-door.tap"
