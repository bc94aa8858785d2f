# SPDX-License-Identifier: Apache-2.0
"""Every kind of Python frame, on every interpreter: names, files, lines and order are the program's own."""

import collections
import os

import pytest

from harness import Process, Truth, figure, folded, leaf_path, python_frames, snapshot, total


def sampled(interpreter, tmp_path, options=(), environment=None, depth=300):
    """(stacks, truth) of frames.py."""
    argv = interpreter.argv + list(options) + [interpreter.path("frames.py"), "6", str(depth)]
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **(environment or {}))
    with Process(argv, env=environment) as target:
        assert target.line() == "ready"
        truth = Truth(target)
        stacks = folded(snapshot(target.pid, tmp_path / "f.folded", seconds=4.5, rate_hz=499))
        target.wait(60)
        for root in {"", interpreter.chroot or ""}:
            perf_map = "%s/tmp/perf-%d.map" % (root, target.pid)
            if os.path.exists(perf_map):
                os.remove(perf_map)
        return stacks, truth.join()


def case_of(path):
    return next((name for name, _, _ in path if name.startswith("case_")), "elsewhere").split(".")[0]


def judge(name, stacks, truth, least=600, cut_share=0.01):
    """Fails at the first stack that the program never had; prints the figures."""
    right, wrong = collections.Counter(), collections.Counter()
    examples = {}
    elsewhere = 0
    for frames, n in stacks:
        path = leaf_path(python_frames(frames), "truth.py")
        if path is None:
            elsewhere += n
        elif path in truth:
            right[case_of(path)] += n
        else:
            wrong[case_of(path)] += n
            examples.setdefault(case_of(path), path)
    samples = sum(right.values()) + sum(wrong.values())
    figure("true_kinds[%s]" % name, 100 * sum(right.values()) / max(1, samples), "%",
           "%d samples of %d kinds, %d outside the leaf" % (samples, len(right), elsewhere))
    cut = sum(n for frames, n in stacks if any(frame.startswith("[truncated") for frame in frames))
    figure("kinds_cut[%s]" % name, 100 * cut / total(stacks), "%")
    assert cut <= cut_share * total(stacks)
    assert not wrong, "not stacks of the program: %s\n%s" % (
        dict(wrong), "\n".join("%s: %s" % (case, path[-12:]) for case, path in examples.items()))
    assert samples >= least and elsewhere <= 0.15 * total(stacks)
    unseen = {case_of(path) for path in truth} - set(right)
    assert len(unseen) <= 3, "never sampled: %s" % unseen


def test_every_kind_of_frame(interpreter, tmp_path):
    judge(interpreter.name, *sampled(interpreter, tmp_path))


@pytest.mark.since(3, 12)
def test_with_perf_trampolines(interpreter, tmp_path):
    """Four native frames for each of Python's: 200 of them are within what is kept of a stack."""
    judge(interpreter.name + ",-X perf", *sampled(interpreter, tmp_path, ("-X", "perf"), depth=200))


@pytest.mark.since(3, 14)
def test_with_the_jit(interpreter, tmp_path):
    """Debian's builds can compile at run time; for others the variable means nothing. 3.14's code keeps no frame pointer."""
    judge(interpreter.name + ",JIT", *sampled(interpreter, tmp_path, environment={"PYTHON_JIT": "1"}), cut_share=0.05)
