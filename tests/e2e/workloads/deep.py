# SPDX-License-Identifier: Apache-2.0
"""deep.py DEPTH [SECONDS]: DEPTH calls of recurse(), then burns in bottom()."""

import sys
import time


def bottom(end):
    while time.monotonic() < end:
        for _ in range(1000):
            pass


def recurse(depth, end):
    if depth > 1:
        recurse(depth - 1, end)
    else:
        bottom(end)


sys.setrecursionlimit(20000)
print("ready", flush=True)
recurse(int(sys.argv[1]), time.monotonic() + (float(sys.argv[2]) if len(sys.argv) > 2 else 5.0))
