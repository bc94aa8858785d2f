# SPDX-License-Identifier: Apache-2.0
"""family.py: begins after a line on stdin; each stage burns CPU in a process made in another way, and the last line is
{stage: seconds of CPU} as JSON. A stage's function has its name.
"""

import json
import os
import subprocess
import sys
import threading
import time

SECONDS = 0.25
clock = getattr(time, "thread_time", getattr(time, "clock", None))  # 2.7 and 3.6 have one thread when it matters


def burn():
    begin = clock()
    while clock() < begin + SECONDS:
        for _ in range(500):
            pass
    return clock() - begin


def in_parent():
    return burn()


def in_fork():
    return burn()


def in_grandchild():
    return burn()


def in_workers():
    return burn()


def in_fork_of_thread():
    return burn()


def in_spawned():
    return burn()


def in_shell():
    return burn()


def in_same_id():
    return burn()


def forked(function):
    """CPU seconds of the function in a child that is forked and doesn't exec."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(into, repr(function()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    text = os.read(out, 100)
    os.close(out)
    os.close(into)
    return float(text)


def nested():
    return forked(in_grandchild)


def from_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0]


def spawned(stage, shell=False):
    argv = [sys.executable, os.path.abspath(__file__), stage]
    if shell:
        argv = ["sh", "-c", 'true; "$@"; true', "sh"] + argv
    return float(subprocess.check_output(argv))


def main():
    if len(sys.argv) > 1:
        print(globals()[sys.argv[1]]())
        return
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    spent = {"in_parent": in_parent(), "in_fork": forked(in_fork), "in_grandchild": forked(nested)}
    spent["in_workers"] = sum(forked(in_workers) for _ in range(3))
    spent["in_fork_of_thread"] = from_thread(lambda: forked(in_fork_of_thread))
    spent["in_same_id"] = sum(from_thread(in_same_id) for _ in range(3))
    if os.path.exists(sys.executable or "") and len(sys.executable) > 1:
        spent["in_spawned"] = spawned("in_spawned")
        if os.path.exists("/bin/sh"):
            spent["in_shell"] = spawned("in_shell", shell=True)
    sys.stdout.write(json.dumps(spent) + "\n")
    sys.stdout.flush()


main()
