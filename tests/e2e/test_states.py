# SPDX-License-Identifier: Apache-2.0
"""The right thread state: while C code has released the GIL, in subinterpreters and while the interpreter ends."""

import pytest

from harness import Capture, count, figure, folded, names_of, python_frames, total

RATE_HZ = 499


def sampled(interpreter, tmp_path, kind, *flags):
    with interpreter.start("states.py", kind) as target:
        assert target.line() == "ready"
        arguments = ["snapshot", "--pid", target.pid, "-d", 30, "-r", RATE_HZ, "-f", "folded"] + list(flags)
        with Capture(*arguments, output=tmp_path / "s.folded") as capture:
            capture.started()
            target.go()
            stacks = folded(capture.finish(60))
        target.wait(30)
    return stacks


def test_gil_released_in_c(interpreter, tmp_path):
    stacks = sampled(interpreter, tmp_path, "released")
    callers = ("hashing_caller", "digest_caller", "zipping_caller", "Late.__del__")
    samples = {caller: count(stacks, caller) for caller in callers}
    share = sum(samples.values()) / total(stacks)
    figure("gil_released[%s]" % interpreter.name, share, "", "%s of %d" % (samples, total(stacks)))
    assert share >= 0.97 and total(stacks) >= 250 and min(samples.values()) >= (20 if interpreter.series >= (3,) else 1)
    for frames, _ in stacks:
        called = [frame for frame in python_frames(frames) if frame[0] in callers]
        assert len(called) <= 1 and (not called or python_frames(frames)[-1][0] in callers), frames


@pytest.mark.since(3, 8)
def test_subinterpreters_in_threads(interpreter, tmp_path):
    """A thread that entered a subinterpreter shows that one's frames, from its own root."""
    stacks = sampled(interpreter, tmp_path, "interpreters", "-t")
    threads = {}
    for number in range(2):
        name = "in_interpreter_%d" % number
        inside = [(frames, n) for frames, n in stacks if name in names_of(frames)]
        threads[number] = {frames[0] for frames, _ in inside}
        for frames, _ in inside:
            shown = python_frames(frames)
            assert {file for f, file, _ in shown if f == name} == {"interpreter_%d.py" % number}
            assert shown[0][0] == "<module>" and "in_interpreter_%d" % (1 - number) not in names_of(frames), frames
        figure("subinterpreter_%d[%s]" % (number, interpreter.name), total(inside), "samples")
        assert total(inside) >= 50
    assert len(threads[0]) == len(threads[1]) == 1 and threads[0] != threads[1]


def test_while_the_interpreter_ends(interpreter, tmp_path):
    """atexit handlers are named; a daemon thread never shows frames of theirs."""
    stacks = sampled(interpreter, tmp_path, "finalisation")
    for frames, _ in stacks:
        names = [name for name, _, _ in python_frames(frames)]
        assert not {"daemon_thread", "at_exit"} <= set(names), frames
    samples = {name: count(stacks, name) for name in ("at_exit", "daemon_thread")}
    figure("finalisation[%s]" % interpreter.name, samples["at_exit"], "samples", str(samples))
    assert min(samples.values()) >= 50
    roots = {python_frames(f)[0][0].replace("__", "_") for f, _ in stacks if "daemon_thread" in names_of(f)}
    assert roots <= {"Thread._bootstrap", "_bootstrap"} and roots
