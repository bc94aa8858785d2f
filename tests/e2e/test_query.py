# SPDX-License-Identifier: Apache-2.0
"""Questions to a saved profile: by the command line, and by an agent's own client of the Model Context Protocol."""

import collections
import json
import os
import subprocess

import pytest

import harness
from harness import folded, run, total

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(scope="module", name="profile")
def fixture_profile(any_python, tmp_path_factory):
    """(pprof file, its stacks as folded text has them: function names root first, count)."""
    directory = tmp_path_factory.mktemp("query")
    saved, text = directory / "p.pb.gz", directory / "p.folded"
    with any_python.start("foobar.py", "--seconds", 4) as target:
        assert target.line() == "ready"
        target.go()
        done = run("snapshot", "--pid", target.pid, "-d", 2, "-r", 299, "--python-only", "-o", saved, "-o", text)
        assert done.returncode == 0, done.stderr
    stacks = [([frame.split(" (")[0] for frame in frames], frames, n) for frames, n in folded(text.read_bytes())]
    return saved, stacks


def ask(profile, *words):
    done = run("query", profile[0], *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def percent(profile, keep):
    whole = sum(n for _, _, n in profile[1])
    return 100 * sum(n for names, _, n in profile[1] if keep(names)) / whole


def test_hottest(profile):
    told = ask(profile, "hottest")
    assert told["samples"] == sum(n for _, _, n in profile[1])
    for row in told["rows"]:
        name = row["function"]
        assert row["self_percent"] == pytest.approx(percent(profile, lambda names: names[-1] == name), abs=1.5)
        assert row["total_percent"] == pytest.approx(percent(profile, lambda names: name in names), abs=1.5)
    assert told["rows"][0]["function"] == "work"


def test_callers_and_callees(profile):
    callers = {row["caller"]: row["percent"] for row in ask(profile, "callers-of", "work")["rows"]}
    assert set(callers) == {"foo", "bar"}
    for name, share in callers.items():
        assert share == pytest.approx(percent(profile, lambda names: "work" in names and name in names), abs=1.5)
    callees = collections.Counter()
    for row in ask(profile, "callees-of", "timed")["rows"]:
        callees[row["callee"]] += row["percent"]
    assert callees["foo"] == pytest.approx(percent(profile, lambda names: "foo" in names), abs=1.5)
    assert callees["foo"] > 2 * callees["bar"] > 0


def test_paths_and_lines(profile):
    path = ask(profile, "paths-through", "bar", "--limit", 1)["rows"][0]
    heaviest = max((n, frames) for names, frames, n in profile[1] if "bar" in names)[1]
    assert path["frames"] == heaviest
    lines = collections.Counter()
    for names, frames, n in profile[1]:
        if names[-1] == "work":
            lines[int(frames[-1].rsplit(":", 1)[1].rstrip(")"))] += n
    told = {row["line"]: row["self_percent"] for row in ask(profile, "lines-of", "work")["rows"]}
    whole = sum(n for _, _, n in profile[1])
    assert set(told) == set(lines)
    for line, n in lines.items():
        assert told[line] == pytest.approx(100 * n / whole, abs=1.5)


def test_threads(profile):
    rows = ask(profile, "threads")["rows"]
    assert {"worker-0", "worker-1"} <= {row["name"] for row in rows}
    assert sum(row["percent"] for row in rows) == pytest.approx(100, abs=0.1)


def test_part_of_a_name_and_none(profile):
    assert {row["function"] for row in ask(profile, "callers-of", "foobar.py:wor")["functions"]} == {"work", "worker"}
    nothing = run("query", profile[0], "callers-of", "no_such_function")
    assert nothing.returncode == harness.EXIT_USAGE and nothing.stderr.count("\n") == 1
    assert "no function of the profile is called 'no_such_function'" in nothing.stderr


def test_an_agents_client_asks(profile, venv):
    """The protocol's own Python client: its schema checks are those of what agents use."""
    client = os.path.join(HERE, "mcp_client.py")
    calls = [["hottest", {"limit": 3}], ["callers_of", {"name": "work"}], ["report", {}], ["callers_of", {}],
             ["callers_of", {"name": "no_such_function"}]]
    done = subprocess.run([os.path.join(venv, "python"), client, json.dumps(calls), harness.BINARY, "mcp", str(profile[0])],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert told["server"] == "pyebpf-prof"
    assert set(told["tools"]) == {"hottest", "threads", "callers_of", "callees_of", "paths_through", "lines_of", "report"}
    hottest, callers, report, missing, unknown = told["answers"]
    assert json.loads(hottest["text"]) == ask(profile, "hottest", "--limit", 3)
    assert json.loads(callers["text"]) == ask(profile, "callers-of", "work")
    assert "worker-0" in report["text"] and not report["error"]
    assert missing["error"] and unknown["error"] and "no_such_function" in unknown["text"]


def test_a_large_profile_is_asked_quickly(tmp_path):
    path = tmp_path / "large.folded"
    with open(path, "w", encoding="utf-8") as file:
        for i in range(50000):
            file.write("main (app.py:1);layer%d (app.py:%d);leaf%d (lib.py:%d) 2\n" % (i % 100, i % 100, i, i + 1))
    told = json.loads(run("query", path, "callees-of", "layer7").stdout)
    assert len(told["rows"]) == 20 and told["samples"] == 100000
    assert total(folded(path.read_bytes())) == told["samples"]
