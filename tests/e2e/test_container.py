# SPDX-License-Identifier: Apache-2.0
"""A process in a container's cgroup carries the container's id in every output."""

import os
import re
import secrets
import time

import pytest

import pprof_reader
from harness import Process, figure, run, wait_until
from test_daemon import Daemon


def cgroup_root():
    """The hierarchy that accounts CPU: version 1's cpuacct if it is mounted, else version 2."""
    found = {}
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            fields, _, rest = line.partition(" - ")
            kind, _, options = rest.split()[:3]
            if kind == "cgroup" and "cpuacct" in options.split(","):
                found["v1"] = fields.split()[4]
            elif kind == "cgroup2":
                found["v2"] = fields.split()[4]
    return found.get("v1") or found.get("v2")


@pytest.fixture
def container():
    """(id, cgroup directory) as docker would make it; removed afterwards."""
    root = cgroup_root()
    assert root, "no cgroup hierarchy is mounted"
    name = secrets.token_hex(32)
    parent = os.path.join(root, "docker")
    made_parent = not os.path.isdir(parent)
    directory = os.path.join(parent, name)
    os.makedirs(directory)
    yield name, directory
    wait_until(lambda: not open(os.path.join(directory, "cgroup.procs"), encoding="utf-8").read(), 10, "the cgroup to be empty")
    os.rmdir(directory)
    if made_parent:
        os.rmdir(parent)


def enter(directory, pid):
    with open(os.path.join(directory, "cgroup.procs"), "w", encoding="utf-8") as file:
        file.write(str(pid))


def test_outputs_name_the_container(any_python, container, tmp_path):
    name, directory = container
    with any_python.start("foobar.py", "--now", "--threads", 1, "--seconds", 20) as target:
        assert target.line() == "ready"
        enter(directory, target.pid)
        done = run("snapshot", "--no-daemon", "-p", target.pid, "-d", 2, "-o", tmp_path / "c.txt", "-o", tmp_path / "c.pb.gz")
        assert done.returncode == 0, done.stderr
        listed = run("ps")
    assert "container " + name[:12] in (tmp_path / "c.txt").read_text(encoding="utf-8")
    assert name[:12] in listed.stdout if isinstance(listed.stdout, str) else name[:12].encode() in listed.stdout
    assert name.encode() in pprof_reader.gzip.decompress((tmp_path / "c.pb.gz").read_bytes())


def test_metrics_charge_the_container(any_python, container, tmp_path):
    name, directory = container
    with Daemon(tmp_path) as daemon:
        inside = ["sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', directory]
        script = [any_python.path("foobar.py"), "--now", "--threads", "1", "--seconds", "20"]
        with Process(inside + any_python.argv + script) as target:
            assert target.line() == "ready"
            begin = time.monotonic()
            time.sleep(5)
            page = daemon.get("/metrics")[1]
            seconds = time.monotonic() - begin
    page = page.decode("utf-8") if isinstance(page, bytes) else page
    series = re.findall(r'^pyebpf_prof_container_cpu_seconds_total\{container="%s",([^}]*)\} (\S+)$' % name, page, re.M)
    assert len(series) == 1 and 'runtime="docker"' in series[0][0], series
    figure("container_cpu", float(series[0][1]), "s", "of %.2f s" % seconds)
    assert 0.5 * seconds < float(series[0][1]) <= seconds + 0.5
    assert 'group="foobar.py",container="%s"' % name in page
