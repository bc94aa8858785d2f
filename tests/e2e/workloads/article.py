# SPDX-License-Identifier: Apache-2.0
"""article.py FOO_STEPS BAR_STEPS UNITS: foo() and bar() once for each unit of work. Prints its CPU seconds."""

import sys
import time


def foo(steps):
    i = 0
    while i < steps:
        i += 1


def bar(steps):
    i = 0
    while i < steps:
        i += 1


def main():
    begin = time.process_time()
    for _ in range(int(sys.argv[3])):
        foo(int(sys.argv[1]))
        bar(int(sys.argv[2]))
    print(time.process_time() - begin)


main()
