# SPDX-License-Identifier: Apache-2.0
"""The interpreter is found wherever it is: loaded late, beside others, renamed, deleted, in a file system of its own."""

import os
import shutil

import pytest

import harness
from harness import Capture, Process, count, figure, folded, names_of, python_frames, run, snapshot, total

RATE_HZ = 999
BURN_S = 0.4


@pytest.fixture(scope="session")
def embed_life(tmp_path_factory):
    return harness.compile_cpp("embed_life.cpp", tmp_path_factory.mktemp("embed") / "embed_life", "-ldl", "-pthread")


def shared(interpreters):
    """Interpreters with a libpython that a program can load here, one for each series."""
    found = {i.series: i for i in interpreters if i.kind == "shared" and not i.chroot}
    if not found:
        pytest.skip("no CPython with a shared library on this machine")
    return list(found.values())


def static(interpreters):
    found = [i for i in interpreters if i.kind == "static" and not i.chroot]
    if not found:
        pytest.skip("no CPython in one executable on this machine")
    return found


def whole_life(argv, tmp_path, seconds):
    with Process(argv) as target:
        assert target.line() == "ready"
        arguments = ["snapshot", "--pid", target.pid, "-d", seconds, "-r", RATE_HZ, "-f", "folded"]
        with Capture(*arguments, output=tmp_path / "life.folded") as capture:
            capture.started()
            target.go()
            stacks = folded(capture.finish(seconds + 60))
        target.wait(60)
    return stacks


def check_alone(stacks, functions):
    """The functions of C have all their samples, with no frame of Python."""
    for function in functions:
        samples = [s for s in stacks if function in names_of(s[0])]
        assert total(samples) >= 0.9 * RATE_HZ * BURN_S, function
        assert not [s for s in samples if python_frames(s[0])], function


BURNERS = {"before_python", "beside_python", "after_python", "python_0", "in_c_thread_0", "at_exit_0"}


def in_a_burner(frames):
    return bool(BURNERS & set(names_of(frames)))


def test_life_of_an_embedded_interpreter(interpreter, embed_life, tmp_path):
    """Before it is there, at work, in a thread that C made, while it ends and when it is gone."""
    if interpreter.kind != "shared":
        return
    argv = [interpreter.inside(embed_life), str(BURN_S), interpreter.libpython()]
    if interpreter.chroot:
        argv = ["chroot", interpreter.chroot] + argv
    stacks = whole_life(argv, tmp_path, 30)
    check_alone(stacks, ("before_python", "beside_python", "after_python"))
    shares = {}
    for function in ("python_0", "in_c_thread_0", "at_exit_0"):
        shares[function] = count(stacks, function) / (RATE_HZ * BURN_S)
    unnamed = total(s for s in stacks if not in_a_burner(s[0])) / total(stacks)
    figure("embedded[%s]" % interpreter.name, min(shares.values()), "", "%s, %.4f of it elsewhere" % (shares, unnamed))
    # A pause of the whole machine is on the program's clock and takes no sample: 0.9, as for the functions of C.
    assert min(shares.values()) >= 0.9
    # Beside its burners the program loads and starts Python; a burner whose frames are not found would be here.
    assert unnamed <= 0.03, [s for s in stacks if not in_a_burner(s[0])]
    roots = {python_frames(frames)[0][0] for frames, _ in stacks if "in_c_thread_0" in names_of(frames)}
    assert roots == {"<module>"}


