# SPDX-License-Identifier: Apache-2.0
"""longtable.py [SECONDS]: code objects whose tables of lines are too long for one look, called after a line on stdin."""

import sys

import truth

LINES = 3000


def build(number):
    body = "".join("    x = %d\n" % n for n in range(LINES))
    source = "def long_%d(leaf):\n    if not leaf: return\n    leaf()\n%s    leaf()\n" % (number, body)
    namespace = {}
    exec(compile(source, "long_%d.py" % number, "exec"), namespace)
    return namespace["long_%d" % number]


functions = [build(number) for number in range(4)]
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.readline()
for function in functions:
    function(lambda: truth.leaf(0.15))
