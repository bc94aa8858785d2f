# SPDX-License-Identifier: Apache-2.0
"""One snapshot in every format: each is read by a program that people read it with, and all have the same samples."""

import collections
import json
import os
import pstats
import re
import shutil
import subprocess

import pytest

import harness
from harness import folded, total

RATE_HZ = 499
PERIOD_NS = 1e9 // RATE_HZ
SUFFIXES = ["folded", "speedscope.json", "callgrind", "pstats", "gecko.json", "perf", "json", "pb.gz"]


@pytest.fixture(scope="module", name="outputs")
def fixture_outputs(any_python, tmp_path_factory):
    directory = tmp_path_factory.mktemp("viewers")
    paths = {suffix: str(directory / ("p." + suffix)) for suffix in SUFFIXES}
    with any_python.start("foobar.py", "--seconds", 6) as target:
        assert target.line() == "ready"
        target.go()
        arguments = ["snapshot", "--pid", target.pid, "-d", 3, "-r", RATE_HZ]
        for path in paths.values():
            arguments += ["-o", path]
        done = harness.run(*arguments)
        assert done.returncode == 0, done.stderr
    return paths


@pytest.fixture(scope="module", name="stacks")
def fixture_stacks(outputs):
    with open(outputs["folded"], "rb") as file:
        return folded(file.read())


def self_samples(stacks):
    """{function: samples} of the innermost frames; a function without its line."""
    counts = collections.Counter()
    for frames, n in stacks:
        counts[re.sub(r":\d+\)$", ")", frames[-1]).split(" (")[0].split(" [")[0]] += n
    return counts


def test_speedscope(outputs, stacks):
    with open(outputs["speedscope.json"], encoding="utf-8") as file:
        profile = json.load(file)
    frames = profile["shared"]["frames"]
    counts = collections.Counter()
    for thread in profile["profiles"]:
        assert thread["type"] == "sampled" and thread["unit"] == "nanoseconds"
        assert len(thread["samples"]) == len(thread["weights"])
        assert thread["endValue"] == sum(thread["weights"])
        for sample, weight in zip(thread["samples"], thread["weights"]):
            counts[frames[sample[-1]]["name"].split(" [")[0]] += round(weight / PERIOD_NS)
    assert counts == self_samples(stacks)
    assert any(frame.get("file", "").endswith("foobar.py") and frame["line"] > 0 for frame in frames)


def test_callgrind(outputs, stacks):
    annotate = shutil.which("callgrind_annotate")
    assert annotate, "valgrind is missing: packaging/install-deps.sh --test"
    done = subprocess.run([annotate, "--threshold=100", "--show=Samples", outputs["callgrind"]], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = done.stdout.decode()
    assert not done.stderr
    of_all = re.search(r"^\s*([\d,]+)(?: \([\d.]+%\))?\s+PROGRAM TOTALS", text, re.M)
    assert int(of_all.group(1).replace(",", "")) == total(stacks)
    counts = collections.Counter()
    for number, function in re.findall(r"^\s*([\d,]+)(?: \([\d. ]+%\))?\s+[^\n:]*:(.+?)(?: \[[^\n]*\])?$", text, re.M):
        counts[function] += int(number.replace(",", ""))
    for name, n in self_samples(stacks).most_common(2):
        assert counts[name] == n, text


def test_pstats(outputs, stacks):
    stats = pstats.Stats(outputs["pstats"])
    assert stats.total_tt == pytest.approx(total(stacks) / RATE_HZ, rel=0.01)
    self_s = collections.Counter()
    for (_, _, name), (_, calls, tottime, cumtime, callers) in stats.stats.items():
        self_s[name.split(" [")[0]] += tottime
        assert cumtime >= tottime - 1e-9
        assert all(values[0] <= calls for values in callers.values())
    for name, n in self_samples(stacks).most_common(2):
        assert self_s[name] == pytest.approx(n / RATE_HZ, rel=0.01)
    stats.print_callers(3)


def test_gecko(outputs, stacks):
    with open(outputs["gecko.json"], encoding="utf-8") as file:
        profile = json.load(file)
    counts = collections.Counter()
    for thread in profile["threads"]:
        schema = thread["stackTable"]["schema"]
        stack_rows, frame_rows = thread["stackTable"]["data"], thread["frameTable"]["data"]
        times = [row[thread["samples"]["schema"]["time"]] for row in thread["samples"]["data"]]
        assert times == sorted(times)
        for row in thread["samples"]["data"]:
            frame = frame_rows[stack_rows[row[0]][schema["frame"]]]
            counts[thread["stringTable"][frame[0]].split(" (")[0].split(" [")[0]] += 1
        assert all(row[schema["prefix"]] is None or row[schema["prefix"]] < at for at, row in enumerate(stack_rows))
        assert all(row[6] < len(profile["meta"]["categories"]) for row in frame_rows)
    assert counts == self_samples(stacks)


def test_perf_script(outputs, stacks):
    with open(outputs["perf"], encoding="utf-8") as file:
        blocks = [block.split("\n") for block in file.read().strip("\n").split("\n\n")]
    counts = collections.Counter()
    for head, leaf, *_ in blocks:
        assert re.fullmatch(r".+ \d+/\d+ [\d.]+: \d+ cpu-clock:", head), head
        counts[re.fullmatch(r"\t *[0-9a-f]+ (.+) \(.+\)", leaf).group(1)] += 1
    assert counts == self_samples(stacks)
    assert sum(counts.values()) == total(stacks)


def test_json(outputs, stacks):
    with open(outputs["json"], encoding="utf-8") as file:
        report = json.load(file)
    assert report["profile"]["samples"] == total(stacks)
    of_self = collections.Counter()
    for row in report["self"]:
        of_self[row["function"].split(" [")[0]] += row["self_percent"]
    for name, n in self_samples(stacks).most_common(2):
        assert of_self[name] == pytest.approx(100 * n / total(stacks), abs=0.1)
    calls = {(row["caller"].split(" (")[0], row["callee"].split(" (")[0]): row for row in report["calls"]}
    assert 65 <= calls["foo", "work"]["total_percent"] <= 85
    assert sum(row["self_percent"] for row in report["packages"]) == pytest.approx(100, abs=1)
    assert [row for row in report["tree"] if "foo (" in row["frames"]]


def test_suffixes_are_told(tmp_path):
    done = harness.run("snapshot", "--pid", os.getpid(), "-f", "gif", "-o", tmp_path / "x")
    assert done.returncode == harness.EXIT_USAGE
    for name in ("speedscope", "callgrind", "pstats", "gecko", "perf"):
        assert name in done.stderr
