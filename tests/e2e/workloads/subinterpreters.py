# SPDX-License-Identifier: Apache-2.0
"""The main interpreter and two others, each busy in a thread of its own with a function of its own.

Waits for a line on stdin, works for the seconds given, then prints {function: interpreter id}. Before 3.12,
where interpreters that compete for the one GIL come to a standstill, there is one other, which works after the main one.
"""

import json
import os
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


def make(name, ids):
    made = interpreters.create()
    ids[name] = int(made)
    return made


def run(made, name, end):
    (getattr(interpreters, "run_string", None) or interpreters.exec)(made, CODE % {"name": name, "end": end})


def start(name, end, ids):
    """To 3.10 the thread makes its interpreter itself: nothing else in the process would tell whose it is."""
    if sys.version_info >= (3, 11):
        return threading.Thread(target=run, args=(make(name, ids), name, end))
    return threading.Thread(target=lambda: run(make(name, ids), name, end))


def main():
    print("ready", flush=True)
    sys.stdin.readline()
    begin, seconds = time.monotonic(), float(sys.argv[1])
    end = begin + seconds
    together = sys.version_info >= (3, 12)
    names = ("first", "second") if together else ("first",)
    ids = {}
    started = [start(name, end, ids) for name in names]
    if not together:
        in_main(begin + seconds / 2)
    for thread in started:
        thread.start()
    if together:
        in_main(end)
    time.sleep(max(0, end - time.monotonic()) + 0.2)
    print(json.dumps(dict({"in_" + name: made for name, made in ids.items()}, in_main=0)), flush=True)
    sys.stdin.readline()
    os._exit(0)  # the end of an interpreter may wait for the GIL for ever before 3.12


main()
