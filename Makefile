# SPDX-License-Identifier: GPL-2.0
# The front door: each target calls a script in testbed/.

export ARCH BASE KERNEL IMPL FLAVOUR ACCEL V
# make must not expand a $ in the command.
override export CMD := $(value CMD)
export REQUEST REQUESTS SEED TEST

# The architectures of a target, if it is not for all.
run: export ARCHES := x86_64 um
soak: export ARCHES := um
test test-debug test-mainline test-ipv4 test-races test-arches test-configs test-mutants: export ARCHES := x86_64
bench profile pictures series-check code-check: export ARCHES := x86_64

all: ## build the test kernel and print where its image is (make LLVM=1 does the same)
	@testbed/kernel/build.sh

run: ## build, boot, and show the subflows of one MPTCP connection over two paths
	@testbed/guest/run.sh

quick: ## test both implementations as user-mode Linux, which needs neither QEMU nor KVM (half a minute, besides the builds)
	@testbed/suites/quick.sh $(filter-out x86_64,$(ARCH))

test: ## run all tests on the plain kernels, Rust and C; print KTAP, then the counts
	@testbed/suites/test.sh

test-arches: ## test both implementations on other architectures, which QEMU emulates: arm, which has 32 bits, arm64, and s390, which is big-endian
	@testbed/suites/test-arches.sh

test-one: ## run TEST='mptcp_subflow_info -v tcpinfo', another selftest, or TEST=kunit
	@testbed/suites/test-one.sh

test-debug: ## test the debug kernel: a million random requests, fault injection, subflow churn, mainline's selftests
	@testbed/suites/test-debug.sh

test-mainline: ## run mainline's larger selftests on the debug kernel, while a program reads the subflows of all sockets; what fails is repeated, with C as well
	@testbed/suites/test-mainline.sh $(SCRIPTS)

test-ipv4: ## test the kernel without IPv6: KUnit, and the variants of the selftest that need no IPv6
	@testbed/suites/test-ipv4.sh

test-races: ## look for data races with KCSAN, in the Rust code too: 100,000 random requests, subflow churn
	@testbed/suites/test-races.sh

test-configs: ## build the series with 36 unusual configurations, 32 of which are random; and test it with PREEMPT_RT, and with KMSAN
	@testbed/suites/test-configs.sh $(CONFIGS)

test-mutants: ## put defects into the code, written and generated ones, one at a time, which the tests must catch
	@testbed/suites/test-mutants.sh $(MUTANTS)

vm: ## boot the guest for a shell, or for one command, CMD='...'; if that exits with N, make prints "Error N"
	@testbed/kernel/build.sh && testbed/guest/vm.sh $${CMD:+"$$CMD"}

menuconfig: ## change the test kernel's configuration; kept until Kconfig or a compiler changes
	@testbed/kernel/build.sh menuconfig

bench: ## count the instructions of each kind of request, in C and in Rust; fail if a target is missed (eight minutes, plus the builds)
	@testbed/bench/bench.sh

profile: ## count the instructions of REQUEST='MPTCP_TCPINFO 1 full elements' by function and source line
	@testbed/bench/profile.sh $${REQUEST:+"$$REQUEST"}

compare: ## compare the C and the Rust kernel: REQUESTS random requests, and every state of a socket
	@testbed/suites/compare.sh

soak: ## make REQUESTS random requests (default: 20 million) on C and Rust as user-mode Linux; continues where it was stopped
	@testbed/suites/soak.sh

series: ## write the series to out/series/, addressed and signed off by you, and print how to send it
	@testbed/series/series.sh

series-check: ## check the series as the CI bots of the mailing lists do, and build after each patch
	@testbed/suites/series-check.sh

crate-check: ## test mptcp-subflows on this machine: lints, tests, Debian 13's Rust, cargo publish
	@testbed/suites/crate-check.sh

code-check: ## run the tests that boot no kernel: sources, crates, documentation, compiled code, series-check
	@testbed/suites/code-check.sh

packages: ## build and test a Debian package and a static program of mptcp-subflows
	@testbed/crate/packages.sh

pictures: ## redraw the pictures of README.md (runs make run and make bench)
	@testbed/pictures/pictures.sh

htmldocs: ## build the documentation pages of the series; a warning about one of them is an error
	@testbed/series/docs.sh html

rustdoc: ## build the kernel's Rust documentation; a warning about a file of the series is an error
	@testbed/series/docs.sh rust

clean: ## remove out/, but not the cache of downloads and compiled objects
	rm -rf out

help: ## print this list
	@echo 'Targets:'
	@sed -n 's/^\([a-z0-9-]*\): ## /\1\t/p' Makefile | expand -t 14 | sed 's/^/  /'
	@echo 'Variables:'
	@sed -n 's/^#? \([^ ]*\) /\1\t/p' Makefile | expand -t 22 | sed 's/^/  /'

#? KERNEL=DIR use a kernel tree of your own as the base, without changing it (default: Debian's package)
#? ARCH=x86_64|um|arm|arm64|s390 the architecture: um is user-mode Linux, a process of this machine (default: x86_64)
#? IMPL=rust|c the implementation of the per-subflow options (default: rust)
#? FLAVOUR=NAME the test kernel's configuration: plain, inline, ipv4, debug, kcsan, kmsan or rt; see Kconfig (default: plain)
#? ACCEL=auto|kvm|tcg how QEMU runs the guest (default: auto, which uses KVM if it works)
#? CMD='...' the command of make vm
#? TEST='...' the test of make test-one
#? REQUEST='...' the request of make profile, by its name in the table of make bench
#? REQUESTS=N the number of random requests (default: 100000; make test, make test-debug: 1000000)
#? SEED=N the seed of the random requests (default: 1)
#? CONFIGS='NAME...' the configurations for make test-configs: cfi, lto, allmodconfig, bindgen-VERSION, random-SEED, rt, kmsan (default: all)
#? SCRIPTS='NAME...' the scripts for make test-mainline: userspace_pm, simult_flows, mptcp_join (default: all)
#? MUTANTS='NAME...' the defects for make test-mutants: patches in testbed/suites/mutants/, and generated ones (default: all)
#? BASE=VERSION the base kernel, a folder in patches/ (default: the newest)
#? V=1 show the commands
#? MPTCP_RUST_CACHE=DIR the cache of downloads and compiled objects (default: ~/.cache/mptcp-rust)

.PHONY: all run quick test test-arches test-one test-debug test-mainline test-ipv4 test-races test-configs test-mutants vm menuconfig bench profile compare soak series series-check crate-check code-check packages pictures htmldocs rustdoc clean help
