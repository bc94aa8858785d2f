# SPDX-License-Identifier: Apache-2.0
"""Samples are CPU time: as many as the CPU that was used, where it was used, and none on threads that wait."""

import json
import math

from harness import Capture, RATE_HZ, count, figure, folded, snapshot, total

import conftest


LONG_RUNS = ((3, 11), (3, 12), (3, 13), (3, 14))
# 2.7's threads fight for the GIL in the kernel, most of the time. A tick that is due while the scheduler has interrupts
# off comes after it, where it may meet the idle task: up to a tenth of the CPU time has no sample then.
LEAST_RATIO = {(2, 7): 0.85}


def test_interpreters_are_here(interpreters, pytestconfig):
    """Which versions this run covers; the reason is printed when a series is not."""
    if pytestconfig.getoption("--interpreter"):
        return
    series = {i.series for i in interpreters}
    figure("interpreters", ", ".join(i.name for i in interpreters))
    assert series & {(3, 11), (3, 12)}, "neither CPython 3.11 nor 3.12 was found (tests/interpreters.sh)"
    missing = [s for s in conftest.REQUIRED_SERIES if s not in series]
    assert not missing, "no CPython of %s: see what tests/interpreters.sh prints" % missing


def whole_run(interpreter, tmp_path, threads, rate_hz, seconds):
    """Samples over everything the workload does between its marks, and the workload's own account."""
    with interpreter.start("foobar.py", "--threads", threads, "--seconds", seconds) as target:
        assert target.line() == "ready"
        output = tmp_path / "foobar.folded"
        arguments = ["snapshot", "--pid", target.pid, "-d", seconds + 2, "-r", rate_hz, "-f", "folded"]
        with Capture(*arguments, output=output) as capture:
            capture.started()
            target.go()
            truth = json.loads(target.line())
            return folded(capture.finish(seconds + 60)), truth


def test_foo_takes_three_quarters(interpreter, tmp_path):
    """Shares and seconds are the program's own. GIL turns are regular and so is the sampler: in a short run the two
    can fall into step, hence half a minute for one build of each version, and four points; else six."""
    seconds, slack = (30, 0.04) if interpreter.series in LONG_RUNS and interpreter.kind == "shared" else (15, 0.06)
    stacks, truth = whole_run(interpreter, tmp_path, threads=4, rate_hz=RATE_HZ, seconds=seconds)
    foo, bar = count(stacks, "foo"), count(stacks, "bar")
    share = foo / (foo + bar)
    expected = truth["foo_s"] / (truth["foo_s"] + truth["bar_s"])
    interval = 1.96 * math.sqrt(expected * (1 - expected) / (foo + bar))
    note = "thread clock %.4f, %d samples, 95 %% interval %.4f" % (expected, foo + bar, interval)
    figure("foo_share[%s]" % interpreter.name, share, "", note)
    cpu_s = (truth["end"]["cpu_ns"] - truth["begin"]["cpu_ns"]) / 1e9
    ratio = total(stacks) / (RATE_HZ * cpu_s)
    figure("samples_over_cpu[%s]" % interpreter.name, ratio, "", "%.2f CPU-s" % cpu_s)
    assert abs(share - expected) <= slack
    assert LEAST_RATIO.get(interpreter.series, 0.97) <= ratio <= 1.03


def test_threads_get_their_share(any_python, tmp_path):
    with any_python.start("foobar.py", "--threads", 3, "--seconds", 8, "--now") as target:
        assert target.line() == "ready"
        stacks = folded(snapshot(target.pid, tmp_path / "t.folded", "-t", seconds=4, rate_hz=499))
    names = {frames[0] for frames, _ in stacks}
    assert all(name.startswith("thread ") for name in names)
    workers = [total([s for s in stacks if s[0][0] == n]) for n in sorted(names)]
    figure("thread_samples", sorted(workers, reverse=True))
    busiest = sorted(workers, reverse=True)[:3]
    assert len(busiest) == 3 and min(busiest) > 0.5 * max(busiest)


def test_blocked_threads_have_no_samples(any_python, tmp_path):
    with any_python.start("blocked.py", 8) as target:
        tids = json.loads(target.line())
        stacks = folded(snapshot(target.pid, tmp_path / "b.folded", "-t", seconds=4, rate_hz=999))
    blocked = {tid: how for how, tid in tids["blocked"].items()}
    wrong = [(f[0], n) for f, n in stacks if any("(%d)" % tid in f[0] for tid in blocked)]
    busy = sum(n for f, n in stacks if "(%d)" % tids["busy"] in f[0])
    share = sum(n for _, n in wrong) / total(stacks)
    figure("samples_on_blocked_threads", 100 * share, "%", "of %d" % total(stacks))
    assert not wrong
    assert busy > 0.97 * total(stacks)


def test_rate_is_what_was_asked(any_python, tmp_path):
    for rate_hz in (19, RATE_HZ, 999):
        stacks, truth = whole_run(any_python, tmp_path, threads=1, rate_hz=rate_hz, seconds=4)
        cpu_s = (truth["end"]["cpu_ns"] - truth["begin"]["cpu_ns"]) / 1e9
        ratio = total(stacks) / (rate_hz * cpu_s)
        figure("samples_over_cpu_at_%d_hz" % rate_hz, ratio)
        slack = 0.03 + 2.0 / (rate_hz * cpu_s)
        assert abs(ratio - 1) <= slack, "at %d Hz" % rate_hz
