# SPDX-License-Identifier: GPL-2.0
"""Draws what a command printed as the picture of a terminal.

usage: screen.py COMMAND SVG <OUTPUT
"""

import io
import re
import sys

from rich.console import Console
from rich.text import Text

command, svg = sys.argv[1:]
output = sys.stdin.read().rstrip("\n").split("\n")
width = max(len(Text.from_ansi(line).plain) for line in output)
console = Console(record=True, width=width, file=io.StringIO())
console.print(Text(f"$ {command}", style="bold"))
for line in output:
    console.print(Text.from_ansi(line))
picture = console.export_svg(title=command, unique_id="screen")
# Use the reader's own font, so that the picture loads nothing from elsewhere.
picture = re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)
# Some programs drop spaces at the start of a line.
picture = picture.replace("<svg ", '<svg xml:space="preserve" ', 1)
with open(svg, "w", encoding="utf-8") as file:
    file.write(picture)
