# SPDX-License-Identifier: Apache-2.0
"""What samples say beside their stacks: GIL, garbage collector, asyncio task, interpreter. The programs say the truth,
by the clocks of their threads."""

import json
import signal
import subprocess
import time

import pytest
from harness import (
    EXIT_NOT_SUPPORTED, EXIT_USAGE, Capture, Process, figure, folded, names_of, run, snapshot, total)
from pprof_reader import Profile

RATE_HZ = 499
SECONDS = 3
FIRST_WITH_TASKS = (3, 14)  # CPython tells the running task


def whole_run(interpreter, tmp_path, workload, *flags, form="folded"):
    """The output over everything the workload does, and what it printed at its end."""
    with interpreter.start(workload, SECONDS) as target:
        assert target.line() == "ready"
        arguments = ["snapshot", "--pid", target.pid, "-d", SECONDS + 30, "-r", RATE_HZ, "-f", form] + list(flags)
        with Capture(*arguments, output=tmp_path / "out") as capture:
            capture.started()
            target.go()
            lines = [target.line()]
            while not lines[-1].startswith("{"):
                lines.append(target.line())
            capture.signal(signal.SIGINT)
            return capture.finish(60), json.loads(lines[-1])


def groups(stacks):
    """Samples by the first frame."""
    found = {}
    for frames, n in stacks:
        found[frames[0]] = found.get(frames[0], 0) + n
    return found


def test_gil(interpreter, tmp_path):
    raw, truth = whole_run(interpreter, tmp_path, "gil_fight.py", "--by", "gil")
    found = groups(folded(raw))
    running = "gil free-threaded" if interpreter.free_threaded else "gil held"
    held = found.get(running, 0)
    share = held / sum(found.values())
    expected = truth["held_s"] / (truth["held_s"] + truth["released_s"])
    figure("gil_held_share[%s]" % interpreter.name, share, "", "threads' clocks %.4f, %s" % (expected, found))
    assert set(found) <= {running, "gil released", "gil wanted", "gil [unknown]"}
    assert abs(share - expected) <= 0.05
    for frames, n in folded(raw):
        if frames[0] == running:
            assert "release" not in names_of(frames) or n <= 0.02 * held, frames


def test_only_gil_holders(any_python, tmp_path):
    raw, _ = whole_run(any_python, tmp_path, "gil_fight.py", "-g")
    stacks = folded(raw)
    hashing = sum(n for frames, n in stacks if "release" in names_of(frames))
    figure("gil_holders_in_hash", hashing / total(stacks))
    assert total(stacks) > 100
    assert hashing <= 0.05 * total(stacks)


@pytest.mark.since(3, 9)
def test_gc(interpreter, tmp_path):
    raw, truth = whole_run(interpreter, tmp_path, "gc_loop.py", "--by", "gc", "-t")
    stacks = folded(raw)
    main = [(frames, n) for frames, n in stacks if "other" not in names_of(frames)]
    share = groups(main).get("gc running", 0) / total(main)
    expected = truth["gc_s"] / truth["cpu_s"]
    beside = [(frames, n) for frames, n in stacks if "other" in names_of(frames)]
    wrong = groups(beside).get("gc running", 0)
    figure("gc_share[%s]" % interpreter.name, share, "", "gc.callbacks %.4f; beside: %d of %d" % (
        expected, wrong, total(beside)))
    assert abs(share - expected) <= 0.05
    assert wrong <= 0.01 * total(beside)


@pytest.mark.since(3, 11)
def test_tasks(interpreter, tmp_path):
    raw, truth = whole_run(interpreter, tmp_path, "tasks.py", "--by", "task")
    found = groups(folded(raw))
    figure("task_groups[%s]" % interpreter.name, json.dumps(found, ensure_ascii=False))
    if interpreter.series < FIRST_WITH_TASKS:
        assert set(found) == {"task [not told before CPython 3.14]"}
        return
    named = {"unnamed" if name.startswith("task Task-") else name[5:]: n for name, n in found.items()}
    for name, seconds in truth.items():
        shown = name if len(name) <= 96 else name[:96] + "\u2026"
        share, expected = named[shown] / sum(found.values()), seconds / sum(truth.values())
        figure("task_share[%s] %s" % (interpreter.name, name[:12]), share, "", "thread clock %.4f" % expected)
        assert abs(share - expected) <= 0.05, name
    assert "task [unnamed]" not in found


