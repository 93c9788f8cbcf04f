#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Reads the output of a kernel's build and shows how far it is.

usage: progress.py [SHIPPED RECORDED STATISTICS]

With these files, the build is one from scratch, and the time left is shown too. SHIPPED has the
steps of such a build. RECORDED has those of the last one on this machine, and is written when the
build ends. Each line describes a kind of step: how many there are, how many milliseconds one takes,
and its name. CC is a compilation that is not in ccache, CACHED one that is. STATISTICS, ccache's
stats_log, shows which. Steps of the kinds in PARALLEL run at once, the others mostly one at a time.
"""

import os
import re
import select
import signal
import sys
import time

# The last line of a build, of x86 and of user-mode Linux.
LAST = ("Kernel: ", "  LINK linux")
PARALLEL = {"AR", "AS", "CC", "CACHED", "HOSTCC"}


def kind(step):
    """A compilation in Rust is long enough to be a kind of its own."""
    words = step.split()
    return " ".join(words) if words[0] in ("BINDGEN", "RUSTC") else words[0]


class Statistics:
    """The share of the compilations that ccache has."""

    def __init__(self, path):
        self.file = open(path, "w+", encoding="utf-8")
        self.source = ""
        self.hits = self.misses = 0

    def share(self):
        for line in self.file:
            line = line.strip()
            if line.startswith("# "):
                self.source = line[2:]
            # The build also compiles /dev/null, to learn the compiler's options.
            elif self.source.endswith((".c", ".S")):
                self.hits += line in ("direct_cache_hit", "preprocessed_cache_hit")
                self.misses += line == "cache_miss"
        return self.hits / max(self.hits + self.misses, 1)


class Estimate:
    """The time left in a build from scratch."""

    def __init__(self, shipped, recorded, statistics):
        self.recorded = recorded
        self.statistics = Statistics(statistics)
        self.number, self.cost = {}, {}
        with open(recorded if os.path.exists(recorded) else shipped, encoding="utf-8") as lines:
            for line in lines:
                if line[0] != "#":
                    number, cost, name = line.split(maxsplit=2)
                    self.number[name.strip()] = int(number)
                    self.cost[name.strip()] = int(cost)
        self.steps = sum(self.number.values())
        self.seen, self.spent = {}, {}
        self.last = None
        self.began = 0

    def step(self, name, now):
        """A step begins."""
        if self.last:
            self.spent[self.last] = self.spent.get(self.last, 0) + now - self.began
        self.seen[name] = self.seen.get(name, 0) + 1
        self.last, self.began = name, now

    def weight(self, name):
        """How many seconds a step of this kind took when it was recorded."""
        cost = self.cost.get(name, 0)
        if name == "CC":
            cached = self.statistics.share()
            cost = cost * (1 - cached) + self.cost["CACHED"] * cached
        return cost / 1000 / (os.cpu_count() if name in PARALLEL else 1)

    def left(self, now):
        """Seconds left, at the pace of the steps that have ended: all but the last one seen."""
        weights = {name: self.weight(name) for name in self.number}
        current = weights.get(self.last, 0)
        ended = sum(weights.get(name, 0) * number for name, number in self.seen.items()) - current
        whole = sum(
            weight * max(self.number[name], self.seen.get(name, 0)) for name, weight in weights.items()
        )
        if ended <= 0:
            return None
        # If the current step takes longer than expected, the pace is slower.
        pace = max(self.began / ended, now / (ended + current))
        return max(pace * (whole - ended) - (now - self.began), 0)

    def record(self, now):
        """Writes the steps of a build that has ended."""
        self.step("end", now)
        cached = self.statistics.share()
        # A time of CACHED says nothing about CC, and the other way round.
        ours = "CACHED" if cached > 0.5 else "CC"
        cost = dict(self.cost)
        for name, spent in self.spent.items():
            parallel = os.cpu_count() if name in PARALLEL else 1
            cost[ours if name == "CC" else name] = round(spent * 1000 * parallel / self.seen[name])
        with open(self.recorded + ".part", "w", encoding="utf-8") as file:
            for name in sorted([*self.spent, "CACHED"]):
                if name in cost:
                    print(self.seen.get(name, 0), cost[name], name, file=file)
        os.rename(self.recorded + ".part", self.recorded)


def minutes(seconds):
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


class Display:
    """One line that a terminal keeps up to date. A log gets a line now and then."""

    def __init__(self, estimate):
        self.estimate = estimate
        self.terminal = sys.stderr.isatty()
        self.interval = 1 if self.terminal else 20
        self.steps = 0
        self.next = self.interval

    def show(self, now):
        self.next = now + self.interval
        text = f"  step {self.steps}"
        left = None
        if self.estimate:
            text += f" of about {max(self.estimate.steps, self.steps)}"
            # The first steps are too short to measure the pace.
            left = self.estimate.left(now) if now > 15 else None
        text += f", {minutes(now)}"
        if left is not None:
            text += f", about {round(left / 60)} min left" if left > 90 else f", about {round(left, -1):.0f} s left"
        self.write(f"\r{text}\033[K" if self.terminal else text + "\n")

    def write(self, text):
        print(text, end="", file=sys.stderr, flush=True)


def main():
    # An interrupted make ends this too, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    estimate = Estimate(*sys.argv[1:]) if sys.argv[1:] else None
    display = Display(estimate)
    begin = time.monotonic()
    rest = b""
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], 1)
        data = os.read(sys.stdin.fileno(), 65536) if ready else None
        now = time.monotonic() - begin
        if data == b"":
            break
        *lines, rest = (rest + (data or b"")).split(b"\n")
        for line in lines:
            line = line.decode(errors="replace")
            if re.match("  [A-Z]", line):
                display.steps += 1
                if estimate:
                    estimate.step(kind(line), now)
            elif "warning:" in line:
                display.write(line + "\n")
            if estimate and line.startswith(LAST):
                estimate.record(now)
        if now >= display.next:
            display.show(now)
    display.show(now)
    if display.terminal:
        display.write("\n")


if __name__ == "__main__":
    main()
