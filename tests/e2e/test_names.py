# SPDX-License-Identifier: Apache-2.0
"""Names as the program has them, in every output; lines of tables of any length, from the first sample on."""

import collections
import json
import os
import xml.etree.ElementTree as ElementTree

import pytest

import pprof_reader
from harness import Capture, figure, folded, python_frames


def shown(name, file, line):
    """A frame as outputs write it: on one line, with the last part of the path."""
    file = (os.path.basename(file.rstrip("/")) or file)
    return "%s (%s)" % (name, "%s:%d" % (file, line) if file else "?")


def true_stacks(target):
    """What the leaf prints, up to the end of the program."""
    lines = (json.loads(line.decode("utf-8")) for line in target.child.stdout)
    return [[tuple(frame) for frame in stack] for stack in lines]


def check_folded(raw, true, interpreter):
    expected = {";".join(shown(*frame).replace(";", ":") for frame in stack) for stack in true}
    counts = collections.Counter()
    for line in raw.decode("utf-8").splitlines():
        head, leaf, _ = line.partition(";leaf (truth.py:")
        if leaf:
            counts[head in expected, head] += int(line.rpartition(" ")[2])
    wrong = {head: n for (good, head), n in counts.items() if not good}
    samples = sum(counts.values())
    figure("true_names[%s]" % interpreter.name, 100 * (1 - sum(wrong.values()) / samples), "%",
           "%d samples, %d stacks" % (samples, len(counts)))
    assert not wrong
    assert samples > 500 and len(counts) == len(expected)


def check_pprof(raw, true):
    expected = {tuple((name, file, line) for name, file, line in stack) for stack in true}
    seen = set()
    for sample in pprof_reader.Profile(raw).samples:
        stack = sample["stack"][::-1]
        for at, (name, file, _) in enumerate(stack):
            if name == "leaf" and file.endswith("truth.py"):
                seen.add(tuple(stack[:at]))
    assert seen == expected


@pytest.mark.since(3, 6)
def test_names_are_right_in_every_output(interpreter, tmp_path):
    outputs = {form: tmp_path / ("n." + form) for form in ("folded", "txt", "svg", "pb.gz")}
    with interpreter.start("names.py", 6) as target:
        assert target.line() == "ready"
        arguments = ["snapshot", "--pid", target.pid, "-d", 4, "-r", 499, "--limit", 100]
        for form in ("txt", "svg", "pb.gz"):
            arguments += ["-o", outputs[form]]
        with Capture(*arguments, output=outputs["folded"]) as capture:
            raw = capture.finish(90)
        true = true_stacks(target)
    check_folded(raw, true, interpreter)
    check_pprof(outputs["pb.gz"].read_bytes(), true)
    svg = ElementTree.fromstring(outputs["svg"].read_bytes())
    titles = [e.text or "" for e in svg.iter("{http://www.w3.org/2000/svg}title")]
    text = outputs["txt"].read_text(encoding="utf-8")
    for stack in true:
        assert any(title.startswith(shown(*stack[-1])) for title in titles), stack[-1]
    for word in ("größe", "计算", "μέθοδος", "😀.py", "funktion", "mödul.py"):
        assert word in text


def test_lines_of_long_tables_are_right_at_once(interpreter, tmp_path):
    """The kernel takes a table's first KiB along: the rest is read while the first samples wait."""
    with interpreter.start("longtable.py") as target:
        assert target.line() == "ready"
        arguments = ["snapshot", "--pid", target.pid, "-d", 3, "-r", 999, "-f", "folded"]
        with Capture(*arguments, output=tmp_path / "l.folded") as capture:
            capture.started()
            target.go()
            truth = {stack[-2] for stack in true_stacks(target)}
            stacks = folded(capture.finish(90))
    expected = {(name, os.path.basename(file), line) for name, file, line in truth}
    seen = collections.Counter()
    for frames, n in stacks:
        python = python_frames(frames)
        # Alone, without leaf(), it is on its way through its lines, which the truth doesn't list.
        if python and not python[-1][0].startswith("long_"):
            seen.update({frame: n for frame in python if frame[0].startswith("long_")})
    wrong = {frame: n for frame, n in seen.items() if frame not in expected}
    figure("long_table_lines[%s]" % interpreter.name, 100 * (1 - sum(wrong.values()) / sum(seen.values())), "%",
           "%d samples" % sum(seen.values()))
    assert sum(seen.values()) > 150 and len(seen) >= 6
    assert not wrong
