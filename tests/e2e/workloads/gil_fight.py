# SPDX-License-Identifier: Apache-2.0
"""Three threads fight for the GIL: each runs Python for a while, then hashes, which gives the GIL up.

Waits for a line on stdin, works for the seconds given, then prints {"held_s": ..., "released_s": ...}: the threads' CPU
time in both parts, by their own clocks.
"""

import hashlib
import json
import sys
import threading
import time


def hold():
    i = 0
    while i < 60000:
        i += 1


def release():
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 4000)


def timed(function, spent):
    begin = time.thread_time()
    function()
    spent[function.__name__] += time.thread_time() - begin


def worker(end, spent):
    while time.monotonic() < end:
        timed(hold, spent)
        timed(release, spent)


def main():
    spent = [{"hold": 0.0, "release": 0.0} for _ in range(3)]
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + float(sys.argv[1])
    threads = [threading.Thread(target=worker, args=(end, s), name="fighter-%d" % i) for i, s in enumerate(spent)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"held_s": sum(s["hold"] for s in spent), "released_s": sum(s["release"] for s in spent)}),
          flush=True)
    sys.stdin.readline()


main()
