# SPDX-License-Identifier: Apache-2.0
"""Programs with one known fault each: the report's findings name it, and find nothing in healthy ones."""

import json

import pytest

from harness import figure, run, tokens_of

FAULTS = {
    "connections": "connections", "regex": "regex_compilation", "serialization": "serialization",
    "gil": "gil_contention", "garbage": "garbage_collection", "recursion": "deep_recursion",
    "imports": "run_time_imports", "small_writes": "small_io",
}


def findings(interpreter, name, tmp_path):
    with interpreter.start("faulty.py", name, 20) as target:
        assert target.line() == "ready"
        done = run("snapshot", "-p", target.pid, "-d", 3, "-r", 199, "-o", tmp_path / "r.json", "-o", tmp_path / "r.txt")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    return report["findings"], (tmp_path / "r.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_is_found(any_python, node_modules, name, tmp_path):
    found, text = findings(any_python, name, tmp_path)
    rules = {finding["rule"]: finding for finding in found}
    figure("finding[%s]" % name, ", ".join("%s %.1f %%" % (f["rule"], f["percent"]) for f in found))
    assert FAULTS[name] in rules
    assert any(word in rules[FAULTS[name]]["where"] for word in ("culprit_", "Node.__init__"))  # 3.12 on collects in callees
    assert FAULTS[name] in text.partition("Findings (F)")[2]
    assert tokens_of(text, node_modules) <= 6000


@pytest.mark.parametrize("name", ["words", "pipeline", "matrices", "handler"])
def test_nothing_is_found_in_healthy_programs(any_python, name, tmp_path):
    found, text = findings(any_python, name, tmp_path)
    assert not found
    assert text.partition("Findings (F)")[2].splitlines()[1] == "none"
