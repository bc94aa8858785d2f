# SPDX-License-Identifier: Apache-2.0
"""Threads that wait at known places, one that computes. Prints {thread name: [[function, file, line], ...]} of those that
wait, innermost first, as the interpreter itself sees them; then waits for a line on stdin.
"""

import json
import os
import sys
import threading
import time

from compat import say

gate = threading.Lock()
gate.acquire()


def outer(depth):
    if depth > 0:
        return outer(depth - 1)
    return [wait() for _ in range(1)]


def wait():
    gate.acquire()
    gate.release()


def doze():
    time.sleep(600)


def compute():
    while True:
        sum(range(1000))


def places(frame):
    found = []
    while frame:
        name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
        found.append([name, os.path.basename(frame.f_code.co_filename), frame.f_lineno])
        frame = frame.f_back
    return found


def main():
    threads = [threading.Thread(target=outer, args=(3 * i,), name="waits-%d" % i) for i in range(4)]
    threads.append(threading.Thread(target=doze, name="dozes"))
    threads.append(threading.Thread(target=compute, name="computes"))
    for thread in threads:
        thread.daemon = True
        thread.start()
    time.sleep(0.5)
    now = sys._current_frames()
    say(json.dumps({t.name: places(now[t.ident]) for t in threads if t.name != "computes"}))
    sys.stdin.readline()


main()
