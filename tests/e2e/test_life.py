# SPDX-License-Identifier: Apache-2.0
"""Processes made in every way: forked, spawned, exec()ed into another version, or with the pid of one that is gone."""

import json
import os
import shlex

import pytest

from harness import Capture, Process, count, figure, folded, names_of, python_frames

RATE_HZ = 999
BURN_S = 0.25


def recorded(tmp_path, act, seconds=40):
    """Stacks of all processes from before act() until after it."""
    arguments = ["record", "-a", "-d", seconds, "-r", RATE_HZ, "-f", "folded"]
    with Capture(*arguments, output=tmp_path / "all.folded") as capture:
        capture.started()
        result = act()
        capture.signal(2)
        return folded(capture.finish(60)), result


def check_shares(samples, spent):
    """All samples but 5 % are named; each part has its own, within what chance does to few of them on shared CPUs."""
    for part, seconds in spent.items():
        expected = RATE_HZ * seconds
        assert abs(samples[part] / expected - 1) <= 0.05 + 2.5 / expected ** 0.5, (part, samples[part], expected)
    assert 0.95 <= sum(samples.values()) / (RATE_HZ * sum(spent.values())) <= 1.05


def test_children_of_every_kind(interpreter, tmp_path):
    """In a fork, its fork, workers, a thread's fork, posix_spawn, a shell's child, and threads that follow one another."""
    with interpreter.start("family.py") as target:
        assert target.line() == "ready"

        def act():
            target.go()
            return json.loads(target.line())

        stacks, spent = recorded(tmp_path, act)
        target.wait(30)
    assert len(spent) >= 6
    ours = [s for s in stacks if any("(family.py:" in frame for frame in s[0])]
    shares = {stage: count(ours, stage) / (RATE_HZ * seconds) for stage, seconds in spent.items()}
    figure("children[%s]" % interpreter.name, min(shares.values()), "",
           ", ".join("%s %.3f" % item for item in sorted(shares.items())))
    check_shares({stage: count(ours, stage) for stage in spent}, spent)
    for stage in ("in_fork", "in_grandchild", "in_workers", "in_fork_of_thread"):
        roots = {python_frames(f)[0][0].replace("__", "_") for f, _ in ours if stage in names_of(f)}
        assert roots in ({"<module>"}, {"Thread._bootstrap"}, {"_bootstrap"}), (stage, roots)


def test_another_version_takes_over(interpreters, tmp_path):
    """exec() from each interpreter to the next: every sample is named by the rules of the version that runs."""
    chain = [i for i in interpreters if not i.chroot]
    if len(chain) < 2:
        pytest.skip("only one CPython outside chroots on this machine")
    chain = chain + chain[::-1]
    last = ["true"]
    for at, interpreter in reversed(list(enumerate(chain))):
        script = ("import sys, os, time\nclock = getattr(time, 'process_time', getattr(time, 'clock', None))\n"
                  "def version_%d(begin):\n    while clock() < begin + %g:\n        for _ in range(500): pass\n"
                  "begin = clock()\nversion_%d(begin)\nprint('%%d %%.6f' %% (%d, clock() - begin))\nsys.stdout.flush()\n"
                  "os.execvp(sys.argv[1], sys.argv[1:])\n" % (at, BURN_S, at, at))
        last = interpreter.argv + ["-c", script] + last
    with Process(["sh", "-c", "read x; exec %s" % shlex.join(last)]) as target:
        def act():
            target.go()
            return dict((int(at), float(s)) for at, s in (target.line().split() for _ in chain))

        stacks, spent = recorded(tmp_path, act)
    shares = [count(stacks, "version_%d" % at) / (RATE_HZ * spent[at]) for at in range(len(chain))]
    figure("exec_chain", min(shares), "", ", ".join("%s %.3f" % (i.name, s) for i, s in zip(chain, shares)))
    check_shares({at: count(stacks, "version_%d" % at) for at in spent}, spent)


def test_thirty_short_processes(interpreter, tmp_path):
    def act():
        spent = 0
        for _ in range(30):
            with interpreter.start("burn.py") as process:
                spent += int(process.line().split()[2]) / 1e9
                process.wait(30)
        return spent

    stacks, spent = recorded(tmp_path, act)
    ours = [s for s in stacks if any("(burn.py:" in frame for frame in s[0])]
    share = count(ours, "burn_here") / (RATE_HZ * spent)
    figure("thirty_short[%s]" % interpreter.name, share, "", "of %.2f CPU-s" % spent)
    assert 0.95 <= share <= 1.05


def test_a_pid_is_used_again(any_python, tmp_path):
    """The same pid runs one program after the other: names of the one never show in the other."""
    if any_python.chroot:
        pytest.skip("needs a CPython outside chroots")
    names = ["first_%d" % n for n in range(6)]
    python = shlex.join(any_python.argv + [any_python.path("other_names.py")])
    # In a PID namespace of its own the next pid can be chosen.
    script = "read x\nfor name in %s; do echo 100 > /proc/sys/kernel/ns_last_pid; %s $name 0.2 & wait $!; done" % (
        " ".join(names), python)
    with Process(["unshare", "-p", "-f", "--mount-proc", "sh", "-c", script]) as target:
        def act():
            target.go()
            return [target.line().split() for _ in names]

        stacks, lines = recorded(tmp_path, act)
    assert [line[0] for line in lines] == ["101"] * len(names), "the kernel chose other pids: %s" % lines
    shares = [count(stacks, name) / (RATE_HZ * float(cpu_s)) for _, name, cpu_s in lines]
    figure("pid_reused", min(shares), "", str(shares))
    spent = {name: float(cpu_s) for _, name, cpu_s in lines}
    check_shares({name: count(stacks, name) for name in spent}, spent)
    for frames, _ in stacks:
        assert len(set(names) & set(names_of(frames))) <= 1
        for name, file, _ in python_frames(frames):
            assert not name.startswith("first_") or file == name + ".py"
