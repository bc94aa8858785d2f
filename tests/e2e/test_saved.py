# SPDX-License-Identifier: Apache-2.0
"""Saved profiles: one format turned into another, two compared, other people's read."""

import json
import os
import re
import shutil
import subprocess

import pytest

import harness
from harness import figure, folded, python_frames, run, total

ANNUAL_COST = 100000
UNITS = 4000


def record(interpreter, output, *words):
    """What the command printed. `output` gets its profile."""
    argv = interpreter.argv + [interpreter.path("article.py")] + [str(word) for word in words]
    done = subprocess.run([harness.BINARY, "record", "--no-daemon", "-r", "199", "-o", str(output), "--"] + argv,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.decode())


@pytest.fixture(scope="module", name="article")
def fixture_article(any_python, tmp_path_factory):
    """{name: (profile, CPU seconds by the program)} before and after foo() got faster."""
    directory = tmp_path_factory.mktemp("article")
    programs = {"before": (75000, 25000, UNITS), "after": (8000, 25000, UNITS)}
    return {name: (directory / (name + ".pb.gz"), record(any_python, directory / (name + ".pb.gz"), *words))
            for name, words in programs.items()}


def diff(article, *flags):
    done = run("diff", article["before"][0], article["after"][0], *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_a_faster_function_saves(article):
    told = json.loads(diff(article, "--work", "%d,%d" % (UNITS, UNITS), "--annual-cost", ANNUAL_COST, "-j"))
    true_ratio = article["after"][1] / article["before"][1]
    cost = told["annual_cost"]
    figure("article_ratio", told["ratio"]["value"], "", "programs' own %.4f; %.0f a year become %.0f (%.0f to %.0f)" % (
        true_ratio, cost["before"], cost["after"], cost["after_low"], cost["after_high"]))
    assert told["ratio"]["low"] <= true_ratio <= told["ratio"]["high"]
    assert cost["after_low"] <= ANNUAL_COST * true_ratio <= cost["after_high"]
    assert true_ratio == pytest.approx(0.33, abs=0.1)  # clocks and caches have a say
    rows = {row["name"]: row for row in told["total_by_function"]}
    foo, bar, main = rows["foo"], rows["bar"], rows["main"]
    assert foo["verdict"] == "less" and bar["verdict"] == "not significant"
    assert foo["before"] / main["before"] == pytest.approx(0.75, abs=0.03)
    assert foo["after"] / foo["before"] == pytest.approx(8 / 75, abs=0.03)


def test_the_text_says_the_same(article):
    text = diff(article, "--work", "%d,%d" % (UNITS, UNITS), "--annual-cost", ANNUAL_COST)
    told = json.loads(diff(article, "--work", "%d,%d" % (UNITS, UNITS), "--annual-cost", ANNUAL_COST, "-j"))
    saved = re.search(r"savings: 100,000 a year become ([\d,]+) \(", text)
    assert int(saved.group(1).replace(",", "")) == round(told["annual_cost"]["after"])
    assert re.search(r"^C\d+ .* less .* foo$", text, re.M), text


def test_shares_are_compared_without_times(article, tmp_path):
    for name in ("before", "after"):
        assert run("convert", article[name][0], "-o", tmp_path / (name + ".folded")).returncode == 0
    refused = run("diff", tmp_path / "before.folded", tmp_path / "after.folded")
    assert refused.returncode == harness.EXIT_USAGE and "--per cpu" in refused.stderr
    done = run("diff", tmp_path / "before.folded", tmp_path / "after.folded", "--per", "cpu", "-j")
    rows = {row["name"]: row for row in json.loads(done.stdout)["total_by_function"]}
    assert rows["foo"]["before"] == pytest.approx(75, abs=3)
    assert rows["foo"]["after"] == pytest.approx(100 * 8 / 33, abs=5)


def test_conversion_keeps_every_sample(article, tmp_path):
    source = article["before"][0]
    stacks = folded(run("convert", source, "-f", "folded").stdout.encode())
    for suffix in ("pb.gz", "perf", "folded"):
        between, back = tmp_path / ("p." + suffix), tmp_path / "back.folded"
        assert run("convert", source, "-o", between).returncode == 0
        assert run("convert", between, "-o", back).returncode == 0
        assert sorted(folded(back.read_bytes())) == sorted(stacks), suffix
    for form in ("text", "svg", "speedscope", "callgrind", "gecko"):
        done = run("convert", source, "-f", form)
        assert done.returncode == 0 and "foo" in done.stdout, form
    assert "samples %s" % format(total(stacks), ",") in run("convert", source).stdout


def test_profiles_of_py_spy_are_read(any_python, venv, tmp_path):
    raw = tmp_path / "spy.txt"
    with any_python.start("foobar.py", "--seconds", "8") as target:
        assert target.line() == "ready"
        target.go()
        subprocess.run([os.path.join(venv, "py-spy"), "record", "-p", str(target.pid), "-f", "raw", "--nonblocking",
                        "-d", "2", "-o", str(raw)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=True)
    stacks = folded(run("convert", raw, "-f", "folded").stdout.encode())
    expected = sum(int(line.rpartition(" ")[2]) for line in raw.read_text(encoding="utf-8").splitlines())
    assert total(stacks) == expected
    assert all(python_frames(frames) for frames, _ in stacks)


def test_profiles_of_perf_are_read(tmp_path):
    perf = shutil.which("perf")
    burn = harness.build_native_rec(tmp_path)
    if not perf:
        pytest.skip("no perf here")
    data = tmp_path / "perf.data"
    made = subprocess.run([perf, "record", "-e", "cpu-clock", "-F", "199", "-g", "-o", str(data), str(burn), "2", "20"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    if made.returncode != 0:
        pytest.skip("perf record does not work here")
    text = subprocess.run([perf, "script", "-i", str(data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          check=True).stdout
    (tmp_path / "perf.txt").write_bytes(text)
    stacks = folded(run("convert", tmp_path / "perf.txt", "-f", "folded").stdout.encode())
    heads = sum(1 for line in text.decode("utf-8", "replace").splitlines() if "cpu-clock" in line)
    figure("perf_script", total(stacks), "samples", "perf script has %d" % heads)
    assert total(stacks) == heads > 50


def test_errors_name_the_file(tmp_path):
    (tmp_path / "x.txt").write_text("no profile at all\n", encoding="utf-8")
    for words in (["convert", tmp_path / "x.txt"], ["diff", tmp_path / "x.txt", tmp_path / "x.txt"],
                  ["convert", tmp_path / "none.pb.gz"]):
        done = run(*words)
        assert done.returncode == harness.EXIT_USAGE, done.stderr
        assert done.stderr.count("\n") == 1 and str(words[1]) in done.stderr
