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


def locals_of(pid, *arguments):
    """{function: {variable: text}}"""
    said = json.loads(dump(pid, "-j", "-l", *arguments))
    return {f["function"].rsplit(".", 1)[-1]: f.get("locals", {}) for t in said["threads"] for f in t["frames"]}


def test_locals_are_those_of_the_interpreter(interpreter):
    with interpreter.start("variables.py") as target:
        truth = json.loads(target.line())
        said = locals_of(target.pid)
        redacted = locals_of(target.pid, "--redact")
        text = dump(target.pid, "--locals")
        longer = locals_of(target.pid, "-l")  # the second one
        target.go()
    assert set(truth) == {"plain", "containers", "outer", "inner", "generator", "drive"}
    compared = 0
    for function, variables in truth.items():
        assert said[function] == variables, function
        compared += len(variables)
    figure("dump_locals[%s]" % interpreter.name, compared, "", "equal to f_locals")
    assert "        small = 7\n" in text and "        password = 'hunter2'\n" in text
    assert longer["plain"]["long_text"] == repr("x" * 500) and longer["containers"]["deep"] == "[[[[1]]]]"
    hidden = redacted["inner"]
    assert hidden["password"] == hidden["api_key"] == "<redacted>" and hidden["plain_name"] == "'shown'"
    assert "db-1" in hidden["connection"] and "xyz" not in hidden["connection"]
    assert redacted["plain"]["long_text"] == repr("x" * 16) + "..."


HOSTILE = """
import threading, time, sys
class Evil(object):
    def __repr__(self): sys.exit("code of the process ran")
Evil.__name__ = "\\x1b[31mEvil\\nnext"
def work(text, data):
    evil, keys, deep = Evil(), {Evil(): 1}, None
    for _ in range(100000): deep = [deep, deep]
    print("ready"); sys.stdout.flush()
    time.sleep(100)
def burn():
    while True:
        grows = []
        for i in range(200): grows.append({i: [str(i)] * 3})
thread = threading.Thread(target=burn); thread.daemon = True; thread.start()
work("\\x1b]2;owned\\x07\\n\\r", b"\\x1b[2J\\x9b")
"""


def test_locals_of_strangers_are_only_text(any_python):
    with harness.Process(any_python.argv + ["-c", HOSTILE]) as target:
        assert target.line() == "ready"
        for _ in range(5):
            text = dump(target.pid, "-ll")
            assert all(character >= " " or character == "\n" for character in text)
            assert "deep = [[[[[...], [...]]" in text and re.search("evil = <__main__.*Evil.* object>", text)
        assert target.child.poll() is None, "it goes on as if nothing had been"


def test_errors(native_rec):
    assert harness.run("dump", "-p", 4194000).returncode == harness.EXIT_NO_PROCESS
    with harness.Process([native_rec, "5", "20"]) as target:
        assert target.line() == "ready"
        assert "not available" in harness.run("dump", "-n", "-p", target.pid).stderr
        done = harness.run("dump", "-p", target.pid)
        assert done.returncode == harness.EXIT_NOT_SUPPORTED
        assert str(target.pid) in done.stderr and done.stderr.count("\n") == 1