def test_two_interpreters_in_one_process(interpreters, embed_life, tmp_path):
    """Right or said: frames of one of them are read, `ps` and `doctor` tell that there are more."""
    pair = shared(interpreters)[-2:]
    if len(pair) < 2:
        pytest.skip("only one libpython on this machine")
    for order in (pair, pair[::-1]):
        argv = [embed_life, "0.8"] + [i.libpython() for i in order]
        with Process(argv) as target:
            assert target.line() == "ready"
            arguments = ["snapshot", "--pid", target.pid, "-d", 30, "-r", RATE_HZ, "-f", "folded"]
            with Capture(*arguments, output=tmp_path / "two.folded") as capture:
                capture.started()
                target.go()
                harness.wait_until(lambda: len(os.listdir("/proc/%d/task" % target.pid)) == 3, 20, "both threads")
                harness.time.sleep(0.3)
                listed = [line for line in run("ps").stdout.splitlines() if line.split()[:1] == [str(target.pid)]]
                told = run("doctor", "-p", target.pid).stdout
                stacks = folded(capture.finish(90))
        seen = [count(stacks, "python_%d" % n) / (RATE_HZ * 0.8) for n in range(2)]
        figure("two_interpreters[%s]" % ",".join(i.name for i in order), max(seen), "", "the other %.2f" % min(seen))
        assert max(seen) >= 0.9
        assert not [frames for frames, _ in stacks if {"python_0", "python_1"} <= set(names_of(frames))]
        assert len(listed) == 1 and "2 interpreters" in listed[0], listed
        assert "2 interpreters" in told, told


def test_a_library_that_is_only_mapped(interpreters, tmp_path):
    """The interpreter is the one that runs, not the last one of the mappings."""
    for interpreter in static(interpreters):
        library = shared(interpreters)[-1].libpython()
        with interpreter.start("maps_library.py", library, 4) as target:
            assert target.line() == "ready"
            stacks = folded(snapshot(target.pid, tmp_path / "m.folded", seconds=1, rate_hz=RATE_HZ))
            told = run("doctor", "-p", target.pid).stdout
        share = count(stacks, "with_library") / total(stacks)
        figure("library_beside[%s]" % interpreter.name, share)
        assert share >= 0.99
        assert "CPython %s (static" % interpreter.version in told, told


def placed(program, copied, how):
    """How to start `program`, whose interpreter is the file `copied`, in a shell; {} is its arguments."""
    if how == "mount namespace":
        return ["unshare", "-m", "sh", "-c",
                'd=$(dirname "$0"); b=$(basename "$0"); cp "$0" /tmp/.$$; mount -t tmpfs none "$d"; mv /tmp/.$$ "$d/$b"; '
                'exec "$@"', copied] + program
    return program


@pytest.mark.parametrize("kind", ["static", "shared"])
def test_file_is_not_where_it_was(interpreters, kind, tmp_path):
    """Renamed, deleted, replaced by another file, or only there in the process's own mount namespace."""
    interpreter = (static if kind == "static" else shared)(interpreters)[-1]
    embed = harness.compile_cpp("embed_python.cpp", tmp_path / "embed", "-ldl")
    home = harness.subprocess.check_output(interpreter.argv + ["-c", "import sys; print(sys.prefix)"]).decode().strip()
    environment = dict(os.environ, PYTHONHOME=home, PYTHONDONTWRITEBYTECODE="1")
    hows = ("renamed", "deleted", "replaced", "mount namespace")
    targets = {}
    try:
        for how in hows:
            copied = tmp_path / how.replace(" ", "_") / "server"
            copied.parent.mkdir()
            source = os.path.realpath(interpreter.argv[0]) if kind == "static" else interpreter.libpython()
            shutil.copy(source, copied)
            program = [str(copied)] if kind == "static" else [embed, str(copied)]
            argv = placed(program, str(copied), how) + [interpreter.path("deep.py"), "3", "20"]
            targets[how] = Process(argv, env=environment)
            assert targets[how].line() == "ready"
            if how in ("deleted", "replaced"):
                copied.unlink()
            if how == "replaced":
                shutil.copy("/bin/true", copied)
        pids = [target.pid for target in targets.values()]
        others = [part for pid in pids[1:] for part in ("-p", pid)]
        stacks = folded(snapshot(pids[0], tmp_path / "w.folded", *others, seconds=1.5, rate_hz=RATE_HZ))
    finally:
        for target in targets.values():
            target.__exit__()
    for how, target in targets.items():
        ours = [(frames, n) for frames, n in stacks if frames[0].endswith("(%d)" % target.pid)]
        share = count(ours, "bottom") / max(1, total(ours))
        figure("%s[%s]" % (how.replace(" ", "_"), interpreter.name), share, "", "%d samples" % total(ours))
        assert share >= 0.99 and total(ours) >= 100, how
