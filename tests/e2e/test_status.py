# SPDX-License-Identifier: Apache-2.0
"""What is said of each process: ok, partial or unsupported, the same in ps, doctor, the report and the metrics."""

import json
import os
import re
import subprocess

import pytest

import harness
from harness import MAP_FILE, Process, run, wait_until
from test_daemon import Daemon

STATUSES = ("ok", "partial", "unsupported")


def listed(pid, *flags):
    done = run("ps", "-j", *flags)
    assert done.returncode == harness.EXIT_OK, done.stderr
    return next((p for p in json.loads(done.stdout) if p["pid"] == pid), None)


def doctor(pid, *flags):
    done = run("doctor", "-p", pid, *flags)
    return [line for line in done.stdout.splitlines() if "process %d" % pid in line]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    with Daemon(tmp_path_factory.mktemp("status")) as running:
        yield running


def test_every_supported_interpreter_is_ok(interpreter, daemon):
    with interpreter.start("foobar.py", "--seconds", 60, "--now", stdin=subprocess.DEVNULL) as target:
        socket = ("--control-socket", daemon.socket)
        found = {}

        # The first window may begin before the process's tables are there.
        def good_window():
            found.update(listed(target.pid, *socket) or {})
            return found.get("samples", 0) >= 12 and found["status"] == "ok"

        wait_until(good_window, 20, "a whole window")
        assert found["status"] == "ok" and found["version"] == interpreter.version, found
        assert found["whole_samples"] >= 0.99 * found["samples"]
        assert found["build"].startswith(interpreter.kind), found
        lines = doctor(target.pid, *socket)
        assert len(lines) == 2 and all(line.startswith("ok") for line in lines), lines
        assert "CPython " + interpreter.version in lines[0] and "thread state by" in lines[0]
        assert "are whole" in lines[1]
        report = run("snapshot", "-p", target.pid, "-d", 1, "--no-daemon").stdout
        assert re.search(r"^quality: .*; status: ok;", report, re.M), report[:800]


def test_without_a_daemon_files_alone_decide(any_python, tmp_path):
    with any_python.start("foobar.py", "--seconds", 60, "--now", stdin=subprocess.DEVNULL) as target:
        nobody = ("--control-socket", str(tmp_path / "none.sock"))
        wait_until(lambda: listed(target.pid, *nobody), 10, "the interpreter to be mapped")
        found = listed(target.pid, *nobody)
        assert (found["status"], found["reason"], found["samples"]) == ("ok", "unsampled", 0)
        assert "ok (no samples yet)" in doctor(target.pid, *nobody)[1]


def processes_by_status(daemon):
    found = {}
    for (name, labels), value in daemon.metrics().items():
        if name == "pyebpf_prof_process_status":
            found[tuple(re.findall(r'"([^"]*)"', labels))] = value
    return found


def test_metric_counts_each_process_once(daemon):
    found = processes_by_status(daemon)
    assert len(found) < 100
    assert {status for _, status, _ in found} == set(STATUSES)
    assert not any("pid" in labels for (name, labels) in daemon.metrics() if name == "pyebpf_prof_process_status")
    sampled = sum(v for (_, status, reason), v in found.items() if status == "ok" and not reason)
    assert sampled >= 1  # the daemon itself works, and is sampled


def altered_library(interpreters, path, alter):
    """Copies the libpython of an interpreter with _Py_DebugOffsets, alter(file, position of the struct), to `path`.
    Returns the interpreter, or None if there is none."""
    for interpreter in interpreters:
        if interpreter.series < (3, 13) or interpreter.chroot or interpreter.kind != "shared":
            continue
        with interpreter.start("foobar.py", "--seconds", 60, "--now", stdin=subprocess.DEVNULL) as target:
            wait_until(lambda: listed(target.pid), 10, "the interpreter to be mapped")
            image = listed(target.pid)["image"]
        with open(image, "rb") as file:
            data = bytearray(file.read())
        for match in re.finditer(b"xdebugpy", bytes(data)):
            if data[match.start() + 11] == 3:  # the version in hex: the struct, not the string it is made of
                alter(data, match.start())
        # Another build-id, or the daemon takes it for a file that it knows already.
        note = data.index(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0") + 16
        data[note:note + 20] = os.urandom(20)
        path.write_bytes(data)
        return interpreter
    return None


# Libraries that call themselves CPython and are mapped to be run: a name and no ELF file, and a true one whose own
# offsets were overwritten.
def claiming_files(directory, interpreters):
    garbage = directory / "libpython3.12.so.1.0"
    garbage.write_bytes(b"\x7fELF" + b"not an ELF file" * 1000)
    files = {"unreadable_file": garbage}

    def overwrite(data, start):
        data[start + 24:start + 536] = b"\xff" * 512

    if altered_library(interpreters, directory / "corrupted-libpython", overwrite):
        files["debug_offsets"] = directory / "corrupted-libpython"
    return files


def test_files_that_only_claim_to_be_cpython(interpreters, daemon, tmp_path):
    for reason, path in claiming_files(tmp_path, interpreters).items():
        # Not a Python program: its own interpreter would be the one that counts.
        with Process(["/usr/bin/perl", "-e", MAP_FILE, str(path)], stdin=subprocess.DEVNULL) as target:
            assert target.line() == "up"
            found = listed(target.pid)
            assert found and found["status"] == "unsupported", (path, found)
            assert found["reason"] == reason, found
            lines = doctor(target.pid)
            assert lines[0].startswith("fail") and "unsupported: " + reason in lines[0], lines
            wait_until(lambda: processes_by_status(daemon).get(("python", "unsupported", reason)), 20,
                       "the daemon to see the file")
        assert daemon.child.poll() is None


def test_a_version_of_the_future_says_so(daemon, interpreters, tmp_path):
    def of_the_future(data, start):
        data[start + 10] = 99

    interpreter = altered_library(interpreters, tmp_path / "libpython3.so.1.0", of_the_future)
    if interpreter is None:
        pytest.skip("no shared CPython 3.13 or newer outside of chroots")
    argv = interpreter.argv + ["-c", "import sys\nsys.stdout.write('up\\n'); sys.stdout.flush()\nwhile True: pass"]
    environment = dict(os.environ, LD_PRELOAD=str(tmp_path / "libpython3.so.1.0"))
    with Process(argv, stdin=subprocess.DEVNULL, env=environment) as target:
        assert target.line() == "up"
        found = listed(target.pid)
        assert (found["status"], found["reason"]) == ("unsupported", "version"), found
        report = run("snapshot", "-p", target.pid, "-d", 1, "--no-daemon").stdout
        assert re.search(r"^quality: .*; status: unsupported: version \(", report, re.M), report[:800]
        wait_until(lambda: processes_by_status(daemon).get(("python", "unsupported", "version")), 20,
                   "the daemon to count it")
