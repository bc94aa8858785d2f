# SPDX-License-Identifier: Apache-2.0
"""`probes`: what it lists is what readelf finds in the same files, for processes of every kind."""

import json
import os
import random
import re
import shutil
import subprocess
import sys

import pytest

import harness
from harness import MAP_FILE, Process, run, wait_until

HELPER = os.path.join(harness.BUILD, "pyebpf-usdt")
SLEEP = ["-c", "import sys, time; print('up'); sys.stdout.flush(); time.sleep(60)"]

pytestmark = pytest.mark.skipif(not os.path.exists(HELPER), reason="built without libbpfcc-dev")


def readelf_probes(path):
    """{(provider, name): [(address, number of arguments), ...]} as binutils reads them."""
    text = subprocess.run(["readelf", "-nW", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
    found = {}
    pattern = r"Provider: (\S+)\s+Name: (\S+)\s+Location: (0x[0-9a-f]+), Base: \S+ Semaphore: \S+\s+Arguments:([^\n]*)"
    for provider, name, location, arguments in re.findall(pattern, text):
        found.setdefault((provider, name), []).append((int(location, 16), len(arguments.split())))
    return {probe: sorted(sites) for probe, sites in found.items()}


def listed(pid, **options):
    done = run("probes", "-p", pid, "-j", **options)
    assert done.returncode == harness.EXIT_OK, done.stderr
    return json.loads(done.stdout)


def by_file(probes):
    files = {}
    for probe in probes:
        sites = sorted((site["address"], len(site["arguments"])) for site in probe["sites"])
        assert len(sites) == probe["site_count"], probe
        files.setdefault(probe["file"], {})[probe["provider"], probe["name"]] = sites
    return files


def mapped_files(pid):
    with open("/proc/%d/maps" % pid, encoding="utf-8") as maps:
        return {line.split(None, 5)[5].strip() for line in maps if " r-xp " in line and "/" in line}


def test_lists_what_readelf_finds(interpreter):
    with Process(interpreter.argv + SLEEP, stdin=subprocess.DEVNULL) as target:
        assert target.line() == "up"
        expected = {path: readelf_probes(path) for path in mapped_files(target.pid)}
        assert by_file(listed(target.pid)) == {path: probes for path, probes in expected.items() if probes}
        table = run("probes", "-p", target.pid).stdout
        for probes in expected.values():
            assert all("%s:%s " % probe in table for probe in probes)


def test_debians_python_has_the_collector_and_imports(interpreters):
    series = [i for i in interpreters if i.chroot or i.argv[0].startswith("/usr/bin/")]
    if not series:
        pytest.skip("no CPython of a distribution on this machine")
    with Process(series[0].argv + SLEEP, stdin=subprocess.DEVNULL) as target:
        assert target.line() == "up"
        probes = {p["name"]: p for p in listed(target.pid) if p["provider"] == "python"}
    assert {"gc__start", "gc__done", "import__find__load__start", "import__find__load__done"} <= set(probes)
    assert probes["gc__start"]["semaphore"]
    assert all(re.match(r"s32 ", site["arguments"][0]) for site in probes["gc__start"]["sites"])  # the generation


def test_a_program_that_only_its_owner_may_read(tmp_path):
    program = shutil.copy(sys.executable, tmp_path / "private")
    os.chmod(program, 0o700)
    expected = readelf_probes(program)
    environment = dict(os.environ, PYTHONHOME=sys.base_prefix)
    with Process([str(program)] + SLEEP, stdin=subprocess.DEVNULL, env=environment) as target:
        assert target.line() == "up"
        os.unlink(program)  # and is gone by now
        assert by_file(listed(target.pid)).get(str(program), {}) == expected


def text_of(pid):
    """The bytes of the process's code: a probe that is attached has a breakpoint in them."""
    code = b""
    with open("/proc/%d/maps" % pid, encoding="utf-8") as maps, open("/proc/%d/mem" % pid, "rb") as memory:
        for line in maps:
            if " r-xp " in line and "/" in line:
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
                memory.seek(start)
                code += memory.read(end - start)
    return code


def test_nothing_is_attached(any_python):
    with Process(any_python.argv + SLEEP, stdin=subprocess.DEVNULL) as target:
        assert target.line() == "up"
        before = text_of(target.pid)
        listed(target.pid)
        assert text_of(target.pid) == before
        with open("/proc/%d/status" % target.pid, encoding="ascii") as status:
            assert "TracerPid:\t0" in status.read()


def test_the_helper_parses_without_privileges():
    with Process(["/bin/sleep", "60"], stdin=subprocess.DEVNULL) as target:
        out, into = os.pipe()
        os.set_blocking(into, False)
        try:
            while True:
                os.write(into, b"x" * 4096)  # full before the helper begins
        except BlockingIOError:
            os.set_blocking(into, True)
        helper = subprocess.Popen([HELPER, str(target.pid)], stdout=into, stderr=subprocess.DEVNULL)
        try:
            status = "/proc/%d/status" % helper.pid

            def field(name):
                with open(status, encoding="ascii") as file:
                    return re.search(r"^%s:[ \t]*(.*)$" % name, file.read(), re.M)[1].split()

            wait_until(lambda: field("NoNewPrivs") == ["1"], 10, "the helper to give up its privileges")
            for capabilities in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
                assert int(field(capabilities)[0], 16) == 0, capabilities
            assert "0" not in field("Uid") + field("Gid") and field("Groups") == []
        finally:
            helper.kill()
            helper.wait()
            os.close(out)
            os.close(into)


def test_hostile_notes_end_in_an_answer(interpreters, tmp_path):
    image = next((i.argv[0] for i in interpreters if not i.chroot and readelf_probes(i.argv[0])), None)
    if not image:
        pytest.skip("no CPython with probes outside a chroot")
    with open(image, "rb") as file:
        whole = file.read()
    notes = [m.start() for m in re.finditer(b"stapsdt\0", whole)]
    chance = random.Random(1)
    for at in range(10):
        data = bytearray(whole if at % 4 else whole[:chance.randrange(4096, len(whole))])
        for _ in range(60):
            where = chance.randrange(notes[0] - 16, notes[-1] + 100)
            if where < len(data):
                data[where] = chance.choice([0, 255, chance.randrange(256)])
        (tmp_path / "hostile").write_bytes(data)
        with Process(["/usr/bin/perl", "-e", MAP_FILE, str(tmp_path / "hostile")], stdin=subprocess.DEVNULL) as target:
            assert target.line() == "up"
            done = run("probes", "-p", target.pid, limit_s=40)
            assert done.returncode in (harness.EXIT_OK, harness.EXIT_NOT_SUPPORTED), done.stderr
            assert done.stdout or done.stderr
        os.unlink(tmp_path / "hostile")


def test_without_the_helper(tmp_path):
    alone = shutil.copy(harness.BINARY, tmp_path)
    done = subprocess.run([alone, "probes", "-p", str(os.getpid())], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == harness.EXIT_NOT_SUPPORTED
    assert b"pyebpf-usdt is not installed" in done.stderr and b"libbpfcc-dev" in done.stderr


def test_as_installed(tmp_path):
    os.makedirs(tmp_path / "bin")
    os.makedirs(tmp_path / "libexec" / "pyebpf-prof")
    program = shutil.copy(harness.BINARY, tmp_path / "bin")
    shutil.copy(HELPER, tmp_path / "libexec" / "pyebpf-prof")
    done = subprocess.run([program, "probes", "-p", str(os.getpid())], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == harness.EXIT_OK, done.stderr


def test_no_such_process():
    with Process(["/bin/true"]) as process:
        process.wait(10)
    done = run("probes", "-p", process.pid)
    assert done.returncode == harness.EXIT_NO_PROCESS and str(process.pid) in done.stderr
