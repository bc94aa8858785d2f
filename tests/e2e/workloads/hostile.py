# SPDX-License-Identifier: Apache-2.0
"""Burns in functions whose names are made to break every output format. hostile.py [SECONDS]"""

import sys
import time

NAMES = (
    "</title><script>alert(1)</script>",
    "a;b;c 12345",
    "line\nbreak\ttab\r",
    "\x1b[31mred\x1b[0m\x07",
    'quote" onload="alert(2)',
    "]]>&amp;<!--",
    "\u202eesrever\u200b",
    "ab\x00cd",
    "\ud800lone",
    "x" * 3000,
)


def template(end):
    while time.monotonic() < end:
        for _ in range(1000):
            pass


def renamed(name):
    changes = {"co_name": name, "co_filename": name}
    if hasattr(template.__code__, "co_qualname"):
        changes["co_qualname"] = name
    return type(template)(template.__code__.replace(**changes), globals())


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    print("ready", flush=True)
    end = time.monotonic() + seconds
    functions = [renamed(name) for name in NAMES]
    while time.monotonic() < end:
        for function in functions:
            function(time.monotonic() + 0.05)


main()
