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


# Libraries that call themselves CPython and are mapped to be run: a name and no ELF file, and a true one whose own
# offsets were overwritten.
def claiming_files(directory, interpreters):
    garbage = directory / "libpython3.12.so.1.0"
    garbage.write_bytes(b"\x7fELF" + b"not an ELF file" * 1000)
    files = {"unreadable_file": garbage}
    for interpreter in interpreters:
        if interpreter.series < (3, 13) or interpreter.chroot or interpreter.kind != "shared":
            continue
        with interpreter.start("foobar.py", "--seconds", 60, "--now", stdin=subprocess.DEVNULL) as target:
            wait_until(lambda: listed(target.pid), 10, "the interpreter to be mapped")
            image = listed(target.pid)["image"]
        with open(image, "rb") as file:
            data = bytearray(file.read())
        at = [m.start() for m in re.finditer(b"xdebugpy", bytes(data))]
        for start in at:
            if data[start + 11] == 3:  # the version in hex: the struct, not the string it is made of
                data[start + 24:start + 536] = b"\xff" * 512
        # Or the daemon takes it for the file it knows already.
        note = data.index(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0") + 16
        data[note:note + 20] = b"corrupted, not real."
        corrupted = directory / ("corrupted-" + os.path.basename(image))
        corrupted.write_bytes(data)
        files["debug_offsets"] = corrupted
        break
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


def test_an_interpreter_too_old_says_so(daemon):
    script = os.path.join(harness.REPO, "tests", "interpreters.sh")
    done = subprocess.run([script, os.path.join(harness.BUILD, "interpreters")], stdout=subprocess.PIPE, check=True)
    unsupported = [e for e in json.loads(done.stdout) if not e["supported"] and not e["chroot"]]
    if not unsupported:
        pytest.skip("every interpreter of this machine is supported")
    entry = harness.Interpreter(unsupported[0])
    argv = entry.argv + ["-c", "import sys\nsys.stdout.write('up\\n'); sys.stdout.flush()\nwhile True: pass"]
    with Process(argv, stdin=subprocess.DEVNULL) as target:
        assert target.line() == "up"
        found = listed(target.pid)
        assert (found["status"], found["reason"]) == ("unsupported", "version"), found
        report = run("snapshot", "-p", target.pid, "-d", 1, "--no-daemon").stdout
        assert re.search(r"^quality: .*; status: unsupported: version \(", report, re.M), report[:800]
        wait_until(lambda: processes_by_status(daemon).get(("python", "unsupported", "version")), 20,
                   "the daemon to count it")
