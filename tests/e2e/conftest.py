# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
from browser import Browser, find_chromium  # noqa: E402

# What every machine can get: the distribution's own, and Debian's packages for the others.
REQUIRED_SERIES = ((3, 13), (3, 14))
FIRST_WITH_QUALNAME = (3, 11)  # of code objects
# The applications have wheels for these.
FIRST_OF_WHEELS, LAST_OF_WHEELS = (3, 11), (3, 13)


def list_interpreters():
    script = os.path.join(harness.REPO, "tests", "interpreters.sh")
    done = subprocess.run([script, os.path.join(harness.BUILD, "interpreters")], stdout=subprocess.PIPE, check=True)
    return [harness.Interpreter(entry) for entry in json.loads(done.stdout) if entry["supported"]]


def pytest_addoption(parser):
    parser.addoption("--interpreter", action="append", help="only interpreters whose name contains this")


def pytest_configure(config):
    os.makedirs(harness.BUILD, exist_ok=True)
    config.addinivalue_line("markers", "since(major, minor): not for interpreters before that")
    wanted = config.getoption("--interpreter") or [""]
    config.interpreters = [i for i in list_interpreters() if any(w in i.name for w in wanted)]


def pytest_generate_tests(metafunc):
    if "interpreter" in metafunc.fixturenames:
        since = metafunc.definition.get_closest_marker("since")
        found = [i for i in metafunc.config.interpreters if since is None or i.series >= since.args]
        metafunc.parametrize("interpreter", found, ids=[i.name for i in found])
    if "legacy_interpreter" in metafunc.fixturenames:
        found = [i for i in metafunc.config.interpreters if i.series < FIRST_WITH_QUALNAME]
        metafunc.parametrize("legacy_interpreter", found, ids=[i.name for i in found])


@pytest.fixture(scope="session", autouse=True)
def needs():
    if not os.access(harness.BINARY, os.X_OK):
        pytest.exit("%s is not there: run `make` first" % harness.BINARY, returncode=1)
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("the kernel has no BTF (/sys/kernel/btf/vmlinux)")


@pytest.fixture(scope="session")
def interpreters(request):
    return request.config.interpreters


@pytest.fixture(scope="session")
def any_python(interpreters):
    """One interpreter, for tests where the version does not matter: outside chroots and 3.11 or newer if possible."""
    if not interpreters:
        pytest.skip("no supported CPython on this machine")
    return sorted(interpreters, key=lambda i: (i.chroot is not None, i.series < FIRST_WITH_QUALNAME, i.series))[0]


@pytest.fixture(scope="session")
def native_rec(tmp_path_factory):
    return harness.build_native_rec(tmp_path_factory.mktemp("native"))


@pytest.fixture(scope="session")
def dl_program(tmp_path_factory):
    return harness.build_dl(tmp_path_factory.mktemp("dl"))


@pytest.fixture(scope="session")
def venv(interpreters):
    """The `bin` of an environment with the applications."""
    usable = [i for i in interpreters if not i.chroot and FIRST_OF_WHEELS <= i.series <= LAST_OF_WHEELS]
    if not usable:
        pytest.skip("no CPython outside chroots for which PyPI has wheels")
    python = min(usable, key=lambda i: (abs(i.series[1] - 12), i.kind))
    directory = os.path.join(harness.BUILD, "venv-" + python.version)
    done = subprocess.run([os.path.join(harness.HERE, "make_venv.sh")] + python.argv + [directory], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=600)
    if done.returncode != 0:
        pytest.skip("pip cannot install the applications: %s" % done.stdout.decode()[-300:])
    return os.path.join(directory, "bin")


@pytest.fixture(scope="session")
def node_modules():
    """The folder with the npm packages."""
    folder = os.path.join(harness.BUILD, "npm")
    done = subprocess.run([os.path.join(harness.HERE, "make_npm.sh"), folder], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, check=False)
    if done.returncode != 0:
        pytest.skip("npm cannot install the packages of the tests: %s" % done.stdout.decode()[-300:])
    return os.path.join(folder, "node_modules")


@pytest.fixture(scope="session")
def browser(node_modules):
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium here: packaging/install-deps.sh --test")
    with Browser(chromium, node_modules) as started:
        yield started


@pytest.fixture(scope="module")
def make_page(tmp_path_factory):
    """Makes the flame graph page of a folded text."""
    directory = tmp_path_factory.mktemp("page")

    def make(text, name, *flags):
        source, page = directory / (name + ".folded"), directory / (name + ".html")
        source.write_text(text + "\n", encoding="utf-8")
        done = harness.run("convert", source, "-o", page, *flags)
        assert done.returncode == 0, done.stderr
        return page
    return make
