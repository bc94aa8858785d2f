# SPDX-License-Identifier: Apache-2.0
"""Debug files from a server: elfutils' own debuginfod on loopback, and servers that are up to no good."""

import contextlib
import http.server
import os
import re
import subprocess
import threading
import time

import harness
import pytest
from harness import Process, folded, snapshot, total, wait_until
from test_daemon import Daemon, free_port

CHAIN = ["outer", "middle", "innermost"]


def build(directory, *flags):
    """A stripped program, and its debug file somewhere else: (program, folder of the debug file, build-id)."""
    served = directory / "served"
    served.mkdir(parents=True)
    program = harness.compile_cpp("inlined.cpp", directory / "program", "-g", *flags)
    subprocess.run(["objcopy", "--only-keep-debug", program, str(served / "program.debug")], check=True)
    subprocess.run(["strip", program], check=True)
    notes = subprocess.check_output(["readelf", "-n", program]).decode()
    return program, served, re.search(r"Build ID: ([0-9a-f]+)", notes)[1]


@contextlib.contextmanager
def debuginfod(folder, build_id):
    """elfutils' server; the address, and what it logs."""
    port = free_port()
    log = folder.parent / "debuginfod.log"
    argv = ["debuginfod", "-p", str(port), "-d", ":memory:", "-F", str(folder), "-v"]
    with open(log, "wb") as out, Process(argv, stdin=subprocess.DEVNULL, stderr=out) as server:
        url = "http://127.0.0.1:%d" % port
        find = ["curl", "-sf", "-o", os.devnull, "%s/buildid/%s/debuginfo" % (url, build_id)]
        wait_until(lambda: subprocess.run(find, check=False).returncode == 0, 60, "debuginfod to have read its files")
        assert server.child.poll() is None
        yield url, log


@contextlib.contextmanager
def web_server(answer):
    """`answer(handler)` deals with each request; the address, and the paths that were asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            answer(self)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "http://127.0.0.1:%d" % server.server_address[1], asked
        server.shutdown()


def config(directory, url):
    path = directory / "debuginfod.yaml"
    path.write_text("daemon:\n  state_dir: %s\nsymbols:\n  debuginfod_urls: %s\n" % (directory / "state", url))
    return path


def named(stacks):
    """Samples that show the inlined functions one below the other."""
    def right(frames):
        return [re.sub(r"\(.*?\)(::)?", "", f).split(" ")[0] for f in frames[-3:]] == CHAIN
    return sum(n for frames, n in stacks if right(frames))


def test_names_and_lines_come_from_the_server(tmp_path):
    program, served, build_id = build(tmp_path)
    with debuginfod(served, build_id) as (url, log), Process([program, "60"]) as target:
        assert target.line() == "ready"
        seen = log.read_bytes().count(b"elfutils/")
        without = folded(snapshot(target.pid, tmp_path / "without.folded", seconds=1))
        assert named(without) == 0
        assert log.read_bytes().count(b"elfutils/") == seen, "a server was asked though none is configured"
        flags = ["-c", str(config(tmp_path, url)), "--no-daemon"]
        stacks = folded(snapshot(target.pid, tmp_path / "with.folded", *flags, seconds=2))
        report = snapshot(target.pid, tmp_path / "with.txt", *flags, seconds=1, form="text").decode()
    assert named(stacks) >= 0.9 * total(stacks), stacks
    assert "inlined.cpp:" in report
    # Who spoke with the server was not root.
    kept = tmp_path / "state" / "debuginfod" / build_id / "debuginfo"
    assert kept.stat().st_uid == 65532 and kept.stat().st_mode & 0o077 == 0


def test_a_daemon_has_the_names_in_a_later_profile(tmp_path):
    program, served, build_id = build(tmp_path)
    with debuginfod(served, build_id) as (url, _), Process([program, "120"]) as target:
        assert target.line() == "ready"
        with Daemon(tmp_path, "symbols:\n  debuginfod_urls: %s\n" % url) as daemon:
            wait_until(lambda: daemon.sum("pyebpf_prof_debug_files_total", 'result="found"') >= 1, 60, "the debug file")
            shares = []

            def has_names():
                stacks = folded(snapshot(target.pid, tmp_path / "by.folded", "--config", daemon.config, seconds=1))
                shares.append(named(stacks) / max(1, total(stacks)))
                return shares[-1] >= 0.9

            wait_until(has_names, 30, "names from the debug file in a snapshot")


def other_debug_file(directory):
    _, served, _ = build(directory / "other", "-O2", "-DOTHER=1")
    return (served / "program.debug").read_bytes()


def send(handler, status, body=b""):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize("kind", ["missing", "garbage", "other program's", "broken off"])
def test_a_bad_server_costs_its_names_only(kind, tmp_path):
    program, _, build_id = build(tmp_path)
    other = other_debug_file(tmp_path)

    def answer(handler):
        if build_id not in handler.path or kind == "missing":
            send(handler, 404)
        elif kind == "broken off":
            handler.send_response(200)
            handler.send_header("Content-Length", "1000000")
            handler.end_headers()
            handler.wfile.write(other[:1000])
        else:
            send(handler, 200, other if kind == "other program's" else os.urandom(100_000))

    with web_server(answer) as (url, asked), Process([program, "60"]) as target:
        assert target.line() == "ready"
        begin = time.monotonic()
        stacks = folded(snapshot(target.pid, tmp_path / "bad.folded", "-c", str(config(tmp_path, url)), "--no-daemon",
                                 seconds=1))
        assert time.monotonic() - begin < 45
    assert any(build_id in path for path in asked)
    assert total(stacks) > 0 and named(stacks) == 0
    assert all(f.startswith("0x") for frames, _ in stacks for f in frames if f.endswith(" [program]")), stacks
