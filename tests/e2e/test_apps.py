# SPDX-License-Identifier: Apache-2.0
"""Applications from PyPI: the profile says what cProfile inside the application says, and what py-spy says."""

import collections
import http.client
import json
import math
import os
import re
import socket
import subprocess
import threading
import time

import pytest

import harness
from harness import Process, Truth, count, figure, folded, names_of, python_frames, snapshot, total, wait_until
from test_frames import judge
from test_native import in_order

RATE_HZ = 499
HERE = os.path.dirname(os.path.abspath(__file__))
FUNCTIONS = ("heavy", "middling", "light")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def answers(port):
    try:
        return get(port, "/") is not None
    except OSError:
        return False


def family(pid):
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        with open("/proc/%d/task/%d/children" % (parent, parent), encoding="ascii") as file:
            found += [int(child) for child in file.read().split()]
    return found


def check_shares(name, stacks, truth, functions, slack=0.1):
    """Shares of the functions among themselves, by samples and by what the program measured itself."""
    expected = {f: truth[f] / sum(truth[g] for g in functions) for f in functions}
    samples = {f: count(stacks, f) for f in functions}
    shares = {f: samples[f] / max(1, sum(samples.values())) for f in functions}
    text = ", ".join("%s %.3f (itself %.3f)" % (f, shares[f], expected[f]) for f in functions)
    figure("app[%s]" % name, sum(samples.values()), "samples", text)
    assert sum(samples.values()) >= 100
    assert all(abs(shares[f] - expected[f]) <= slack for f in functions), text
    assert sorted(functions, key=shares.get)[-1] == sorted(functions, key=expected.get)[-1]


def under_load(argv, port, tmp_path):
    environment = dict(os.environ, PYTHONPATH=harness.WORKLOADS, PYTHONDONTWRITEBYTECODE="1")
    stop = threading.Event()

    def load():
        while not stop.is_set():
            get(port, "/")

    with Process(argv, stderr=subprocess.DEVNULL, env=environment, cwd=str(tmp_path)) as server:
        wait_until(lambda: answers(port), 30, "the server to answer")
        clients = [threading.Thread(target=load) for _ in range(4)]
        for client in clients:
            client.start()
        try:
            pids = family(server.pid)
            others = [part for pid in pids[1:] for part in ("-p", pid)]
            stacks = folded(snapshot(pids[0], tmp_path / "app.folded", *others, seconds=2.5, rate_hz=RATE_HZ))
        finally:
            stop.set()
            for client in clients:
                client.join()
        time.sleep(0.5)  # cProfile of 3.12 on sees all threads: none may still be at a request
        truth = get(port, "/profile")
        server.signal(15)
        server.wait(30)
    return stacks, truth


@pytest.mark.parametrize("name", ["gunicorn-sync", "gunicorn-gthread", "uvicorn"])
def test_servers(venv, name, tmp_path):
    port = free_port()
    bind = "127.0.0.1:%d" % port
    argv = {
        "gunicorn-sync": ["gunicorn", "-b", bind, "-w", "2", "served:app"],
        "gunicorn-gthread": ["gunicorn", "-b", bind, "-k", "gthread", "--threads", "4", "served:app"],
        "uvicorn": ["uvicorn", "--port", str(port), "--log-level", "warning", "served:asgi"],
    }[name]
    stacks, truth = under_load([os.path.join(venv, argv[0])] + argv[1:], port, tmp_path)
    check_shares(name, stacks, truth, FUNCTIONS)
    inside = [s for s in stacks if "handle" in names_of(s[0])]
    assert total(inside) >= 0.6 * total(stacks), "the load is not what dominates"
    caller = "respond" if name == "uvicorn" else "app"
    assert count(inside, caller) == total(inside)
    roots = {python_frames(frames)[0][0] for frames, _ in inside}
    assert roots <= {"<module>", "Thread._bootstrap"}, roots


def run_served(venv, kind, tmp_path):
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", OPENBLAS_NUM_THREADS="1")
    argv = [os.path.join(venv, "python"), os.path.join(harness.WORKLOADS, "served.py"), kind, "6"]
    with Process(argv, env=environment) as target:
        first = json.loads(target.line())
        truth = Truth(target)
        pids = family(target.pid)
        others = [part for pid in pids[1:] for part in ("-p", pid)]
        stacks = folded(snapshot(pids[0], tmp_path / "app.folded", *others, seconds=2.5, rate_hz=RATE_HZ))
        target.wait(60)
        return stacks, first, truth.join()


