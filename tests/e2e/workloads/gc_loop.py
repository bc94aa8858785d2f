# SPDX-License-Identifier: Apache-2.0
"""Collects garbage again and again, and works in between.

Waits for a line on stdin, works for the seconds given, then prints {"gc_s": ..., "cpu_s": ...}: CPU time between the
collector's start and stop callbacks, and all of the thread's. A second thread computes meanwhile: that the collector
runs is no state of its.
"""

import gc
import json
import random
import sys
import threading
from time import sleep

from compat import monotonic, say, thread_time

gc_s = 0.0
begun = 0.0
garbage = []


def watch(phase, _):
    global gc_s, begun
    if phase == "start":
        begun = thread_time()
    else:
        gc_s += thread_time() - begun


class Node:
    def __init__(self):
        self.me = self


def work():
    """Never as long as last time: turns of 2 ms would run in step with the sampling clock."""
    i = random.randrange(80000)
    while i < 80000:
        i += 1


def other(end):
    while monotonic() < end:
        work()
        sleep(0.003)  # else it may hold the GIL nearly all the time


def main():
    garbage.extend([Node() for _ in range(20000)])
    gc.disable()
    gc.callbacks.append(watch)
    say("ready")
    sys.stdin.readline()
    end = monotonic() + float(sys.argv[1])
    beside = threading.Thread(target=other, args=(end,), name="beside")
    beside.start()
    begin = thread_time()
    while monotonic() < end:
        gc.collect()
        work()
    cpu_s = thread_time() - begin
    beside.join()
    say(json.dumps({"gc_s": gc_s, "cpu_s": cpu_s}))
    sys.stdin.readline()


main()
