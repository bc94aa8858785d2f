# SPDX-License-Identifier: Apache-2.0
"""The main interpreter and two others, each busy in a thread of its own with a function of its own.

Waits for a line on stdin; prints {function: interpreter id} when they begin to work, for the seconds given. Before 3.12,
where interpreters that compete for the one GIL come to a standstill, there is one other, which works after the main one.
"""

import json
import sys
import threading
import time

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

CODE = """
import time
def work():
    i = 0
    while i < 20000:
        i += 1
def in_%(name)s(end):
    while time.monotonic() < end:
        work()
in_%(name)s(%(end)r)
"""


def in_main(end):
    while time.monotonic() < end:
        sum(range(20000))


def start(name, end):
    """[thread, interpreter id]"""
    made = interpreters.create()
    run = getattr(interpreters, "run_string", None) or interpreters.exec
    thread = threading.Thread(target=run, args=(made, CODE % {"name": name, "end": end}), name=name)
    return thread, int(made)


def main():
    print("ready", flush=True)
    sys.stdin.readline()
    begin, seconds = time.monotonic(), float(sys.argv[1])
    end = begin + seconds
    together = sys.version_info >= (3, 12)
    names = ("first", "second") if together else ("first",)
    started = {name: start(name, end) for name in names}
    print(json.dumps({"in_main": 0, **{"in_" + name: made for name, (_, made) in started.items()}}), flush=True)
    if not together:
        in_main(begin + seconds / 2)
    for thread, _ in started.values():
        thread.start()
    if together:
        in_main(end)
    for thread, _ in started.values():
        thread.join()


main()
