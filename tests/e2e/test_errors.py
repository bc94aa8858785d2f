# SPDX-License-Identifier: Apache-2.0
"""What bad input gets: one clear line, the documented exit code, and nothing lost."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import harness
from harness import Process, run


def one_line_error(done, code, *parts):
    assert done.returncode == code, "exit %d: %s" % (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert lines, "no message"
    for part in parts:
        assert str(part) in done.stderr, done.stderr
    assert "terminate called" not in done.stderr and "Traceback" not in done.stderr


def free_pid():
    with Process(["/bin/true"]) as process:
        process.wait(10)
    return process.pid


@pytest.fixture
def spinning():
    with Process(["/bin/sh", "-c", "while :; do :; done"]) as process:
        yield process.pid


def test_no_such_process(tmp_path):
    pid = free_pid()
    one_line_error(run("snapshot", "--pid", pid, "-d", 1, "-o", tmp_path / "x.txt"), harness.EXIT_NO_PROCESS, pid)


@pytest.mark.parametrize("pid", ["0", "-1", "abc", "99999999999999999999", ""])
def test_pid_that_is_no_pid(pid):
    done = run("snapshot", "--pid", pid, "-d", 1)
    assert done.returncode in (harness.EXIT_USAGE, harness.EXIT_NO_PROCESS), done.stderr
    assert done.stderr.strip()


def test_without_root(tmp_path, spinning):
    # A copy: the build folder may lie below a home that others cannot enter.
    shared = tmp_path / "shared"
    shared.mkdir()
    for folder in [shared] + list(shared.parents)[:3]:
        if os.stat(folder).st_uid == os.geteuid() and str(folder).startswith("/tmp/"):
            os.chmod(folder, 0o755)
    binary = shutil.copy(harness.BINARY, shared)
    done = subprocess.run([binary, "snapshot", "--pid", str(spinning), "-d", "1"], user=65534, group=65534,
                          extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", timeout=30)
    done.stderr = done.stderr.decode()
    one_line_error(done, harness.EXIT_PERMISSION)
    assert re.search(r"root|sudo|CAP_", done.stderr)


@pytest.mark.parametrize("arguments", [
    ["--no-such-flag"], ["-f", "nonsense"], ["-d", "0"], ["-d", "-5"], ["-d", "x"], ["-r", "0"], ["-r", "100000000"],
], ids=lambda a: " ".join(a))
def test_wrong_flags(spinning, arguments):
    done = run("snapshot", "--pid", spinning, "-d", 1, *arguments, limit_s=20)
    one_line_error(done, harness.EXIT_USAGE)


def test_unknown_format_names_the_known_ones(spinning):
    done = run("snapshot", "--pid", spinning, "-d", 1, "-f", "nonsense")
    one_line_error(done, harness.EXIT_USAGE, "nonsense", "folded", "svg")


def test_no_verb_and_unknown_verb():
    for arguments in ([], ["explode"]):
        done = run(*arguments)
        assert done.returncode == harness.EXIT_USAGE
        assert "snapshot" in done.stdout + done.stderr


def test_help_and_version():
    assert "snapshot" in run("--help").stdout
    assert run("snapshot", "--help").returncode == 0
    assert re.search(r"\d+\.\d+\.\d+", run("--version").stdout)


def test_output_folder_that_is_not_there(tmp_path, spinning):
    begin = time.monotonic()
    done = run("snapshot", "--pid", spinning, "-d", 8, "-o", tmp_path / "no" / "where.svg")
    one_line_error(done, harness.EXIT_USAGE, "where.svg")
    assert time.monotonic() - begin < 6, "found out only after sampling"


def test_failed_run_keeps_the_old_output(tmp_path):
    old = tmp_path / "old.svg"
    old.write_text("precious")
    run("snapshot", "--pid", free_pid(), "-d", 1, "-o", old)
    assert old.read_text() == "precious"
    assert os.listdir(tmp_path) == ["old.svg"], "a temporary file was left"


def test_interrupted_run_leaves_no_half_file(tmp_path, spinning):
    old = tmp_path / "old.folded"
    old.write_text("precious")
    with harness.Capture("snapshot", "--pid", spinning, "-d", 60, "-f", "folded", output=old) as capture:
        capture.started()
        capture.signal(signal.SIGTERM)
        capture.wait(10)
    text = old.read_text()
    assert text == "precious" or harness.folded(text.encode())
    assert os.listdir(tmp_path) == ["old.folded"], "a temporary file was left"


def test_full_disk(spinning):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([harness.BINARY, "snapshot", "--pid", str(spinning), "-d", "1", "-f", "folded", "-o", "-"],
                              stdout=full, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode != 0
    assert b"space" in done.stderr.lower()


def test_sleeping_process_has_no_samples(tmp_path):
    with Process(["/bin/sleep", "60"]) as target:
        done = run("snapshot", "--pid", target.pid, "-d", 1, "-o", tmp_path / "x.txt")
        one_line_error(done, harness.EXIT_NO_SAMPLES, target.pid)


def test_process_that_exits_meanwhile(any_python, tmp_path):
    output = tmp_path / "gone.folded"
    with any_python.start("burn.py", 2) as target:
        capture = harness.Capture("snapshot", "--pid", target.pid, "-d", 6, "-f", "folded", output=output)
        with capture:
            stacks = harness.folded(capture.finish(30))
    assert harness.count(stacks, "burn_here") > 20


def test_no_bpf_program_is_left_behind(spinning, tmp_path):
    with harness.Capture("snapshot", "--pid", spinning, "-d", 2, "-f", "folded", output=tmp_path / "x") as capture:
        capture.started()
        ids = harness.bpf_program_ids(capture.pid)
        assert ids and ids <= harness.loaded_program_ids()
        capture.finish(30)
    harness.wait_until(lambda: not ids & harness.loaded_program_ids(), 5, "the programs to be unloaded")


@pytest.mark.parametrize("text,line,word", [
    ("sampling:\n  rate_hz: 19\n  rate_hz: 20\n", 3, "rate_hz"),
    ("sampling:\n  rate_hz: 19\n  colour: red\n", 3, "colour"),
    ("nonsense: 1\n", 1, "nonsense"),
    ("sampling:\n  rate_hz: fast\n", 2, "rate_hz"),
    ("sampling:\n  rate_hz: -3\n", 2, "rate_hz"),
    ("daemon:\n  listen: 0.0.0.0:9917\n", 2, "listen"),
    ("sampling: [1, 2\n", None, ""),
    ("\x00\xff", None, ""),
], ids=["duplicate", "unknown", "unknown-section", "type", "range", "remote-listen", "syntax", "binary"])
def test_bad_configuration(tmp_path, text, line, word):
    path = tmp_path / "config.yaml"
    path.write_bytes(text.encode("latin-1"))
    done = run("daemon", "--config", path, limit_s=20)
    one_line_error(done, harness.EXIT_USAGE, path, word)
    if line:
        assert "%s:%d" % (path, line) in done.stderr


def test_missing_configuration(tmp_path):
    path = tmp_path / "nowhere.yaml"
    one_line_error(run("daemon", "--config", path, limit_s=20), harness.EXIT_USAGE, path)


def test_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = tmp_path / "config.yaml"
        path.write_text("daemon:\n  listen: 127.0.0.1:%d\n  control_socket: %s\n  state_dir: %s\n" % (
            port, tmp_path / "c.sock", tmp_path))
        one_line_error(run("daemon", "--config", path, limit_s=30), harness.EXIT_USAGE, port)


def test_doctor_says_it_works():
    done = run("doctor", limit_s=30)
    assert done.returncode == harness.EXIT_OK, done.stdout + done.stderr
    assert "BTF" in done.stdout
