# SPDX-License-Identifier: Apache-2.0
"""One process, three programs: Python (stage_one) -> exec -> Python (stage_two) -> exec -> a native program.

exec_chain.py one|two SECONDS NATIVE -- PYTHON...: every stage prints its name and CPU at its end; PYTHON is
how to start the interpreter, NATIVE how to start the last program.
"""

import json
import os
import shlex
import sys

from compat import say, thread_time, thread_time_ns


def burn(seconds):
    end = thread_time() + seconds
    while thread_time() < end:
        for _ in range(500):
            pass


def stage_one(seconds):
    burn(seconds)


def stage_two(seconds):
    burn(seconds)


def main():
    stage, seconds, native = sys.argv[1], float(sys.argv[2]), shlex.split(sys.argv[3])
    python = sys.argv[5:]
    begin = thread_time_ns()
    if stage == "one":
        say("ready")
        sys.stdin.readline()
        begin = thread_time_ns()
        stage_one(seconds)
        following = python + [os.path.abspath(__file__), "two", sys.argv[2], sys.argv[3], "--"] + python
    else:
        stage_two(seconds)
        following = native
    say(json.dumps({"stage": stage, "cpu_ns": thread_time_ns() - begin}))
    os.execv(following[0], following)


main()
