# SPDX-License-Identifier: Apache-2.0
"""Python recursion with C between the Python frames, of many kinds, burning at the bottom.

mix30.py [--depth N] [--seconds S]: the leaf prints each distinct stack once, as JSON lines of
[qualname, file, line], root first, so that a profiler's stacks can be compared with the truth.
"""

import argparse
import functools
import json
import re
import sys

from compat import monotonic, say
from truth import stack_of

if sys.version_info[0] >= 3:
    from unicode_names import by_class as call_class
else:
    from ascii_names import by_class as call_class

seen = set()
burn_s = 0.02


def leaf():
    end = monotonic() + burn_s
    while monotonic() < end:
        for _ in range(2000):
            pass
    stack = stack_of(sys._getframe(1))
    if stack not in seen:
        seen.add(stack)
        say(json.dumps(stack))
    return 1


def plain(depth, turn):
    return descend(depth, turn)


def by_sort(depth, turn):
    return len(sorted([0], key=lambda _: descend(depth, turn)))


def by_sub(depth, turn):
    return len(re.sub("x", lambda match: str(descend(depth, turn)), "x"))


def by_json(depth, turn):
    return len(json.dumps({"k": {1, 2}}, default=lambda value: descend(depth, turn)))


def by_map(depth, turn):
    return sum(map(lambda _: descend(depth, turn), (0,)))


def by_generator(depth, turn):
    return sum(descend(depth, turn) for _ in (0,))


def by_partial(depth, turn):
    return functools.partial(descend, depth, turn)()


def by_class(depth, turn):
    return call_class(descend, depth, turn)


KINDS = (plain, by_sort, by_sub, by_map, by_json, by_generator, by_partial, by_class)


def descend(depth, turn):
    if depth <= 0:
        return leaf()
    return KINDS[(depth + turn) % len(KINDS)](depth - 1, turn)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, default=10, help="calls of descend(), about three frames each")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    sys.setrecursionlimit(20000)
    say("ready")
    end = monotonic() + options.seconds
    turn = 0
    while monotonic() < end:
        descend(options.depth, turn % len(KINDS))
        turn += 1


if __name__ == "__main__":
    main()
