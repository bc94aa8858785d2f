# SPDX-License-Identifier: Apache-2.0
"""Counts units of work, about 0.1 ms each, in a shared page that is inherited as a descriptor.

loop.py FD: the first eight bytes of the page are the count.
"""

import mmap
import struct
import sys


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def main():
    page = mmap.mmap(int(sys.argv[1]), 4096)
    done = 0
    while True:
        fib(11)
        done += 1
        struct.pack_into("<Q", page, 0, done)


if __name__ == "__main__":
    main()
