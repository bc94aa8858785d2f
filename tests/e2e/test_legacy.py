# SPDX-License-Identifier: Apache-2.0
"""CPython up to 3.10: code objects without qualified names, thread states without a public place."""

import glob
import json
import os
import shutil
import subprocess

import pytest

import harness
from harness import PYTHON_FRAME, Interpreter, Truth, figure, folded, python_frames, snapshot, total


def names_in(frames, first):
    """Function names from `first` on."""
    names = [name for name, _, _ in python_frames(frames)]
    return names[names.index(first):] if first in names else None


def check_methods(interpreter, tmp_path):
    with interpreter.start("methods.py", 9) as target:
        expected = json.loads(target.line())
        stacks = folded(snapshot(target.pid, tmp_path / "m.folded", "-t", "-n", seconds=4, rate_hz=199))
    inside = [(frames, n) for frames, n in stacks if names_in(frames, "function")]
    right = sum(n for frames, n in inside if names_in(frames, "function") == expected)
    # the few samples on the way to the innermost function have the same names as far as they go
    wrong = [names_in(f, "function") for f, _ in inside if names_in(f, "function") != expected[:len(names_in(f, "function"))]]
    figure("method_names[%s]" % interpreter.name, 100 * right / total(stacks), "%", "%d samples" % total(stacks))
    assert not wrong, wrong[0]
    assert right >= 0.95 * total(stacks)
    assert any("worker-1" in frames[0] for frames, _ in inside), "the thread's name is unknown"
    return stacks


def test_methods_are_named_after_the_class_that_defines_them(legacy_interpreter, tmp_path):
    """Also while the GIL is released: the innermost function computes without it."""
    stacks = check_methods(legacy_interpreter, tmp_path)
    computing = sum(n for frames, n in stacks if any("crc32" in f or "libz" in f for f in frames))
    assert computing >= 0.5 * total(stacks), "the samples were to be taken with the GIL released"


def test_each_frame_has_its_activation(legacy_interpreter, tmp_path):
    """One activation of the eval loop before each Python frame, but for one that has not begun or is about to end."""
    with legacy_interpreter.start("mix30.py", "--depth", 10, "--seconds", 8) as target:
        assert target.line() == "ready"
        truth = Truth(target)
        stacks = folded(snapshot(target.pid, tmp_path / "n.folded", "-n", seconds=4, rate_hz=499))
        target.wait(60)
        truth.join()
    unlinked = 0
    for frames, n in stacks:
        python = [at for at, frame in enumerate(frames) if PYTHON_FRAME.match(frame)]
        assert all(at > 0 and "_EvalFrame" in frames[at - 1] for at in python), frames
        activations = sum("EvalFrameDefault [" in f or "PyEval_EvalFrameEx [" in f for f in frames)
        assert activations in (len(python), len(python) + 1), frames
        unlinked += n * (activations > len(python))
    figure("activations_without_frame[%s]" % legacy_interpreter.name, 100 * unlinked / total(stacks), "%")
    assert unlinked <= 0.02 * total(stacks)


def stripped_copy(interpreter, directory):
    """The interpreter without its symbol tables, in a tree of its own: what distributions ship."""
    prefix = os.path.dirname(os.path.dirname(interpreter.argv[0]))
    program = os.path.join(str(directory), os.path.basename(interpreter.argv[0]))
    shutil.copy(interpreter.argv[0], program)
    for library in glob.glob(os.path.join(prefix, "lib", "libpython*.so.1.0")):
        shutil.copy(library, str(directory))
        subprocess.run(["strip", "--strip-all", os.path.join(str(directory), os.path.basename(library))], check=True)
    subprocess.run(["strip", "--strip-all", program], check=True)
    entry = {"name": interpreter.name + "-stripped", "version": interpreter.version, "kind": interpreter.kind,
             "argv": ["env", "LD_LIBRARY_PATH=%s" % directory, "PYTHONHOME=%s" % prefix, program], "chroot": None}
    return Interpreter(entry)


def test_stripped_interpreters_are_the_same(legacy_interpreter, tmp_path):
    if legacy_interpreter.chroot or not shutil.which("strip"):
        pytest.skip("kernel without an interpreter to strip" if legacy_interpreter.chroot else "binutils")
    check_methods(stripped_copy(legacy_interpreter, tmp_path), tmp_path)


def test_blocked_threads_have_no_samples(legacy_interpreter, tmp_path):
    with legacy_interpreter.start("blocked.py", 8) as target:
        tids = json.loads(target.line())
        stacks = folded(snapshot(target.pid, tmp_path / "b.folded", "-t", seconds=4, rate_hz=999))
    wrong = [(f[0], n) for f, n in stacks if any("(%d)" % tid in f[0] for tid in tids["blocked"].values())]
    busy = sum(n for f, n in stacks if "(%d)" % tids["busy"] in f[0])
    assert not wrong
    assert busy > 0.97 * total(stacks)


def test_ps_says_that_they_are_read(legacy_interpreter):
    with legacy_interpreter.start("blocked.py", 20) as target:
        target.line()
        done = harness.run("ps")
        lines = [line for line in done.stdout.splitlines() if line.split()[:1] == [str(target.pid)]]
    assert lines and legacy_interpreter.version in lines[0] and "ok" in lines[0].split(), done.stdout