@pytest.mark.since(3, 9)
def test_interpreters(interpreter, tmp_path):
    raw, ids = whole_run(interpreter, tmp_path, "subinterpreters.py", "--by", "interpreter")
    stacks = folded(raw)
    right = {name: 0 for name in ids}
    wrong = 0
    for frames, n in stacks:
        for name in set(ids) & set(names_of(frames)):
            if frames[0] == "interpreter %d" % ids[name]:
                right[name] += n
            else:
                wrong += n
    figure("interpreter_samples[%s]" % interpreter.name, json.dumps(right), "", "wrong: %d" % wrong)
    assert all(n > 20 for n in right.values())
    assert wrong <= 0.01 * sum(right.values())


@pytest.mark.since(3, 13)
def test_pprof_has_the_labels(interpreter, tmp_path):
    workload = "tasks.py" if interpreter.series >= FIRST_WITH_TASKS else "gil_fight.py"
    raw, _ = whole_run(interpreter, tmp_path, workload, form="pprof")
    samples = Profile(raw).samples
    with_gil = sum(s["values"][0] for s in samples if "gil" in s["labels"])
    assert with_gil >= 0.98 * sum(s["values"][0] for s in samples)
    for sample in samples:
        labels = sample["labels"]
        assert labels.get("gil", "held") in ("held", "released", "wanted", "free-threaded")
        assert labels.get("gc", "idle") in ("idle", "running")
        assert labels.get("interpreter", 0) == 0
    if interpreter.series >= FIRST_WITH_TASKS:
        assert {"größe-Δ", "short"} <= {s["labels"].get("task") for s in samples}


def test_text_report_has_a_table_of_groups(any_python, tmp_path):
    raw, _ = whole_run(any_python, tmp_path, "gil_fight.py", "--by", "gil", form="text")
    text = raw.decode("utf-8")
    assert "## Groups (G) by gil" in text
    assert {"held", "released"} <= {line.split()[5] for line in text.splitlines() if line[:2] in ("G1", "G2")}


def test_gil_of_a_process_without_python(native_rec):
    with Process([native_rec, "10", "6"]) as target:
        assert run("snapshot", "-p", target.pid, "-d", 0.2, "-g").returncode == EXIT_NOT_SUPPORTED


def test_unknown_group_is_named():
    done = run("snapshot", "-p", 1, "--by", "colour")
    assert done.returncode == EXIT_USAGE
    assert "colour" in done.stderr


@pytest.fixture(scope="session")
def outside_chroots(interpreters):
    """3.14 on names its threads for the kernel, too: an older one, that runs where unshare is."""
    found = [i for i in interpreters if not i.chroot and i.series < FIRST_WITH_TASKS]
    if not found:
        pytest.skip("no CPython before 3.14 outside of chroots")
    return max(found, key=lambda i: i.series)


def test_thread_names_inside_a_pid_namespace(outside_chroots, tmp_path):
    argv = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] + outside_chroots.argv
    with Process(argv + [outside_chroots.path("foobar.py"), "--threads", "3", "--seconds", "8"]) as target:
        assert target.line() == "ready"
        target.go()
        inner = subprocess.run(["pgrep", "-P", str(target.pid)], stdout=subprocess.PIPE, check=True).stdout.split()
        time.sleep(0.5)
        stacks = folded(snapshot(inner[0].decode("ascii"), tmp_path / "out", "--by", "thread"))
    found = groups(stacks)
    figure("thread_names_in_pid_namespace", json.dumps(found))
    assert {"worker-0", "worker-1", "worker-2"} <= {name.split()[1] for name in found}
