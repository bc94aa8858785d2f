# SPDX-License-Identifier: Apache-2.0
"""No wrong name: not of a code object that is gone, not from a file that only claims to be CPython."""

import json

import pytest

import harness
from harness import Capture, Process, count, figure, folded, python_frames, run, snapshot, total

RATE_HZ = 999


def test_addresses_of_code_are_used_again(interpreter, tmp_path):
    with interpreter.start("reused.py", 2.5) as target:
        assert target.line() == "ready"
        arguments = ["snapshot", "--pid", target.pid, "-d", 3.5, "-r", RATE_HZ, "-t", "-f", "folded"]
        with Capture(*arguments, output=tmp_path / "r.folded") as capture:
            capture.started()
            target.go()
            spent, addresses, turns = json.loads(target.line())
            stacks = folded(capture.finish(60))
    cpu_s = sum(spent.values())
    samples = {name: count(stacks, name) for name in spent}
    sampled = sum(samples.values())
    off = {name: samples[name] / sampled - spent[name] / cpu_s for name in spent}
    worst = max(off, key=lambda name: abs(off[name]))
    figure("reused_addresses[%s]" % interpreter.name, abs(off[worst]), "",
           "%d code objects at %d addresses, %d of %d samples named" % (turns, addresses, sampled, RATE_HZ * cpu_s))
    if not interpreter.free_threaded:  # there memory is given out again later
        assert addresses <= turns / 4, "addresses were not used again"
    assert abs(off[worst]) <= 0.02, off
    assert sampled >= 0.93 * RATE_HZ * cpu_s
    for frames, _ in stacks:
        for name, file, _ in python_frames(frames):
            if name.startswith("name_"):
                assert frames[0].startswith("thread runs %s (" % name[-1]) and file == name + ".py", frames


@pytest.mark.parametrize("version", ["3.9.1", "3.11.2", "3.15.0", "9.9.9"])
def test_a_library_that_pretends(version, tmp_path):
    """It is profiled as what it is, native code."""
    number = "0x%02x%02x%02xf0" % tuple(int(part) for part in version.split("."))
    library = harness.compile_cpp("pretend.cpp", tmp_path / "libpython.so", "-shared", "-fPIC", "-DPRETEND=" + number)
    program = harness.compile_cpp("pretend.cpp", tmp_path / "program", "-ldl", "-pthread")
    with Process([program, library, "30"]) as target:
        assert target.line() == "ready"
        stacks = folded(snapshot(target.pid, tmp_path / "p.folded", "-n", seconds=1, rate_hz=499))
        told = run("doctor", "-p", target.pid)
    figure("pretends_%s" % version, count(stacks, "pretend") / total(stacks), "", told.stdout.splitlines()[-1][:120])
    assert count(stacks, "pretend") >= 0.98 * total(stacks) and total(stacks) >= 100
    assert not [frames for frames, _ in stacks if python_frames(frames)]
