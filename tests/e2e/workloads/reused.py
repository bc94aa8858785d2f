# SPDX-License-Identifier: Apache-2.0
"""reused.py SECONDS: makes functions by exec, runs and frees them, so that code objects follow one another at the same
addresses. Thread "runs N" runs only functions called name_N. Prints {name: seconds of CPU} and how many addresses they
had, and ends after a line on stdin.
"""

import json
import random
import sys
import threading

import truth

clock = getattr(truth.time, "thread_time", getattr(truth.time, "clock", None))
SOURCE = """def %(name)s(clock, end):
    while clock() < end:
        for _ in range(200): pass
"""


def turn(n):
    """Each name has its own weight: one that is taken for another changes both shares."""
    name = "name_%d" % n
    namespace = {}
    exec(compile(SOURCE % {"name": name}, name + ".py", "exec"), namespace)
    addresses.add(id(namespace[name].__code__))
    begin = clock()
    # Not in step with the sampling clock.
    namespace[name](clock, begin + 0.0005 * (1 + 3 * n) * random.uniform(0.5, 1.5))
    spent[name] = spent.get(name, 0) + clock() - begin
    namespace.clear()


def work(n):
    while True:
        asked[n].acquire()
        turn(n)
        done.release()


addresses, spent = set(), {}
done = threading.Semaphore(0)
asked = [threading.Semaphore(0) for _ in range(8)]
for number in range(8):
    thread = threading.Thread(target=work, args=(number,), name="runs %d" % number)
    thread.daemon = True
    thread.start()
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.readline()
stop = truth.clock() + float(sys.argv[1])
turns = 0
while truth.clock() < stop:
    asked[turns * 5 % 8].release()
    done.acquire()
    turns += 1
sys.stdout.write(json.dumps([spent, len(addresses), turns]) + "\n")
sys.stdout.flush()
sys.stdin.readline()
