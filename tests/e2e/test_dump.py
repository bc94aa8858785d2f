# SPDX-License-Identifier: Apache-2.0
"""`dump`: where each thread is, the waiting ones too, without stopping the process."""

import json
import re

import harness
from harness import figure


def dump(pid, *arguments):
    done = harness.run("dump", "-p", pid, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_stacks_are_those_of_the_interpreter(interpreter):
    with interpreter.start("waiting.py") as target:
        truth = json.loads(target.line())
        said = json.loads(dump(target.pid, "-j"))
        target.go()
    assert said["python"].startswith("%d.%d" % interpreter.series)
    threads = {thread["name"]: thread for thread in said["threads"]}
    for name, places in truth.items():
        thread = threads[name]
        read = [[f["function"], f["file"].rsplit("/", 1)[-1], f["line"]] for f in thread["frames"]]
        assert read == places, name
        assert thread["stable"] and thread["whole"] and thread["state"] == "sleeping"
    assert threads["computes"]["frames"][-1]["function"].endswith(("_bootstrap", "__bootstrap"))
    assert [f["function"] for f in threads["MainThread"]["frames"]][-1] == "<module>"
    figure("dump_threads[%s]" % interpreter.name, len(threads), "", "equal to sys._current_frames()")


def test_text_is_like_a_thread_dump(any_python):
    with any_python.start("waiting.py") as target:
        truth = json.loads(target.line())
        text = dump(target.pid)
        target.go()
    assert re.match(r"Process %d: .*waiting.py\nCPython \d" % target.pid, text), text
    blocks = {m.group(2): m.group(3) for m in re.finditer(r'^Thread (\d+) "(.*)" \(.+\).*\n((?:    .*\n)+)', text, re.M)}
    assert len(blocks) == 7
    expected = "".join("    %s (%s:%d)\n" % tuple(place) for place in truth["waits-1"])
    assert blocks["waits-1"] == expected


def test_errors(native_rec):
    assert harness.run("dump", "-p", 4194000).returncode == harness.EXIT_NO_PROCESS
    with harness.Process([native_rec, "5", "20"]) as target:
        assert target.line() == "ready"
        done = harness.run("dump", "-p", target.pid)
        assert done.returncode == harness.EXIT_NOT_SUPPORTED
        assert str(target.pid) in done.stderr and done.stderr.count("\n") == 1
