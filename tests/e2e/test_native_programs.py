# SPDX-License-Identifier: Apache-2.0
"""Programs that have nothing to do with Python, of several compilers and C libraries, all profiled at once. Their calls
are fixed by construction: main, outer, middle, leaf."""

import os
import re
import shutil
import subprocess

import pytest

from harness import Capture, Process, figure, folded, names_of

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "workloads", "native")
CHAIN = ["main", "outer", "middle", "leaf"]
C_FLAGS = ["-O2", "-g0", "-fomit-frame-pointer", "-pthread"]
SECONDS = 12

# What is built, and how it is run.
BUILDS = {
    "c": ["gcc", "chain.c"] + C_FLAGS,
    "c-static": ["gcc", "chain.c", "-static", "-no-pie"] + C_FLAGS,
    "c-static-pie": ["gcc", "chain.c", "-static-pie"] + C_FLAGS,
    "c-no-pie": ["gcc", "chain.c", "-no-pie"] + C_FLAGS,
    "c-debug-frame": ["gcc", "chain.c", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"] + C_FLAGS,
    "c-lld": ["gcc", "chain.c", "-fuse-ld=lld"] + C_FLAGS,  # segments begin in the middle of pages
    "musl": ["musl-gcc", "chain.c"] + C_FLAGS,
    "musl-static": ["musl-gcc", "chain.c", "-static"] + C_FLAGS,
    "c++": ["g++", "chain.cpp", "-O2", "-fomit-frame-pointer"],
    "rust": ["rustc", "chain.rs", "-O"],
    "go": ["go", "build"],
}
OPTIONAL = ("rust", "go")  # a compiler that is there may lack its library
RUNS = [
    ("c", "plain"), ("c", "jump"), ("c", "signal"), ("c", "thread"), ("c", "fork"), ("c", "assembly"),
    ("c-static", "plain"), ("c-static", "signal"), ("c-static-pie", "plain"), ("c-static-pie", "thread"),
    ("c-no-pie", "plain"), ("c-debug-frame", "plain"), ("c-lld", "plain"), ("musl", "plain"), ("musl-static", "plain"),
    ("musl-static", "thread"), ("c++", None), ("rust", None), ("go", None),
]


def build(name, directory):
    """The program's path, None if there is no such compiler."""
    command = BUILDS[name]
    if not shutil.which(command[0]) or ("-fuse-ld=lld" in command and not shutil.which("ld.lld")):
        return None
    output = os.path.join(directory, name)
    sources = [os.path.join(SOURCES, word) if word.startswith("chain.") else word for word in command]
    if name == "go":
        sources.append(os.path.join(SOURCES, "chain.go"))
        sources[2:2] = ["-o", output]
    else:
        sources += ["-o", output]
    environment = dict(os.environ, GOCACHE=os.path.join(directory, "go-cache"), GOFLAGS="-mod=mod")
    done = subprocess.run(sources, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=directory, env=environment)
    if done.returncode != 0 and name in OPTIONAL:
        print("%s does not build here: %s" % (name, done.stdout.decode(errors="replace")[-300:]))
        return None
    assert done.returncode == 0, done.stdout.decode(errors="replace")
    return output


class Programs:
    """All programs, running."""

    def __init__(self, directory):
        self.directory, self.running, self.started = directory, {}, []
        built = {name: build(name, directory) for name in BUILDS}
        for name, how in RUNS:
            if built[name]:
                self.start(("%s %s" % (name, how or "")).strip(), [built[name]] + ([how] if how else []))
        if shutil.which("node"):
            self.start("node", ["node", "--perf-basic-prof", "--interpreted-frames-native-stack", os.path.join(SOURCES, "chain.js")])

    def start(self, name, argv):
        target = Process(argv, stdin=subprocess.DEVNULL, cwd=self.directory)  # node leaves a log there
        target.__enter__()
        self.started.append(target)
        assert target.line() == "ready"
        self.running[int(target.line().split()[1]) if name.endswith(" fork") else target.pid] = name

    def end(self):
        for pid, name in self.running.items():
            if name.endswith(" fork"):
                os.kill(pid, 9)
        for target in self.started:
            target.__exit__(None, None, None)
            if os.path.exists("/tmp/perf-%d.map" % target.pid):
                os.unlink("/tmp/perf-%d.map" % target.pid)


@pytest.fixture(scope="module", name="sampled")
def fixture_sampled(tmp_path_factory):
    """{program: [(frames, count)]}"""
    directory = str(tmp_path_factory.mktemp("native"))
    programs = Programs(directory)
    try:
        pids = [word for pid in programs.running for word in ("-p", pid)]
        arguments = ["snapshot", "-n", "-d", SECONDS, "-r", 499, "-f", "folded"] + pids
        with Capture(*arguments, output=os.path.join(directory, "all.folded")) as capture:
            raw = capture.finish(SECONDS + 90)
    finally:
        programs.end()
    stacks = {name: [] for name in programs.running.values()}
    for frames, n in folded(raw):
        pid = int(re.search(r"\((\d+)\)$", frames[0])[1])
        stacks[programs.running[pid]].append((frames[1:], n))
    return stacks


def function_of(name):
    """'leaf' of 'chain::leaf', 'main.leaf', 'leaf(unsigned long)' and JavaScript's 'JS:*leaf file:3:1'."""
    script = re.match(r"(?:JS|LazyCompile|Function|Script):[*^~+]?(\w+)", name)
    if script:
        return script[1]
    while True:
        plain = re.sub(r"<[^<>]*>|\([^()]*\)", "", name)
        if plain == name:
            return re.split(r"::|\.| ", plain.replace(" const", "").strip())[-1]
        name = plain


ROOTS = {"_start", "clone", "__clone", "clone3", "__clone3", "goexit", "mstart"}


def is_rooted(program, frames):
    if any(frame.startswith("[truncated") for frame in frames):
        return False
    root = names_of(frames)[0]
    # musl's own start has no symbol in programs; Go's symbols end in the calling convention.
    return root.removesuffix(".abi0").rsplit(".", 1)[-1] in ROOTS or (program.startswith("musl") and root.startswith("0x"))


def is_whole(program, frames):
    """From the root, and if leaf was reached through all who call it."""
    functions = [function_of(name) for name in names_of(frames)]
    if not is_rooted(program, frames):
        return False
    if "leaf" not in functions:
        return True
    # A leaf of Go makes no frame: by frame pointers its caller can't be seen.
    chain = [name for name in CHAIN if name != "middle"] if program == "go" else CHAIN
    if program.split()[-1] in ("thread", "fork"):
        chain = chain[1:]
    rest = iter(functions)
    return all(any(step == name for name in rest) for step in chain)


def test_every_program_is_whole(sampled):
    assert {name.split()[0] for name in sampled} >= {"c", "c-static", "c-static-pie", "c-lld", "musl", "c++"}
    whole = every = 0
    bad = {}
    for name, stacks in sampled.items():
        samples = sum(n for _, n in stacks)
        good = sum(n for frames, n in stacks if is_whole(name, frames))
        in_leaf = sum(n for frames, n in stacks if "leaf" in map(function_of, names_of(frames)))
        figure("native_program[%s]" % name, 100 * good / max(samples, 1), "%", "%d samples, %d in leaf" % (samples, in_leaf))
        whole, every = whole + good, every + samples
        if not samples or good < 0.98 * samples or in_leaf < 0.3 * samples:
            bad[name] = sorted(((n, frames[:6]) for frames, n in stacks if not is_whole(name, frames)), reverse=True)[:4]
    tried = {name.split()[0] for name in sampled}
    print("no compiler here for: %s" % sorted((set(BUILDS) | {"node"}) - tried))
    figure("native_programs", 100 * whole / every, "%", "%d samples of %d programs" % (every, len(sampled)))
    assert not bad
    assert whole >= 0.995 * every
