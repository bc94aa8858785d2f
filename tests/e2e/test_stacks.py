# SPDX-License-Identifier: Apache-2.0
"""Stacks are the interpreter's own: every frame, every line, in order, to the root."""

import pytest

from harness import NATIVE_FRAME, Truth, figure, folded, leaf_path, python_frames, snapshot, total


def mixed(interpreter, tmp_path, depth, *flags):
    with interpreter.start("mix30.py", "--depth", depth, "--seconds", 7) as target:
        assert target.line() == "ready"
        truth = Truth(target)
        stacks = folded(snapshot(target.pid, tmp_path / "mix.folded", *flags, seconds=4, rate_hz=199))
        target.wait(60)
        return stacks, truth.join()


@pytest.mark.parametrize("depth", [10, 30])
def test_every_frame_and_line_is_true(interpreter, tmp_path, depth):
    stacks, truth = mixed(interpreter, tmp_path, depth)
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
    depth_of_truth = max(len(stack) for stack in truth)
    figure("true_stacks[%s,%d]" % (interpreter.name, depth_of_truth), 100 * right / max(1, right + wrong), "%",
           "%d samples, %d outside the leaf" % (right + wrong, elsewhere))
    assert right + wrong >= 100, "too few samples in the leaf"
    assert wrong == 0, "not a stack of the program: %s" % (example,)
    assert elsewhere <= 0.1 * total(stacks)


def test_all_reach_the_root(interpreter, tmp_path):
    stacks, _ = mixed(interpreter, tmp_path, 30)
    rooted = sum(n for frames, n in stacks if [f[0] for f in python_frames(frames)[:1]] == ["<module>"])
    figure("rooted[%s]" % interpreter.name, 100 * rooted / total(stacks), "%")
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


@pytest.mark.parametrize("depth, every", [(100, 0), (400, 0), (1000, 0), (1000, 10)])
def test_deep_recursion_is_whole(interpreter, tmp_path, depth, every):
    """Also with C between at each `every`-th call."""
    with interpreter.start("deep.py", depth, 6, every) as target:
        assert target.line() == "ready"
        stacks = folded(snapshot(target.pid, tmp_path / "deep.folded", seconds=3, rate_hz=199))
    whole = 0
    for frames, n in stacks:
        names = [name for name, _, _ in python_frames(frames)]
        if names[:1] == ["<module>"] and names.count("recurse") == depth and "bottom" in names:
            whole += n
    share = whole / total(stacks)
    name = "whole_at_%d%s[%s]" % (depth, "_with_c" if every else "", interpreter.name)
    figure(name, 100 * share, "%", "%d samples" % total(stacks))
    assert share >= 0.99
