# SPDX-License-Identifier: Apache-2.0
"""Native programs built without frame pointers, recursion across libraries, and libraries that come and go."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import harness
import pprof_reader
from harness import Capture, Process, count, figure, folded, names_of, snapshot, total


def in_order(patterns, frames):
    rest = iter(frames)
    return all(any(re.fullmatch(pattern, frame) for frame in rest) for pattern in patterns)


@pytest.mark.parametrize("depth", [60, 1024])
def test_recursion_across_libraries_is_whole(native_rec, tmp_path, depth):
    with Process([native_rec, str(depth), "6"]) as target:
        assert target.line() == "ready"
        stacks = folded(snapshot(target.pid, tmp_path / "rec.folded", seconds=3, rate_hz=199))
    whole = 0
    expected = depth + (depth + 1) % 2  # the program's own step is the last one
    for frames, n in stacks:
        names = names_of(frames)
        steps = sum(name in ("program_step", "library_step") for name in names)
        if "main" in names and steps == expected and "burn_bottom" in names:
            whole += n
    figure("native_whole_at_%d" % depth, 100 * whole / total(stacks), "%", "%d samples" % total(stacks))
    assert whole >= 0.99 * total(stacks)


def test_frames_alternate_between_the_files(native_rec, tmp_path):
    with Process([native_rec, "20", "4"]) as target:
        assert target.line() == "ready"
        stacks = folded(snapshot(target.pid, tmp_path / "rec.folded", seconds=2))
    frames = max(stacks, key=lambda stack: stack[1])[0]
    steps = [f for f in frames if "_step" in f]
    pair = ["program_step [native_rec]", "library_step [libstep.so]"]
    assert steps == pair * 10 + pair[:1]


def test_libraries_that_share_an_address(dl_program, tmp_path):
    output = tmp_path / "dl.folded"
    with Process([dl_program[0], "3"] + dl_program[1:]) as target:
        assert target.line() == "ready"
        with Capture("snapshot", "--pid", target.pid, "-d", 5, "-r", 499, "-f", "folded", output=output) as capture:
            truth = json.loads(target.line())
            stacks = folded(capture.finish(60))
    a, b = count(stacks, "burn_a"), count(stacks, "burn_b")
    named = (a + b) / total(stacks)
    share = a / (a + b)
    expected = truth["a_s"] / (truth["a_s"] + truth["b_s"])
    figure("dl_named", 100 * named, "%", "%d of %d turns at one address" % (truth["same_address"], truth["turns"]))
    figure("dl_share_of_a", share, "", "truth %.4f" % expected)
    assert truth["same_address"] > 0, "the two libraries never shared an address: nothing was tested"
    assert named >= 0.95
    # The snapshot starts up to half a turn in.
    assert abs(share - expected) < 0.08


def test_non_python_has_no_python_view(native_rec, tmp_path):
    with Process([native_rec, "5", "20"]) as target:
        assert target.line() == "ready"
        for flag in ("--python-only", "-g"):
            done = harness.run("snapshot", "--pid", target.pid, "-d", 1, flag, "-f", "folded", "-o", tmp_path / "x")
            assert done.returncode == harness.EXIT_NOT_SUPPORTED, done.stderr
            assert str(target.pid) in done.stderr


def test_generated_code_is_named_by_the_perf_map(tmp_path):
    program = harness.compile_cpp("jit.cpp", tmp_path / "jit")
    with Process([program, "20"]) as target:
        assert target.line() == "ready"
        stacks = folded(snapshot(target.pid, tmp_path / "jit.folded", seconds=1))
        os.unlink("/tmp/perf-%d.map" % target.pid)
    leaves = {frames[-1]: n for frames, n in stacks}
    assert leaves["count down:twice [jit]"] >= 0.95 * total(stacks), leaves


def test_generated_code_is_named_by_a_jitdump(tmp_path):
    program = harness.compile_cpp("jit.cpp", tmp_path / "jit")
    with Process([program, "20", tmp_path]) as target:
        assert target.line() == "ready"
        assert not os.path.exists("/tmp/perf-%d.map" % target.pid)
        stacks = folded(snapshot(target.pid, tmp_path / "jit.folded", seconds=1))
    leaves = {frames[-1]: n for frames, n in stacks}
    assert leaves["count down:twice [jit]"] >= 0.95 * total(stacks), leaves


def test_code_of_v8_is_named_by_its_jitdump(tmp_path):
    """V8 keeps the last 2 MiB to itself: what it made at its start is in the file, later code may not be."""
    node = shutil.which("node")
    if not node:
        pytest.skip("no node here")
    script = os.path.join(harness.WORKLOADS, "native", "chain.js")
    with Process([node, "--perf-prof", "--interpreted-frames-native-stack", script], cwd=tmp_path) as target:
        assert target.line() == "ready"
        assert (tmp_path / ("jit-%d.dump" % target.pid)).exists()
        stacks = folded(snapshot(target.pid, tmp_path / "node.folded", "-n", seconds=2))
    named = sum(n for frames, n in stacks if any(f.startswith("JS:") and f.endswith(" [jit]") for f in frames))
    figure("jitdump_named[node]", 100 * named / total(stacks), "%")
    assert named >= 0.95 * total(stacks), stacks[:3]


@pytest.mark.parametrize("debug", ["inside", "apart"])
def test_inlined_functions_and_lines(debug, tmp_path):
    program = harness.compile_cpp("inlined.cpp", tmp_path / "program", "-g")
    if debug == "apart":
        apart = str(tmp_path / ".debug" / "program.debug")
        os.mkdir(os.path.dirname(apart))
        subprocess.run(["objcopy", "--only-keep-debug", program, apart], check=True)
        subprocess.run(["strip", program], check=True)
        subprocess.run(["objcopy", "--add-gnu-debuglink=" + apart, program], check=True)
    source = os.path.join(harness.WORKLOADS, "inlined.cpp")
    with open(source, encoding="utf-8") as file:
        marks = {line.split("// mark: ")[1].strip(): n for n, line in enumerate(file, 1) if "// mark: " in line}
    with Process([program, "30"]) as target:
        assert target.line() == "ready"
        raw = snapshot(target.pid, tmp_path / "inlined.pb.gz", seconds=2, form="pprof")
        stacks = folded(snapshot(target.pid, tmp_path / "inlined.folded", seconds=2))
        report = snapshot(target.pid, tmp_path / "inlined.txt", seconds=2, form="text").decode("utf-8")
    names = ["outer", "middle", "innermost"]
    chain = [re.compile(r"(\(anonymous namespace\)::)?%s(\(unsigned int\))?( \[clone .*\])? \[program\]" % n) for n in names]

    def whole(frames):
        return len(frames) >= 3 and all(pattern.fullmatch(f) for pattern, f in zip(chain, frames[-3:]))

    assert sum(n for frames, n in stacks if whole(frames)) >= 0.9 * total(stacks), stacks
    assert re.search(r"inlined\.cpp:%d \[program\] +.*innermost" % marks["innermost"], report), report
    samples = pprof_reader.Profile(raw).samples
    expected = [marks["innermost"], marks["middle"], marks["outer"]]
    right = sum(s["values"][0] for s in samples
                if [(f, n) for _, f, n in s["stack"][:3]] == [(source, n) for n in expected])
    assert right >= 0.9 * sum(s["values"][0] for s in samples), samples[:3]


def test_native_code_below_python_is_named_in_order(tmp_path):
    """zlib, OpenSSL, _json and _sre below the Python function that called them; by module where they are stripped."""
    name = "extensions.py"
    with Process([sys.executable, os.path.join(harness.WORKLOADS, name), "30"]) as target:
        assert target.line() == "ready"
        stacks = folded(snapshot(target.pid, tmp_path / "o.folded", "-n", seconds=4, rate_hz=199))
    expected = {
        "compressing": [r"deflate \[libz.*\]"],
        "hashing": [r"\S+ \[(_hashlib.*|python.*)\]", r"\S+ \[libcrypto.*\]"],
        "encoding": [r"\S+ \[_json.*\]|\S*(encode|scan|parse)\S* \[.*\]"],
        "matching": [r"(\S*sre\S*|0x\w+) \[.*\]"],
    }
    for caller, patterns in expected.items():
        below = [(frames[names_of(frames).index(caller) + 1:], n) for frames, n in stacks if caller in names_of(frames)]
        right = sum(n for frames, n in below if in_order(patterns, frames))
        figure("native_below[%s]" % caller, 100 * right / max(1, total(below)), "%", "%d samples" % total(below))
        assert total(below) > 30, caller
        assert right >= 0.7 * total(below), (caller, below[:5])
