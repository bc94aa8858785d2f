# SPDX-License-Identifier: Apache-2.0
"""record and snapshot with the flags of py-spy: command lines from its manual work with the name changed."""

import json
import re

import pytest

import harness
from harness import Process, count, figure, folded, names_of, run, total

RATE_HZ = 499


def family(stacks, spent):
    """Samples of each stage next to what its process says of itself."""
    return {stage: count(stacks, stage) / (RATE_HZ * seconds) for stage, seconds in spent.items()}


def test_subprocesses(any_python, tmp_path):
    """Those there are, those to come and theirs; but nobody else."""
    with any_python.start("family.py") as target, any_python.start("foobar.py", "--seconds", "30") as stranger:
        assert target.line() == stranger.line() == "ready"
        stranger.go()
        arguments = ["record", "-p", target.pid, "-s", "-d", 40, "-r", RATE_HZ, "-f", "folded"]
        with harness.Capture(*arguments, output=tmp_path / "s.folded") as capture:
            capture.started()
            target.go()
            spent = json.loads(target.line())
            stacks = folded(capture.finish(60))
    shares = family(stacks, spent)
    figure("subprocesses", min(shares.values()), "", ", ".join("%s %.3f" % item for item in sorted(shares.items())))
    assert len(spent) >= 6
    assert all(0.85 <= share <= 1.15 for share in shares.values()), shares
    assert not [frames for frames, _ in stacks if "foo" in names_of(frames)]


CHILD = """
import os
parent = os.getpid()
def in_child():
    while os.getppid() == parent:
        for _ in range(10000): pass
if os.fork() == 0:
    in_child()
    os._exit(0)
print("ready", flush=True)
os.wait()
"""


def test_children_that_are_there_already(any_python, tmp_path):
    with Process(any_python.argv + ["-c", CHILD]) as target:
        assert target.line() == "ready"
        both = folded(harness.snapshot(target.pid, tmp_path / "b.folded", "-s", seconds=1))
        alone = run("snapshot", "-p", target.pid, "-d", 1, "-f", "folded")
    assert count(both, "in_child") >= 0.9 * total(both) > 50
    assert alone.returncode == harness.EXIT_NO_SAMPLES


def test_a_commands_children_are_recorded(any_python, tmp_path):
    program = "import sys, time\nend = time.process_time() + float(sys.argv[1])\ndef %s():\n  while time.process_time() < end: pass\n%s()\n"
    commands = ["%s -c '%s' 0.5" % (" ".join(any_python.argv), program % (name, name)) for name in ("first", "second")]
    done = run("record", "-r", RATE_HZ, "-o", tmp_path / "r.folded", "--", "sh", "-c", " & ".join(commands) + "; wait")
    assert done.returncode == 0, done.stderr
    stacks = folded((tmp_path / "r.folded").read_bytes())
    for name in ("first", "second"):
        assert 0.8 <= count(stacks, name) / (RATE_HZ * 0.5) <= 1.2, (name, total(stacks))


def test_lines_of_the_def_or_none(any_python, tmp_path):
    with any_python.start("foobar.py", "--seconds", "30") as target:
        assert target.line() == "ready"
        target.go()
        shown = {flag: folded(harness.snapshot(target.pid, tmp_path / "l.folded", flag, seconds=1))
                 for flag in ("-F", "--nolineno")}
    work = {frame for frames, _ in shown["-F"] for frame in frames if frame.startswith("work ")}
    assert work == {"work (foobar.py:%d)" % line_of("def work")}
    assert {frame for frames, _ in shown["--nolineno"] for frame in frames if frame.startswith("work ")} == {
        "work (foobar.py)"}


def line_of(text):
    with open(harness.WORKLOADS + "/foobar.py", encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if line.startswith(text))


# As in py-spy's README and --help; PID and the file's folder are filled in, and one second is enough.
PY_SPY = (
    "record -o {dir}/profile.svg --pid {pid} -d 1",
    "record -o {dir}/profile.svg --format flamegraph -d 1 -p {pid}",
    "record --native -o {dir}/profile.svg -d 1 --pid {pid}",
    "record --format speedscope -o {dir}/profile.json -d 1 -r 200 -p {pid}",
    "record -f raw -o {dir}/profile.txt --gil --threads --nonblocking --subprocesses -d 1 -p {pid}",
    "record --function --full-filenames -o {dir}/profile.svg -d 1 -p {pid}",
    "record -r 50 -F --nolineno -t -g -n -s -d 1 -o {dir}/profile.svg -p {pid}",
    "dump --pid {pid}",
    "dump -p {pid} --json",
    "dump --locals -p {pid}",
    "dump --nonblocking --full-filenames -p {pid}",
)


@pytest.mark.parametrize("line", PY_SPY)
def test_command_lines_of_py_spy(any_python, line, tmp_path):
    with any_python.start("foobar.py", "--seconds", "30") as target:
        assert target.line() == "ready"
        target.go()
        done = run(*line.format(dir=tmp_path, pid=target.pid).split())
    assert done.returncode == 0, done.stderr
    made = list(tmp_path.iterdir())
    assert len(made) == line.count("-o ")
    said = made[0].read_text(encoding="utf-8") if made else done.stdout
    assert re.search(r"\b(foo|work)\b", said)
