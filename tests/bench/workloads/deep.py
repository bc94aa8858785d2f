# SPDX-License-Identifier: Apache-2.0
"""Python recursion to a fixed depth, burning at the bottom for ever; every tenth call goes through C.

deep.py --depth N [--every K]: K = 0 never leaves the interpreter loop.
"""

import argparse
import sys
import time

BURN_S = 0.02
clock = getattr(time, "monotonic", time.time)  # 2.7 has none


def burn():
    end = clock() + BURN_S
    while clock() < end:
        for _ in range(2000):
            pass
    return 0


def descend(depth, every):
    if depth <= 1:
        return burn()
    if every and depth % every == 0:
        return sum(map(descend, (depth - 1,), (every,)))
    return descend(depth - 1, every)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--every", type=int, default=10)
    options = parser.parse_args()
    sys.setrecursionlimit(options.depth + 200)
    while True:
        descend(options.depth, options.every)


if __name__ == "__main__":
    main()
