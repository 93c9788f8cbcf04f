#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Reads files of KTAP with the kernel's own parser and says what they hold.

usage: count.py KUNIT-FOLDER FILE...
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import kunit_parser  # noqa: E402
from kunit_printer import stdout  # noqa: E402

total = kunit_parser.TestCounts()
for path in sys.argv[2:]:
    stdout.print(f"{os.path.basename(path)}:")
    with open(path, errors="replace") as lines:
        test = kunit_parser.parse_run_tests(lines, stdout)
    if test.counts.total() == 0:
        test.counts.errors += 1
    total.add_subtest_counts(test.counts)

# What the parser could not make sense of is no pass.
failed = total.failed + total.crashed + total.errors
print(f"{total.passed} passed, {failed} failed, {total.skipped} skipped")
sys.exit(failed > 0 or total.passed == 0)
