# SPDX-License-Identifier: Apache-2.0
"""Three threads fight for the GIL: each runs Python for a while, then sums bytes up, which gives the GIL up.

Under 2.7 it is one thread: the GIL changed hands there every hundred instructions, which costs more than the work.

Waits for a line on stdin, works for the seconds given, then prints {"held_s": ..., "released_s": ...}: the threads' CPU
time in both parts, by their own clocks.
"""

import json
import sys
import threading
import zlib

from compat import monotonic, say, thread_time

WITHOUT_GIL = zlib.crc32 if sys.version_info >= (3,) else zlib.compress
THREADS = 3 if sys.version_info >= (3,) else 1
DATA = b"x" * 4000000


def hold():
    i = 0
    while i < 60000:
        i += 1


def release():
    WITHOUT_GIL(DATA)


def timed(function, spent):
    begin = thread_time()
    function()
    spent[function.__name__] += thread_time() - begin


def worker(end, spent):
    while monotonic() < end:
        timed(hold, spent)
        timed(release, spent)


def main():
    spent = [{"hold": 0.0, "release": 0.0} for _ in range(THREADS)]
    say("ready")
    sys.stdin.readline()
    end = monotonic() + float(sys.argv[1])
    threads = [threading.Thread(target=worker, args=(end, s), name="fighter-%d" % i) for i, s in enumerate(spent)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(json.dumps({"held_s": sum(s["hold"] for s in spent), "released_s": sum(s["release"] for s in spent)}))
    sys.stdin.readline()


main()
