# SPDX-License-Identifier: Apache-2.0
"""Runs inside the test machine: guest_test.py REPO SCRATCH.

SCRATCH holds interpreters.json and the native workloads, built on the host. Writes SCRATCH/results: first
`plan NAME...`, then `ok NAME` or `not ok NAME: why` for each. Emulation is slow and its clock drifts: what
is checked is the shape of stacks, with loose counts.
"""

import json
import os
import pathlib
import subprocess
import sys

REPO, SCRATCH = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, os.path.join(REPO, "tests", "e2e"))

import harness  # noqa: E402
from harness import Capture, Interpreter, Process, Truth, count, folded, leaf_path, names_of, python_frames, total  # noqa: E402

MINIMUM = 20
OUTPUT = pathlib.Path(os.environ["TMPDIR"]) / "profile.folded"


def snapshot(pid, seconds=6):
    arguments = ["snapshot", "--pid", pid, "-d", seconds, "-r", 49, "-f", "folded"]
    with Capture(*arguments, output=OUTPUT) as capture:
        stacks = folded(capture.finish(seconds + 120))
    assert total(stacks) >= MINIMUM, "%d samples only" % total(stacks)
    return stacks


def share(stacks, good):
    return sum(n for frames, n in stacks if good(frames)) / total(stacks)


def doctor():
    done = harness.run("doctor", limit_s=120)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, "exit %d" % done.returncode


def python_mix(interpreter):
    with interpreter.start("mix30.py", "--depth", 10, "--seconds", 30) as target:
        assert target.line() == "ready"
        truth = Truth(target)
        stacks = snapshot(target.pid)
        target.wait(120)
    truth = truth.join()
    # A stack that says that it was cut (a page of the interpreter's stack was not there) counts below, as not rooted.
    paths = [(leaf_path(python_frames(frames)), n) for frames, n in stacks if not frames[0].startswith("[truncated")]
    in_leaf = sum(n for path, n in paths if path is not None)
    right = sum(n for path, n in paths if path in truth)
    rooted = share(stacks, lambda frames: "<module>" in names_of(frames))
    print("mix: %d samples, %d in the leaf, %d right, %.3f rooted" % (total(stacks), in_leaf, right, rooted))
    for frames, n in stacks:
        if "<module>" not in names_of(frames):
            print("  not rooted, %d times: %s" % (n, ";".join(frames[:4] + ["..."] + frames[-4:])))
    assert in_leaf >= MINIMUM, "%d samples in the leaf" % in_leaf
    assert right == in_leaf, "%d of %d stacks are not the program's" % (in_leaf - right, in_leaf)
    assert rooted >= 0.99, "%.3f reach <module>" % rooted


def python_deep(interpreter):
    with interpreter.start("deep.py", 1000, 30) as target:
        assert target.line() == "ready"
        stacks = snapshot(target.pid)
    whole = share(stacks, lambda frames: names_of(frames).count("recurse") == 1000 and "<module>" in names_of(frames))
    assert whole >= 0.95, "%.3f are whole" % whole


def python_short(interpreter):
    """The first process is not counted: it is over before an emulated machine has read the interpreter's file."""
    cpu_s = 0.0
    with Capture("record", "-a", "-d", 20, "-r", 199, "-f", "folded", output=OUTPUT) as capture:
        capture.started()
        for _ in range(4):
            with interpreter.start("burn.py", 0.3) as process:
                cpu_s += int(process.line().split()[2]) / 1e9
                process.wait(60)
        stacks = folded(capture.finish(200))
    cpu_s *= 3 / 4
    named = count(stacks, "burn_here") / (199 * cpu_s)
    assert named >= 0.5, "%.2f of the samples of %.1f CPU-s are named" % (named, cpu_s)


def native(depth):
    with Process([str(SCRATCH / "native_rec"), str(depth), "60"]) as target:
        assert target.line() == "ready"
        stacks = snapshot(target.pid)

    def whole(frames):
        names = names_of(frames)
        return "main" in names and names.count("program_step") + names.count("library_step") == depth + 1

    assert share(stacks, whole) >= 0.95, "%.3f are whole" % share(stacks, whole)


def no_program_is_left():
    done = subprocess.run(["bpftool", "prog", "list"], stdout=subprocess.PIPE, timeout=60)
    assert b"perf_event" not in done.stdout, done.stdout.decode()


def programs_load():
    test = os.path.join(os.environ["PYEBPF_BUILD"], "bpf_load_test")
    done = subprocess.run([test], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200)
    print(done.stdout.decode("utf-8", "replace"))
    assert done.returncode == 0, "see the table on the console"


def checks():
    found = [("doctor", doctor), ("load", programs_load), ("native-60", lambda: native(60)), ("native-1024", lambda: native(1024))]
    entries = json.loads((SCRATCH / "interpreters.json").read_text())
    for entry in entries:
        interpreter = Interpreter(entry)
        found.append(("mix-" + interpreter.name, lambda i=interpreter: python_mix(i)))
        found.append(("deep-" + interpreter.name, lambda i=interpreter: python_deep(i)))
    if entries:
        last = Interpreter(entries[-1])
        found.append(("short-" + last.name, lambda: python_short(last)))
    return found + [("nothing-left", no_program_is_left)]


def verdict(name, check):
    try:
        check()
    except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as error:
        words = " ".join(str(error).split())
        return "not ok %s: %s" % (name, words[:600] or type(error).__name__)
    return "ok " + name


def main():
    found = checks()
    with open(SCRATCH / "results", "w", encoding="utf-8") as results:
        print("plan " + " ".join(name for name, _ in found), file=results, flush=True)
        for name, check in found:
            line = verdict(name, check)
            print(line, flush=True)
            print(line, file=results, flush=True)


main()
