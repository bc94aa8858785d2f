# SPDX-License-Identifier: Apache-2.0
"""The text report beside the figures that other tests look at: source text, and its length."""

import json
import os
import subprocess

import pytest

import harness
from harness import figure, run, tokens_of


def source_line(path, line):
    with open(path, encoding="utf-8") as file:
        return file.read().split("\n")[line - 1].strip()


def hot_lines(path, file_name):
    """[(line, text)] of the report's rows of that file."""
    rows = json.loads(path.read_text(encoding="utf-8"))["lines"]
    places = [(row["place"].rsplit(":", 1), row["source"]) for row in rows]
    return [(int(line), text) for (name, line), text in places if name == file_name]


@pytest.mark.parametrize("where", ["host", "chroot"])
def test_hot_lines_have_their_source_text(interpreters, any_python, where, tmp_path):
    chroots = [i for i in interpreters if i.chroot]
    if where == "chroot" and not chroots:
        pytest.skip("no interpreter in a chroot here")
    interpreter = any_python if where == "host" else chroots[-1]
    with interpreter.start("foobar.py", "--seconds", 4) as target:
        target.line()
        target.go()
        done = run("snapshot", "-p", target.pid, "-d", 1.5, "-o", tmp_path / "r.json", "-o", tmp_path / "r.txt")
    assert done.returncode == 0, done.stderr
    lines = hot_lines(tmp_path / "r.json", "foobar.py")
    assert lines
    for line, text in lines:
        assert text == source_line(os.path.join(harness.WORKLOADS, "foobar.py"), line)
    assert "| i += 1\n" in (tmp_path / "r.txt").read_text(encoding="utf-8")


def test_a_command_that_has_ended_has_it_too(any_python, tmp_path):
    program = tmp_path / "job.py"
    program.write_text("import time\nend = time.time() + 1\nwhile time.time() < end:\n    sum(range(1000))\n", encoding="utf-8")
    done = subprocess.run([harness.BINARY, "record", "--no-daemon", "-o", str(tmp_path / "r.json"), "--"] +
                          any_python.argv + [str(program)], stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert (4, "sum(range(1000))") in hot_lines(tmp_path / "r.json", "job.py")
    for line, text in hot_lines(tmp_path / "r.json", "job.py"):
        assert text == source_line(program, line)


def test_a_process_cannot_have_any_file_shown(any_python, tmp_path):
    """The file name of a code object is the process's own text."""
    secret = tmp_path / "secret"
    secret.write_text("the password\n" * 3, encoding="utf-8")
    program = tmp_path / "liar.py"
    program.write_text("import time\nend = time.time() + 1\n"
                       "exec(compile('while time.time() < end: pass', %r, 'exec'))\n" % str(secret), encoding="utf-8")
    done = subprocess.run([harness.BINARY, "record", "--no-daemon", "-o", str(tmp_path / "r.json"), "--"] +
                          any_python.argv + [str(program)], stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert hot_lines(tmp_path / "r.json", "secret") == [(1, "")]
    assert "password" not in (tmp_path / "r.json").read_text(encoding="utf-8")


def test_a_language_model_gets_few_tokens(any_python, node_modules, tmp_path):
    outputs = [tmp_path / "r.txt", tmp_path / "r.md"]
    with any_python.start("foobar.py", "--threads", 4, "--seconds", 6) as target:
        target.line()
        target.go()
        done = run("snapshot", "-p", target.pid, "-n", "-d", 3, *[word for path in outputs for word in ("-o", path)])
    assert done.returncode == 0, done.stderr
    for path in outputs:
        tokens = tokens_of(path.read_text(encoding="utf-8"), node_modules)
        figure("report_tokens[%s]" % path.suffix, tokens)
        assert tokens <= 6000


def test_the_length_asked_for_is_kept(node_modules, tmp_path):
    path = tmp_path / "wide.folded"
    with open(path, "w", encoding="utf-8") as file:
        for i in range(4000):
            file.write(";".join("layer_%d_of_the_service (layer%d.py:%d)" % (i % (d + 2), d, i % 50 + 1) for d in range(12)))
            file.write(" %d\n" % (i % 7 + 1))
    lengths = {}
    for tokens in (1000, 3000, 6000, 20000):
        done = run("convert", path, "-f", "md", "--max-tokens", tokens)
        assert done.returncode == 0, done.stderr
        lengths[tokens] = tokens_of(done.stdout, node_modules)
        assert lengths[tokens] <= tokens
    assert lengths[20000] > lengths[6000] > lengths[3000] > lengths[1000]
    asked = run("convert", path, "-f", "md", "--with-prompt").stdout
    assert asked.startswith("# CPU profile") and "## 9 Findings" in asked and tokens_of(asked, node_modules) <= 6300
