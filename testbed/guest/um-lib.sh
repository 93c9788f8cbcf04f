# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
# Sourced by vm.sh: how a guest runs as user-mode Linux. Its console is standard error; the terminal of
# the command is standard input and output.
set -euo pipefail

[[ ! $qemu ]] || die "vm.sh -q: user-mode Linux has no QEMU"
[[ $cpus == 1 ]] || die "vm.sh -c $cpus: user-mode Linux runs with one processor here"
what="the $KIND test kernel as user-mode Linux"
# Where seccomp works, system calls and page faults of the guest are faster with it than with ptrace.
um=("$IMAGE" rootfstype=hostfs rootflags=/ ro mem=1G seccomp=auto con=null con0=null,fd:2 con1=fd:0,fd:1 "uml_dir=$OUT/um"
	init="$TESTBED/guest/inside/init.sh" "testbed_top=$TOP" testbed_terminal=tty1 "testbed_writable=$writable" "${arguments[@]}")

shell=("${um[@]}")
runs() { run=("${um[@]}" -- "$1"); }
