# SPDX-License-Identifier: Apache-2.0
"""`snapshot --usdt`: CPython's own probes tell who collects garbage and who imports. The programs say the truth, by the
clock of their thread; readelf says which builds have the probes."""

import os
import subprocess

import pytest

import harness
from harness import EXIT_NOT_SUPPORTED, EXIT_USAGE, figure, folded, names_of, run, total
from pprof_reader import Profile
from test_labels import groups, whole_run
from test_probes import SLEEP, readelf_probes, text_of

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(harness.BUILD, "pyebpf-usdt")), reason="built without libbpfcc-dev")


def has_probes(interpreter):
    if interpreter.chroot:
        return True  # Debian's builds
    return ("python", "gc__start") in readelf_probes(interpreter.argv[0])


@pytest.fixture(name="probed", params=["oldest", "newest"])
def fixture_probed(request, interpreters):
    found = sorted((i for i in interpreters if i.series >= (3, 6) and has_probes(i)), key=lambda i: i.series)
    if not found:
        pytest.skip("no CPython with USDT probes on this machine")
    return found[0 if request.param == "oldest" else -1]


def shares(raw, what):
    """Of the main thread and of the other one: the share of samples whose group is `what` running."""
    result = []
    for beside in (False, True):
        stacks = [(frames, n) for frames, n in folded(raw) if ("other" in names_of(frames)) == beside]
        result.append(groups(stacks).get(what + " running", 0) / total(stacks))
        assert what + " [unknown]" not in groups(stacks)
    return result


@pytest.mark.parametrize("what, workload", [("gc", "gc_loop.py"), ("import", "import_loop.py")])
def test_share_is_the_programs_own(probed, tmp_path, what, workload):
    raw, truth = whole_run(probed, tmp_path, workload, "--usdt", "--by", what)
    main, beside = shares(raw, what)
    expected = truth[what + "_s"] / truth["cpu_s"]
    figure("usdt_%s_share[%s]" % (what, probed.name), main, "", "thread's clock %.4f; beside %.4f" % (expected, beside))
    assert abs(main - expected) <= 0.08  # four standard errors
    assert beside <= 0.01


def test_imports_are_those_of_the_stacks(probed, tmp_path):
    raw, _ = whole_run(probed, tmp_path, "import_loop.py", "--usdt", "--by", "import", "-t")
    found = {}
    for frames, n in folded(raw):
        key = frames[0], "load" in names_of(frames)
        found[key] = found.get(key, 0) + n
    figure("usdt_import_stacks[%s]" % probed.name, str(found))
    assert found.get(("import idle", True), 0) <= 0.03 * found["import running", True]
    assert found.get(("import running", False), 0) <= 0.03 * found["import idle", False]


def test_nothing_is_left_in_the_process(probed, tmp_path):
    with harness.Process(probed.argv + SLEEP, stdin=subprocess.DEVNULL) as target:
        assert target.line() == "up"
        before = text_of(target.pid)
        done = run("snapshot", "-p", target.pid, "-d", 1, "--usdt", "-o", tmp_path / "out.pb.gz")
        assert done.returncode in (harness.EXIT_OK, harness.EXIT_NO_SAMPLES), done.stderr
        assert text_of(target.pid) == before


def test_labels_of_pprof(probed, tmp_path):
    raw, truth = whole_run(probed, tmp_path, "import_loop.py", "--usdt", form="pprof")
    found = {}
    for sample in Profile(raw).samples:
        key = sample["labels"].get("import")
        found[key] = found.get(key, 0) + sample["values"][0]
    assert set(found) == {"running", "idle"}
    assert truth["import_s"] > 0


def test_errors(any_python, tmp_path):
    for arguments in (["--all", "--usdt"], ["--pid", os.getpid(), "--by", "import"]):
        done = run("snapshot", "-d", 1, *arguments)
        assert done.returncode == EXIT_USAGE and "--usdt" in done.stderr and done.stderr.count("\n") == 1
    with harness.Process(["/bin/sleep", "60"], stdin=subprocess.DEVNULL) as target:
        done = run("snapshot", "-p", target.pid, "-d", 1, "--usdt")
        assert done.returncode == EXIT_NOT_SUPPORTED and "no USDT probes" in done.stderr
