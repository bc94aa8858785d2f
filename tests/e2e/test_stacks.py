# SPDX-License-Identifier: Apache-2.0
"""Stacks are the interpreter's own: every frame, every line, in order, to the root."""

import collections
import contextlib

from harness import NATIVE_FRAME, Truth, figure, folded, leaf_path, python_frames, snapshot, total


def mixed(interpreter, tmp_path, depth, *flags):
    with interpreter.start("mix30.py", "--depth", depth, "--seconds", 5) as target:
        assert target.line() == "ready"
        truth = Truth(target)
        stacks = folded(snapshot(target.pid, tmp_path / "mix.folded", *flags, seconds=3, rate_hz=299))
        target.wait(60)
        return stacks, truth.join()


def test_every_frame_and_line_is_true(interpreter, tmp_path):
    stacks, truth = mixed(interpreter, tmp_path, 30)
    right = wrong = elsewhere = 0
    example = None
    for frames, n in stacks:
        path = leaf_path(python_frames(frames))
        if path is None:
            elsewhere += n
        elif path in truth:
            right += n
        else:
            wrong += n
            example = example or path
    rooted = sum(n for frames, n in stacks if [f[0] for f in python_frames(frames)[:1]] == ["<module>"])
    figure("rooted[%s]" % interpreter.name, 100 * rooted / total(stacks), "%")
    figure("true_stacks[%s,%d]" % (interpreter.name, max(len(stack) for stack in truth)), 100 * right / max(1, right + wrong), "%",
           "%d samples, %d outside the leaf" % (right + wrong, elsewhere))
    assert right + wrong >= 100, "too few samples in the leaf"
    assert wrong == 0, "not a stack of the program: %s" % (example,)
    assert elsewhere <= 0.1 * total(stacks)
    assert rooted >= 0.995 * total(stacks)


def test_native_frames_lie_between(any_python, tmp_path):
    stacks, truth = mixed(any_python, tmp_path, 10, "-n")
    with_native = sum(n for frames, n in stacks if any(NATIVE_FRAME.match(f) for f in frames))
    assert with_native == total(stacks), "-n shows native frames in every stack"
    paths = [leaf_path(python_frames(frames)) for frames, _ in stacks]
    assert all(path is None or path in truth for path in paths), "native frames change the Python part"
    assert any("json" in f and NATIVE_FRAME.match(f) for frames, _ in stacks for f in frames) or any(
        "sre" in f or "sort" in f for frames, _ in stacks for f in frames), "no C function between Python frames"


def test_python_only_has_no_native_frame(any_python, tmp_path):
    stacks, _ = mixed(any_python, tmp_path, 10, "--python-only")
    assert not [f for frames, _ in stacks for f in frames if f.endswith("[kernel]")]
    assert sum(n for frames, n in stacks if len(python_frames(frames)) == len(frames)) >= 0.99 * total(stacks)


def test_deep_recursion_is_whole(interpreter, tmp_path):
    """100, 400 and 1,000 frames, and 1,000 with C between at each tenth."""
    with contextlib.ExitStack() as running:
        targets = [running.enter_context(interpreter.start("deep.py", depth, 9, every))
                   for depth, every in ((100, 0), (400, 0), (1000, 0), (1000, 10))]
        assert [target.line() for target in targets] == ["ready"] * len(targets)
        others = [part for target in targets[1:] for part in ("-p", target.pid)]
        stacks = folded(snapshot(targets[0].pid, tmp_path / "deep.folded", *others, seconds=3, rate_hz=299))
    whole = collections.Counter()
    for frames, n in stacks:
        names = [name for name, _, _ in python_frames(frames)]
        if names[:1] == ["<module>"] and "bottom" in names:
            whole[names.count("recurse"), sum("<lambda>" in name for name in names) >= 100] += n
    figure("whole_when_deep[%s]" % interpreter.name, 100 * sum(whole.values()) / total(stacks), "%",
           "%d samples: %s" % (total(stacks), dict(whole)))
    assert set(whole) == {(100, False), (400, False), (1000, False), (1000, True)}
    assert min(whole.values()) >= 100
    assert sum(whole.values()) >= 0.99 * total(stacks)
