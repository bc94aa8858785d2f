# SPDX-License-Identifier: Apache-2.0
"""Each format is read back by something that shares no code with the profiler, also with hostile names."""

import re
import shutil
import subprocess
import unicodedata
import xml.etree.ElementTree as ElementTree

import pytest

import harness
from harness import Process, figure, folded, snapshot, total
from pprof_reader import Profile

SECONDS = 2
RATE_HZ = 199


@pytest.fixture(scope="module")
def busy(any_python):
    with any_python.start("foobar.py", "--seconds", 120, "--now") as target:
        assert target.line() == "ready"
        yield target.pid


@pytest.fixture(scope="module")
def hostile(any_python):
    with any_python.start("hostile.py", 120) as target:
        assert target.line() == "ready"
        yield target.pid


def take(pid, tmp_path, form, *flags):
    return snapshot(pid, tmp_path / "out", *flags, seconds=SECONDS, rate_hz=RATE_HZ, form=form)


def controls(text):
    return {c for c in text if unicodedata.category(c) == "Cc" and c not in "\n\t"}


def test_text_names_the_functions(busy, tmp_path):
    text = take(busy, tmp_path, "text").decode("utf-8")
    for word in (str(busy), "worker-0", "foo", "bar", "foobar.py", "samples"):
        assert word in text
    assert re.search(r"samples", text.strip().splitlines()[-1]), "the last line states what was taken and lost"


def test_folded_adds_up(busy, tmp_path):
    stacks = folded(take(busy, tmp_path, "folded"))
    assert 0.5 < total(stacks) / (SECONDS * RATE_HZ) < 2.2
    assert all(n > 0 for _, n in stacks)
    assert len({tuple(f) for f, _ in stacks}) == len(stacks), "equal stacks are one line"


def test_svg_is_one_document_without_network(busy, tmp_path):
    raw = take(busy, tmp_path, "svg")
    root = ElementTree.fromstring(raw)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = raw.decode("utf-8")
    titles = [e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(t.startswith("foo ") for t in titles) and any(t.startswith("bar ") for t in titles)
    links = set(re.findall(r"""(?:href|src)\s*=\s*["']([^"'#]+)""", text))
    assert not links and "@import" not in text


def test_pprof_is_consistent(busy, tmp_path):
    profile = Profile(take(busy, tmp_path, "pprof"))
    assert profile.sample_types == [("samples", "count"), ("cpu", "nanoseconds")]
    assert profile.period_type == ("cpu", "nanoseconds")
    assert abs(profile.period - 1e9 / RATE_HZ) < 2
    samples, cpu_ns = profile.total("samples"), profile.total("cpu")
    assert abs(cpu_ns / (samples * profile.period) - 1) < 0.01
    assert abs(profile.duration_ns / 1e9 - SECONDS) < 0.5
    names = {name for sample in profile.samples for name, _, _ in sample["stack"]}
    assert {"foo", "bar", "work"} <= names
    leaf_first = [s["stack"] for s in profile.samples if any(n == "work" for n, _, _ in s["stack"])]
    order = [n for n, _, _ in leaf_first[0]]
    assert order.index("work") < order.index("<module>" if "<module>" in order else order[-1])
    assert {s["labels"].get("thread") for s in profile.samples} >= {"worker-0"}
    figure("pprof_samples", samples)


def test_pprof_is_read_by_go(busy, tmp_path):
    if not shutil.which("go"):
        pytest.skip("go is not installed, so `go tool pprof` cannot read the file")
    path = tmp_path / "out.pb.gz"
    path.write_bytes(take(busy, tmp_path, "pprof"))
    done = subprocess.run(["go", "tool", "pprof", "-top", "-sample_index=cpu", str(path)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert b"work" in done.stdout


@pytest.mark.parametrize("suffix,check", [
    (".svg", lambda raw: raw.lstrip().startswith(b"<")),
    (".folded", lambda raw: folded(raw)),
    (".pb.gz", lambda raw: Profile(raw).samples),
    (".txt", lambda raw: raw.decode("utf-8")),
])
def test_format_follows_the_suffix(busy, tmp_path, suffix, check):
    path = tmp_path / ("out" + suffix)
    done = harness.run("snapshot", "--pid", busy, "-d", 1, "-o", path)
    assert done.returncode == 0, done.stderr
    assert check(path.read_bytes())
    assert done.stdout == "", "with -o nothing goes to stdout"


def test_stdout_and_progress_are_apart(busy):
    done = harness.run("snapshot", "--pid", busy, "-d", 1, "-f", "folded")
    assert done.returncode == 0, done.stderr
    assert folded(done.stdout.encode())


def test_several_processes_are_told_apart(any_python, tmp_path):
    with any_python.start("foobar.py", "--seconds", 20, "--now") as one:
        with any_python.start("foobar.py", "--seconds", 20, "--now") as two:
            assert one.line() == two.line() == "ready"
            stacks = folded(snapshot(one.pid, tmp_path / "two", "-p", two.pid, seconds=2))
    roots = {frames[0] for frames, _ in stacks}
    assert any("(%d)" % one.pid in r for r in roots) and any("(%d)" % two.pid in r for r in roots)


@pytest.mark.parametrize("form", ["text", "folded", "svg", "pprof"])
def test_hostile_names_stay_names(hostile, tmp_path, form):
    raw = take(hostile, tmp_path, form)
    if form == "pprof":
        profile = Profile(raw)
        assert profile.total("samples") > 100
        return
    text = raw.decode("utf-8")
    assert not controls(text), "control characters reach the output"
    if form == "folded":
        assert 0.5 < total(folded(raw)) / (SECONDS * RATE_HZ) < 1.2
    if form == "svg":
        root = ElementTree.fromstring(raw)
        scripts = list(root.iter("{http://www.w3.org/2000/svg}script"))
        assert len(scripts) <= 1 and "alert(1)" not in "".join(s.text or "" for s in scripts)
        assert not [e for e in root.iter() for a in e.attrib if a == "onload" and "alert" in e.attrib[a]]


def test_process_with_a_hostile_name(tmp_path):
    program = tmp_path / "a;b<c>\n& (1)"
    shutil.copy("/bin/sh", program)
    with Process([str(program), "-c", "while :; do :; done"]) as target:
        for form in ("text", "folded", "svg"):
            raw = take(target.pid, tmp_path, form)
            assert not controls(raw.decode("utf-8"))
            if form == "svg":
                ElementTree.fromstring(raw)
            if form == "folded":
                folded(raw)
