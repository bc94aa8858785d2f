# SPDX-License-Identifier: Apache-2.0
"""Lives for 0.1 s of CPU (or argv[1] seconds) in burn_here(); prints CLOCK_MONOTONIC at both ends and the CPU.

With --wait it says "ready" and begins after a line on stdin.
"""

import sys

from compat import monotonic_ns, say, thread_time, thread_time_ns


def burn_here(seconds):
    end = thread_time() + seconds
    while thread_time() < end:
        for _ in range(500):
            pass


if "--wait" in sys.argv:
    sys.argv.remove("--wait")
    say("ready")
    sys.stdin.readline()
begin_ns, begin_cpu_ns = monotonic_ns(), thread_time_ns()
burn_here(float(sys.argv[1]) if len(sys.argv) > 1 else 0.1)
say("%d %d %d" % (begin_ns, monotonic_ns(), thread_time_ns() - begin_cpu_ns))
