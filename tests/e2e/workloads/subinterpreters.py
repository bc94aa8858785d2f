# SPDX-License-Identifier: Apache-2.0
"""The main interpreter and two others, each busy in a thread of its own with a function of its own.

Waits for a line on stdin; prints {function: interpreter id} when all are at work, which they are for the seconds given.
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


def main():
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + float(sys.argv[1])
    ids = {"in_main": 0}
    threads = []
    for name in ("first", "second"):
        made = interpreters.create()
        ids["in_" + name] = int(made)
        code = CODE % {"name": name, "end": end}
        run = getattr(interpreters, "run_string", None) or interpreters.exec
        threads.append(threading.Thread(target=run, args=(made, code), name=name))
    for thread in threads:
        thread.start()
    print(json.dumps(ids), flush=True)
    in_main(end)
    for thread in threads:
        thread.join()


main()
