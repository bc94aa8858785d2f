# SPDX-License-Identifier: Apache-2.0
"""The daemon: metrics that pass promtool and add up, snapshots through its socket, and ends of every kind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import harness
from harness import (BINARY, Process, bpf_program_ids, count, cpu_clock_ns, figure, folded, left_behind, loaded_program_ids, settle,
                     wait_until)

CYCLES = int(os.environ.get("PYEBPF_CYCLES", "100"))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Daemon(Process):
    def __init__(self, directory, extra=""):
        self.port = free_port()
        self.socket = str(directory / "control.sock")
        self.config = str(directory / "config.yaml")
        self.log = open(directory / "daemon.log", "ab")
        self.configure(extra, directory)
        super().__init__([BINARY, "daemon", "--config", self.config], stdin=subprocess.DEVNULL, stderr=self.log)

    def configure(self, extra="", directory=None):
        directory = directory or os.path.dirname(self.config)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("daemon:\n  listen: 127.0.0.1:%d\n  control_socket: %s\n  state_dir: %s\n"
                       "  window_seconds: 1\n%s" % (self.port, self.socket, directory, extra))

    def __enter__(self):
        try:
            wait_until(self.ready, 30, "the daemon to be ready (see daemon.log)")
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        super().__exit__()
        self.log.close()

    def ready(self):
        assert self.child.poll() is None, "the daemon ended with %s" % self.child.returncode
        return self.get("/readyz")[0] == 200

    def get(self, path, method="GET"):
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.port, path), method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode("utf-8")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")
        except OSError:
            return 0, ""

    def metrics(self):
        """{(name, label text): value}"""
        status, text = self.get("/metrics")
        assert status == 200
        found = {}
        for line in text.splitlines():
            match = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
            if match:
                found[match[1], match[2] or ""] = float(match[3])
        return found

    def sum(self, name, part=""):
        return sum(v for (n, labels), v in self.metrics().items() if n == name and part in labels)


@pytest.fixture
def daemon(tmp_path):
    with Daemon(tmp_path) as running:
        yield running


def test_metrics_pass_promtool(daemon):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (package prometheus)")
    status, text = daemon.get("/metrics")
    assert status == 200
    done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=30)
    assert (done.returncode, done.stdout) == (0, b"")
    assert 'pid="' not in text, "no label may be a pid"


def test_http_serves_three_paths_only(daemon):
    for path in ("/metrics", "/healthz", "/readyz"):
        assert daemon.get(path)[0] == 200
        assert daemon.get(path, "HEAD")[0] == 200
        assert daemon.get(path, "POST")[0] == 405
    for path in ("/", "/debug/pprof", "/metrics/../etc/passwd", "/snapshot"):
        assert daemon.get(path)[0] == 404


def test_cpu_seconds_are_those_of_the_kernel(daemon, any_python):
    group = 'group="foobar'
    name = "pyebpf_prof_process_cpu_seconds_total"
    with any_python.start("foobar.py", "--seconds", 30, "--now") as target:
        assert target.line() == "ready"
        wait_until(lambda: daemon.sum(name, group) > 1, 30, "CPU seconds of %s" % group)
        first, begin = daemon.sum(name, group), cpu_clock_ns(target.pid)
        time.sleep(10)
        last, end = daemon.sum(name, group), cpu_clock_ns(target.pid)
    ratio = (last - first) / ((end - begin) / 1e9)
    figure("metric_cpu_over_kernel", ratio, "", "10 s, windows of 1 s")
    # A counter lags by up to one window on either side.
    assert 0.85 <= ratio <= 1.15


def test_snapshot_through_the_daemon(daemon, any_python, tmp_path):
    output = tmp_path / "via.folded"
    with any_python.start("foobar.py", "--seconds", 20, "--now") as target:
        assert target.line() == "ready"
        programs = bpf_program_ids(daemon.pid)
        assert programs, "the daemon holds no BPF program"
        argv = ["snapshot", "--config", daemon.config, "--pid", target.pid, "-d", 3, "-r", 99, "-f", "folded"]
        with harness.Capture(*argv, output=output) as capture:
            time.sleep(1.5)
            assert not bpf_program_ids(capture.pid), "a second sampler beside the daemon"
            stacks = folded(capture.finish(30))
    share = count(stacks, "foo") / (count(stacks, "foo") + count(stacks, "bar"))
    figure("foo_share_through_daemon", share)
    assert 0.65 < share < 0.85


def test_groups_through_the_daemon(daemon, any_python, tmp_path):
    """The daemon tells samples apart for who asks, and filters for who asks."""
    with any_python.start("gil_fight.py", 20) as target:
        assert target.line() == "ready"
        target.go()
        argv = ["snapshot", "--config", daemon.config, "--pid", target.pid, "-d", 2, "-f", "folded"]
        with harness.Capture(*argv, "--by", "gil", output=tmp_path / "by.folded") as capture:
            roots = {frames[0] for frames, _ in folded(capture.finish(30))}
        with harness.Capture(*argv, "-g", output=tmp_path / "g.folded") as capture:
            holders = folded(capture.finish(30))
    assert {"gil held", "gil released"} <= roots
    assert count(holders, "hold") > 10 * count(holders, "release")


def test_sigterm_ends_cleanly(tmp_path):
    with Daemon(tmp_path) as daemon:
        ids = bpf_program_ids(daemon.pid)
        begin = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait(10) == 0
        figure("daemon_stop", time.monotonic() - begin, "s")
    assert not os.path.exists(daemon.socket)
    wait_until(lambda: not ids & loaded_program_ids(), 5, "the programs to be unloaded")


def test_sigkill_leaves_nothing_and_the_next_one_starts(tmp_path, any_python):
    with any_python.start("foobar.py", "--seconds", 60, "--now") as target:
        assert target.line() == "ready"
        settle()
        before = left_behind(None)
        with Daemon(tmp_path) as daemon:
            daemon.signal(signal.SIGKILL)
            daemon.wait(10)
        settle()
        assert not left_behind(before)
        assert target.child.poll() is None, "the profiled process died with the daemon"
        with Daemon(tmp_path) as second:
            assert second.get("/healthz")[0] == 200


def test_second_daemon_is_refused(daemon, tmp_path):
    done = harness.run("daemon", "--config", daemon.config, limit_s=20)
    assert done.returncode == harness.EXIT_USAGE, done.stderr
    assert daemon.get("/healthz")[0] == 200


def test_sighup_reloads(daemon):
    name = "pyebpf_prof_config_last_reload_successful"
    rate = "pyebpf_prof_sampling_rate_hertz"
    assert daemon.sum(rate, 'kind="requested"') == 19
    daemon.configure("sampling:\n  rate_hz: 49\n")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.sum(rate, 'kind="requested"') == 49, 10, "the new rate")
    assert daemon.sum(name) == 1
    daemon.configure("sampling:\n  rate_hz: 49\n  rate_hz: 50\n")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.sum(name) == 0, 10, "the bad configuration to be noticed")
    assert daemon.sum(rate, 'kind="requested"') == 49, "a bad configuration changes nothing"


def test_many_starts_and_stops(tmp_path):
    settle()
    before = left_behind(None)
    slowest = 0.0
    for _ in range(CYCLES):
        begin = time.monotonic()
        with Daemon(tmp_path) as daemon:
            slowest = max(slowest, time.monotonic() - begin)
            assert left_behind(before), "a running daemon has programs"
            daemon.signal(signal.SIGTERM)
            assert daemon.wait(10) == 0
    settle()
    assert not left_behind(before), "of %d daemons" % CYCLES
    figure("daemon_ready_slowest", slowest, "s", "of %d starts" % CYCLES)


def test_idle_cost(daemon):
    pid = daemon.pid
    begin = cpu_clock_ns(pid)
    time.sleep(5)
    cpu = (cpu_clock_ns(pid) - begin) / 5e9
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        rss_mb = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024
    figure("daemon_cpu_19hz", 100 * cpu, "% of a core")
    figure("daemon_rss", rss_mb, "MiB")
    assert rss_mb < 100
