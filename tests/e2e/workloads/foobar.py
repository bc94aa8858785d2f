# SPDX-License-Identifier: Apache-2.0
"""foo() does three times the work of bar(), in named threads.

Waits for a line on stdin, works --seconds, then prints one JSON object: the thread CPU spent in each
function, and the process CPU and CLOCK_MONOTONIC at both ends of the work.
"""

import argparse
import json
import sys
import threading

from compat import monotonic, monotonic_ns, process_time_ns, say, thread_time


def work(n):
    i = 0
    while i < n:
        i += 1


def foo():
    work(75000)


def bar():
    work(25000)


def timed(function, spent):
    begin = thread_time()
    function()
    spent[function.__name__] += thread_time() - begin


def worker(end, spent):
    while monotonic() < end:
        timed(foo, spent)
        timed(bar, spent)


def mark():
    return {"monotonic_ns": monotonic_ns(), "cpu_ns": process_time_ns()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--now", action="store_true", help="do not wait for stdin")
    options = parser.parse_args()
    say("ready")
    if not options.now:
        sys.stdin.readline()
    spent = [{"foo": 0.0, "bar": 0.0} for _ in range(options.threads)]
    begin = mark()
    end = monotonic() + options.seconds
    threads = [
        threading.Thread(target=worker, args=(end, spent[i]), name="worker-%d" % i) for i in range(options.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    finish = mark()
    foo_s = sum(s["foo"] for s in spent)
    bar_s = sum(s["bar"] for s in spent)
    say(json.dumps({"begin": begin, "end": finish, "foo_s": foo_s, "bar_s": bar_s}))
    if not options.now:
        sys.stdin.readline()


if __name__ == "__main__":
    main()
