#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Reads files of KTAP with the kernel's own parser and says what they hold.

usage: count.py KUNIT-FOLDER FILE...
"""
import io
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import kunit_parser  # noqa: E402
import kunit_printer  # noqa: E402


# What a test says that it had so many of.
FIGURE = "# figure: "

passed = failed = skipped = 0
for path in sys.argv[2:]:
    said = io.StringIO()
    with open(path, errors="replace") as lines:
        counts = kunit_parser.parse_run_tests(
            lines, kunit_printer.Printer(output=said)
        ).counts
    # What the parser could not make sense of is no pass, and neither is nothing.
    bad = counts.failed + counts.crashed or counts.errors or counts.total() == 0
    if bad:
        print(said.getvalue())
    with open(path, errors="replace") as lines:
        figures = [line[len(FIGURE):].strip() for line in lines if line.startswith(FIGURE)]
    print(
        f"{os.path.basename(path)}: {counts.passed} passed, {bad:d} failed, {counts.skipped} skipped",
        *figures,
        sep="; ",
    )
    passed += counts.passed
    failed += bad
    skipped += counts.skipped

print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(failed > 0 or passed == 0)
