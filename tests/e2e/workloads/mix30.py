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
import time

seen = set()
burn_s = 0.02


def true_stack(frame):
    stack = []
    while frame is not None:
        code = frame.f_code
        stack.append((getattr(code, "co_qualname", code.co_name), code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return tuple(reversed(stack))


def leaf():
    end = time.monotonic() + burn_s
    while time.monotonic() < end:
        for _ in range(2000):
            pass
    stack = true_stack(sys._getframe(1))
    if stack not in seen:
        seen.add(stack)
        print(json.dumps(stack), flush=True)
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


class Größe:
    def __init__(self, depth, turn):
        self.depth, self.turn = depth, turn

    def __len__(self):
        return descend(self.depth, self.turn)

    def 計算(self):
        return len(self)


def by_class(depth, turn):
    return Größe(depth, turn).計算()


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
    print("ready", flush=True)
    end = time.monotonic() + options.seconds
    turn = 0
    while time.monotonic() < end:
        descend(options.depth, turn % len(KINDS))
        turn += 1


if __name__ == "__main__":
    main()
