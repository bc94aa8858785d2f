# SPDX-License-Identifier: Apache-2.0
"""One pid, several programs: after exec() every sample is named from the new image."""

import json
import os
import shlex

from harness import Capture, count, figure, folded

RATE_HZ = 499
STAGE_S = 0.6


def test_python_python_native(interpreter, native_rec, tmp_path):
    native = interpreter.inside(native_rec)
    interpreter.inside(os.path.join(os.path.dirname(native_rec), "libstep.so"))
    python = interpreter.inner_argv()
    arguments = ["one", STAGE_S, shlex.join([native, "60", str(STAGE_S)]), "--"] + python
    with interpreter.start("exec_chain.py", *arguments) as target:
        assert target.line() == "ready"
        output = tmp_path / "chain.folded"
        with Capture("snapshot", "--pid", target.pid, "-d", 6, "-r", RATE_HZ, "-f", "folded", output=output) as capture:
            capture.started()
            target.go()
            cpu_s = {}
            for _ in range(2):
                stage = json.loads(target.line())
                cpu_s["stage_" + stage["stage"]] = stage["cpu_ns"] / 1e9
            assert target.line() == "ready"
            cpu_s["burn_bottom"] = STAGE_S
            target.wait(60)
            stacks = folded(capture.finish(60))
    for function, seconds in cpu_s.items():
        ratio = count(stacks, function) / (RATE_HZ * seconds)
        figure("exec_%s[%s]" % (function, interpreter.name), ratio)
        assert 0.95 <= ratio <= 1.06, function
