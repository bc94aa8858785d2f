#!/usr/bin/env python3
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Prints the instructions of each program of a built BPF object; exit 1 if one is over its budget in README.md.

    check_budget.py build/bpf/pyebpf.bpf.o
"""

import os
import re
import shutil
import subprocess
import sys

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md")
ROW = re.compile(r"^\| `(\w+)` \| ([\d,]+) \| ([\d,]+) \|")
INSTRUCTION_BYTES = 8
READELF = ("readelf", "llvm-readelf", "llvm-readelf-16", "eu-readelf")


def read_budgets(path):
    """Program -> most instructions, from the table."""
    with open(path, encoding="utf-8") as file:
        rows = (ROW.match(line) for line in file)
        return {row.group(1): int(row.group(2).replace(",", "")) for row in rows if row}


def count_instructions(path):
    """Program -> instructions: the sizes of the global functions."""
    tool = next((name for name in READELF if shutil.which(name)), None)
    if tool is None:
        sys.exit("check_budget: none of %s found: install binutils" % ", ".join(READELF))
    listing = subprocess.run([tool, "-sW", path], check=True, capture_output=True, text=True).stdout
    counts = {}
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[3] == "FUNC" and fields[4] == "GLOBAL":
            counts[fields[7]] = int(fields[2], 0) // INSTRUCTION_BYTES
    return counts


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    budgets = read_budgets(README)
    counts = count_instructions(sys.argv[1])
    failed = not counts
    for name, count in counts.items():
        budget = budgets.get(name)
        over = budget is None or count > budget
        failed = failed or over
        note = "no budget in bpf/README.md" if budget is None else "OVER BUDGET" if over else ""
        print(("%-16s %5d of %5s  %s" % (name, count, budget or "-", note)).rstrip())
    for name in sorted(set(budgets) - set(counts)):
        print("%-16s in bpf/README.md, not in the object" % name)
        failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
