#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Shows the results in files of KTAP, as the kernel's own parser reads them.

usage: count.py KUNIT-FOLDER FILE...
"""
import io
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import kunit_parser  # noqa: E402
import kunit_printer  # noqa: E402


# The start of a line with a figure to show, such as how many requests a test made.
FIGURE = "# figure: "

passed = failed = skipped = 0
for path in sys.argv[2:]:
    output = io.StringIO()
    with open(path, errors="replace") as lines:
        counts = kunit_parser.parse_run_tests(
            lines, kunit_printer.Printer(output=output)
        ).counts
    # A file that the parser cannot read, or that has no test, does not pass.
    bad = counts.failed + counts.crashed or counts.errors or counts.total() == 0
    if bad:
        print(output.getvalue())
    with open(path, errors="replace") as lines:
        figures = [line[len(FIGURE):].strip() for line in lines if line.startswith(FIGURE)]
    print(
        f"{os.path.join(*path.split(os.sep)[-2:])}: {counts.passed} passed, {bad:d} failed, {counts.skipped} skipped",
        *figures,
        sep="; ",
    )
    passed += counts.passed
    failed += bad
    skipped += counts.skipped

print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(failed > 0 or passed == 0)
