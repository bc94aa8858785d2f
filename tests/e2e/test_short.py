# SPDX-License-Identifier: Apache-2.0
"""Processes that are gone before anyone could look still have named stacks."""

import signal
import time

import pytest

import harness
from harness import Capture, RATE_HZ, count, figure, folded

RATE = 499


@pytest.mark.since(3, 8)
def test_a_profiler_that_stands_still_misses_nothing(interpreter, tmp_path):
    """Nothing can be read from the process while it lives: all that is needed was captured by the kernel."""
    cpu_s = 0.0
    with Capture("record", "-a", "-d", 10, "-r", RATE, "-f", "folded", output=tmp_path / "still.folded") as capture:
        capture.started()
        for _ in range(6):
            with interpreter.start("burn.py", "--wait") as process:
                assert process.line() == "ready"
                time.sleep(0.1)
                capture.signal(signal.SIGSTOP)
                process.go()
                cpu_s += int(process.line().split()[2]) / 1e9
                process.wait(30)
                capture.signal(signal.SIGCONT)
        stacks = folded(capture.finish(90))
    ours = [s for s in stacks if any("(burn.py:" in frame for frame in s[0])]
    ratio = count(ours, "burn_here") / (RATE * cpu_s)
    figure("stopped_named[%s]" % interpreter.name, ratio, "", "of %.2f CPU-s in 6 processes" % cpu_s)
    assert 0.95 <= ratio <= 1.05


def test_record_runs_a_command(any_python, tmp_path):
    output = tmp_path / "command.folded"
    command = any_python.argv + [any_python.path("burn.py"), "1"]
    done = harness.run("record", "-r", RATE_HZ, "-f", "folded", "-o", output, "--", *command, limit_s=60)
    assert done.returncode == 0, done.stderr
    stacks = folded(output.read_bytes())
    share = count(stacks, "burn_here") / RATE_HZ
    figure("record_command_named", share)
    assert 0.93 <= share <= 1.07


def test_the_commands_output_comes_through(any_python, tmp_path):
    done = harness.run("record", "-f", "folded", "-o", tmp_path / "x.folded", "--", *any_python.argv, "-c",
                       "import time\nend=time.time()+1\nwhile time.time()<end: pass\nprint('from the command')",
                       limit_s=60)
    assert "from the command" in done.stdout
    assert done.returncode == 0, done.stderr
