# SPDX-License-Identifier: GPL-2.0
# The front door; what it does is in testbed/.

export BASE KERNEL IMPL FLAVOUR ACCEL V
# Whatever the command holds is for the guest, not for make.
override export CMD := $(value CMD)
export REQUEST REQUESTS SEED

all: ## build the test kernel and say where its image is (make LLVM=1 does the same)
	@testbed/kernel/build.sh

run: ## build, boot, and watch the subflows of one MPTCP connection over two paths
	@testbed/guest/run.sh

test: ## build and run the tests of the plain kernels, in Rust and in C: KTAP, and last a line of counts
	@testbed/suites/test.sh

test-debug: ## the kernel with every check that finds defects: a million requests, faults, churn, mainline's selftests
	@testbed/suites/test-debug.sh

test-ipv4: ## the kernel without IPv6: KUnit, and what of the selftest needs none
	@testbed/suites/test-ipv4.sh

test-races: ## the kernel with the race detector, of which Rust code is a part: 100,000 requests, churn
	@testbed/suites/test-races.sh

test-mutants: ## put defects into the Rust code, one at a time; a test has to catch each (MUTANTS='NAME...' these only)
	@testbed/suites/test-mutants.sh $(MUTANTS)

vm: ## a shell in the booted test kernel, or with CMD='...' one command; its exit status is the N of make's "Error N"
	@testbed/kernel/build.sh && testbed/guest/vm.sh $${CMD:+"$$CMD"}

menuconfig: ## change the test kernel's configuration, until the next change of Kconfig
	@testbed/kernel/build.sh menuconfig

bench: ## count the instructions of every kind of request, in C and in Rust; fails if a target is missed (eight minutes, besides the builds)
	@testbed/bench/bench.sh

profile: ## step through a request, say REQUEST='MPTCP_TCPINFO 1 full elements', and compare by function and by line of the source
	@testbed/bench/profile.sh $${REQUEST:+"$$REQUEST"}

compare: ## ask the C and the Rust kernel the same, at random (REQUESTS times) and in every state, and compare
	@testbed/suites/compare.sh

series: ## write the series to out/series/, signed off by you, addressed by get_maintainer.pl
	@testbed/series/series.sh

series-check: ## check the series as netdev's CI bots do, and build after each patch that changes code
	@testbed/suites/series-check.sh

code-check: ## of make test, all that boots no kernel: sources, crates, documentation, compiled code, series-check
	@testbed/suites/code-check.sh

htmldocs: ## build the pages of the series; fails if there is a warning about them
	@testbed/series/docs.sh html

rustdoc: ## build the kernel's Rust documentation; fails if a file of the series has a warning
	@testbed/series/docs.sh rust

clean: ## remove out/; what was downloaded or compiled stays in the cache, ~/.cache/mptcp-rust
	rm -rf out

help: ## this list
	@echo 'Targets:'
	@sed -n 's/^\([a-z-]*\): ## /\1\t/p' Makefile | expand -t 14 | sed 's/^/  /'
	@echo 'Variables:'
	@sed -n 's/^#? \([^ ]*\) /\1\t/p' Makefile | expand -t 22 | sed 's/^/  /'

#? KERNEL=DIR a kernel tree of your own as the base, only ever read (default: the packaged one)
#? IMPL=rust|c who answers the options about subflows (default: rust)
#? FLAVOUR=plain|inline|ipv4|debug|kcsan which test kernel, see Kconfig (default: plain)
#? ACCEL=auto|kvm|tcg how QEMU runs the guest (default: auto, which tries KVM once)
#? CMD='...' the command of make vm
#? REQUEST='...' the request of make profile, as make bench calls it
#? REQUESTS=N how many random requests make compare (default: 100000) and make test-debug (1000000) try
#? SEED=N which those are (default: 1)
#? BASE=VERSION the base to lay the series over, a folder of patches/ (default: the newest)
#? V=1 show the commands
#? MPTCP_RUST_CACHE=DIR where downloads and compiled objects are kept between clones

.PHONY: all run test test-debug test-ipv4 test-races test-mutants vm menuconfig bench profile compare series series-check code-check htmldocs rustdoc clean help
