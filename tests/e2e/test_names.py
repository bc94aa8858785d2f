# SPDX-License-Identifier: Apache-2.0
"""Names as the program has them, in every output; lines of tables of any length, from the first sample on."""

import html
import os
import re

import pytest

import pprof_reader
from harness import Capture, Truth, figure, folded, leaf_path, python_frames, total

RATE_HZ = 499


def shown(text):
    """What outputs make of a name: one line, and the last part of a path."""
    return text.replace("\t", " ")


def frames_shown(stack):
    return [(shown(name), shown(file)) for name, file, _ in stack]


@pytest.mark.since(3, 6)
def test_names_are_right_in_every_output(interpreter, tmp_path):
    outputs = {form: tmp_path / ("n." + form) for form in ("folded", "txt", "svg", "pb.gz")}
    with interpreter.start("names.py", 6) as target:
        assert target.line() == "ready"
        truth = Truth(target)
        arguments = ["snapshot", "--pid", target.pid, "-d", 4, "-r", RATE_HZ, "--full-paths"]
        for form in ("txt", "svg", "pb.gz"):
            arguments += ["-o", outputs[form]]
        with Capture(*arguments, output=outputs["folded"]) as capture:
            stacks = folded(capture.finish(90))
        target.wait(60)
    true = truth.join()
    print(len(true), sorted(true)[0], outputs)
