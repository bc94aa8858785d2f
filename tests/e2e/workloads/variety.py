# SPDX-License-Identifier: Apache-2.0
"""variety.py SECONDS: 24 functions of different cost, called at different depths, and some of the library's."""

import difflib
import json
import re
import sys
import textwrap

import truth

functions = []
for n in range(24):
    source = "def weight_%02d(depth):\n    if depth: return weight_%02d(depth - 1)\n" % (n, n)
    source += "    for i in range(%d): i * i\n" % (4000 * (n + 1))
    exec(compile(source, "weights.py", "exec"), globals())
    functions.append((globals()["weight_%02d" % n], n % 5))


def library():
    json.dumps(list(range(200)), indent=1)
    difflib.get_close_matches("abcdefg", ["abcdefh", "xbcdefg", "zzzz"] * 10)
    textwrap.fill("word " * 200)
    re.sub("a(b+)c", r"\1", "xabbbc" * 200)


def main():
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    end = truth.clock() + float(sys.argv[1])
    while truth.clock() < end:
        for function, depth in functions:
            function(depth)
        library()


main()
