#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Adds To and Cc to the mails of a series, as get_maintainer.pl says.

A patch goes to the maintainers of what it changes, with its reviewers and
mailing lists in Cc. The lists of FOLDER get every patch: otherwise, patchwork
considers the series incomplete. The cover letter goes to everyone who gets a
patch. TREE has the series applied, so that its own MAINTAINERS entries count.

usage: recipients.py TREE FOLDER COVER-LETTER PATCH...
"""
import subprocess
import sys
from email.utils import formataddr, getaddresses
from pathlib import Path


def get_maintainer(*args):
    command = ["scripts/get_maintainer.pl", "--nogit", "--nogit-fallback", "--norolestats"]
    found = subprocess.run(
        [*command, *args], cwd=tree, stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    if found.returncode or not found.stdout:
        sys.exit(f"error: get_maintainer.pl finds nobody: {' '.join(args)}")
    return getaddresses(found.stdout.splitlines())


def header(field, people):
    # formataddr encodes names that are not ASCII.
    return f"\n{field}: " + ",\n    ".join(map(formataddr, people)) if people else ""


def address(mail, to, cc):
    # Each address once, in the order in which it was found.
    cc = [person for person in dict.fromkeys(cc) if person not in to]
    headers, body = Path(mail).read_text(encoding="utf-8").split("\n\n", 1)
    headers += header("To", dict.fromkeys(to)) + header("Cc", cc)
    Path(mail).write_text(f"{headers}\n\n{body}", encoding="utf-8")


tree, folder, cover_letter, *patches = sys.argv[1:]
lists = get_maintainer("--nom", "--nor", "-f", folder)
all_to, all_cc = [], []
for patch in patches:
    to = get_maintainer("--nor", "--nol", patch)
    cc = get_maintainer("--nom", patch) + lists
    address(patch, to, cc)
    all_to += to
    all_cc += cc
address(cover_letter, all_to, all_cc)
