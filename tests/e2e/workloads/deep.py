# SPDX-License-Identifier: Apache-2.0
"""deep.py DEPTH [SECONDS [EVERY]]: DEPTH calls of recurse(), each EVERY-th through C, then burns in bottom()."""

import sys

from compat import monotonic, say


def bottom(end):
    while monotonic() < end:
        for _ in range(1000):
            pass


def recurse(depth, end):
    if depth <= 1:
        bottom(end)
    elif EVERY and depth % EVERY == 0:
        max([depth - 1], key=lambda rest: recurse(rest, end) or 0)
    else:
        recurse(depth - 1, end)


EVERY = int(sys.argv[3]) if len(sys.argv) > 3 else 0
sys.setrecursionlimit(20000)
say("ready")
recurse(int(sys.argv[1]), monotonic() + (float(sys.argv[2]) if len(sys.argv) > 2 else 5.0))