def test_prefork_pool(venv, tmp_path):
    stacks, truth, _ = run_served(venv, "pool", tmp_path)
    check_shares("pool", stacks, truth, FUNCTIONS)


def test_numpy_and_pandas(venv, tmp_path):
    stacks, truth, _ = run_served(venv, "arrays", tmp_path)
    callers = {f: "arrays.<locals>." + f for f in ("multiplying", "sorting", "grouping")}
    check_shares("arrays", stacks, {q: truth[f] for f, q in callers.items()}, tuple(callers.values()))
    assert count(stacks, *callers.values()) >= 0.95 * count(stacks, "arrays.<locals>.turns")
    native_below(stacks, callers["multiplying"], [r"\S*gemm\S* \[\S*openblas\S*\]"])
    umath = r"\[_multiarray_umath\..*\]"
    native_below(stacks, callers["sorting"], [r"sort \(fromnumeric.*\)", "array_sort " + umath, "PyArray_Sort " + umath])


def native_below(stacks, caller, patterns):
    """Nearly all samples of a Python function have these frames below it, in this order."""
    below = [(frames[names_of(frames).index(caller) + 1:], n) for frames, n in stacks if caller in names_of(frames)]
    right = sum(n for frames, n in below if in_order(patterns, frames))
    figure("native_below[%s]" % caller, 100 * right / total(below), "%", "%d samples" % total(below))
    assert right >= 0.7 * total(below), below[:5]


def test_greenlets(venv, tmp_path):
    """A greenlet's stack is its own: its chain ends at its root, as sys._getframe() has it."""
    stacks, _, truth = run_served(venv, "greenlets", tmp_path)
    judge("gevent", stacks, truth, least=100, cut_share=1)


# ---- py-spy -------------------------------------------------------------------------------------

def own_time(stacks):
    """Samples by the innermost Python function."""
    found = collections.Counter()
    for frames, n in stacks:
        shown = python_frames(frames)
        if shown:
            found[shown[-1][0].rpartition(".")[2], shown[-1][1]] += n
    return found


def py_spy_stacks(text):
    stacks = []
    for line in text.splitlines():
        match = re.fullmatch(r"(.+) (\d+)", line)
        if match:
            frames = [re.sub(r" \((?:.*/)?([^/()]+)\)$", r" (\1)", f) for f in match.group(1).split(";")]
            stacks.append((frames, int(match.group(2))))
    return stacks


def test_py_spy_agrees(interpreter, venv, tmp_path):
    """The 20 functions with most time of their own, in the same seconds of the same process."""
    if interpreter.chroot:
        return
    raw = tmp_path / "spy.txt"
    with interpreter.start("variety.py", 30) as target:
        assert target.line() == "ready"
        time.sleep(0.3)
        spy = subprocess.Popen(
            [os.path.join(venv, "py-spy"), "record", "-p", str(target.pid), "-f", "raw", "--nonblocking", "-r", "250",
             "-d", "5", "-o", str(raw)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        stacks = folded(snapshot(target.pid, tmp_path / "o.folded", "--python-only", seconds=5, rate_hz=RATE_HZ))
        said = spy.communicate(timeout=60)[0].decode("utf-8", "replace")
    if spy.returncode != 0:
        figure("py_spy[%s]" % interpreter.name, "refuses", "", said.strip().splitlines()[-1])
        return
    ours, theirs = own_time(stacks), own_time(py_spy_stacks(raw.read_text(encoding="utf-8")))
    n, m = sum(ours.values()), sum(theirs.values())
    disagree = []
    for key, samples in ours.most_common(20):
        p, q = samples / n, theirs[key] / m
        both = (samples + theirs[key]) / (n + m)
        if abs(p - q) > 3.5 * math.sqrt(both * (1 - both) * (1 / n + 1 / m)) + 0.005:
            disagree.append("%s: %.4f here, %.4f there" % (key[0], p, q))
    figure("py_spy[%s]" % interpreter.name, 20 - len(disagree), "of 20 agree",
           "%d and %d samples; %s" % (n, m, "; ".join(disagree) or "no disagreement"))
    assert n > 500 and len(disagree) <= 2, disagree
