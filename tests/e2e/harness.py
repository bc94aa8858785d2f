# SPDX-License-Identifier: Apache-2.0
"""Starts workloads and the profiler, with time limits, and reads what the profiler wrote."""

import json
import os
import platform
import re
import shlex
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("PYEBPF_BUILD", os.path.join(REPO, "build"))
BINARY = os.path.join(BUILD, "pyebpf-prof")
WORKLOADS = os.path.join(HERE, "workloads")
RATE_HZ = 99

EXIT_OK, EXIT_USAGE, EXIT_PERMISSION, EXIT_NO_PROCESS, EXIT_NOT_SUPPORTED, EXIT_NO_SAMPLES = range(6)


def figure(name, value, unit="", note=""):
    """Prints a measured figure and keeps it in build/figures.txt."""
    line = "figure: %s = %s %s %s" % (name, "%.4g" % value if isinstance(value, float) else value, unit, note)
    line = line.rstrip()
    print(line)
    with open(os.path.join(BUILD, "figures.txt"), "a", encoding="utf-8") as file:
        file.write(line + "\n")


def wait_until(condition, limit_s, what):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "after %g s still waiting for %s" % (limit_s, what)
        time.sleep(0.02)


def cpu_clock_ns(pid):
    """CPU time of a whole process, exact to the nanosecond (the clock id is made from the pid)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


class Process:
    """A child that is ended, by its pid, when the block is left."""

    def __init__(self, argv, stdin=subprocess.PIPE, **options):
        self.argv = argv
        self.child = subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, **options)
        self.pid = self.child.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout, self.child.stderr):
            if pipe:
                pipe.close()

    def line(self, limit_s=120):
        """Its next line of output. It is killed if there is none in time."""
        timer = threading.Timer(limit_s, self.child.kill)
        timer.start()
        text = self.child.stdout.readline()
        timer.cancel()
        assert text, "%s ended without a word" % shlex.join(self.argv)
        return text.decode("utf-8").rstrip("\n")

    def go(self):
        self.child.stdin.write(b"\n")
        self.child.stdin.flush()

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, limit_s):
        return self.child.wait(limit_s)


class Interpreter:
    def __init__(self, entry):
        self.name, self.version, self.kind = entry["name"], entry["version"], entry["kind"]
        self.argv, self.chroot, self.free_threaded = entry["argv"], entry["chroot"], entry.get("free_threaded", False)
        self.series = tuple(int(part) for part in self.version.split(".")[:2])

    def path(self, name):
        """Where the interpreter finds a workload."""
        return os.path.join("/workloads" if self.chroot else WORKLOADS, name)

    def inside(self, host_path):
        """A file that the interpreter can reach: copied when it runs in another root."""
        if not self.chroot:
            return host_path
        target = os.path.join(self.chroot, "workloads", os.path.basename(host_path))
        subprocess.run(["cp", host_path, target], check=True)
        return "/workloads/" + os.path.basename(host_path)

    def inner_argv(self):
        """The same interpreter, as a process that is already in the root would start it."""
        if not self.chroot:
            return self.argv
        return [self.argv[2]] + self.argv[3:]

    def libpython(self):
        """Path of the libpython of a shared build, as the interpreter sees it."""
        if self.chroot:
            return self.argv[3]
        code = "import sysconfig as s; print(s.get_config_var('LIBDIR') + '/' + s.get_config_var('INSTSONAME'))"
        return subprocess.check_output(self.argv + ["-c", code]).decode().strip()

    def start(self, name, *arguments, **options):
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONIOENCODING="utf-8")
        return Process(self.argv + [self.path(name)] + [str(a) for a in arguments], env=environment, **options)


def run(*arguments, limit_s=60, **options):
    """One run of the binary; returns the CompletedProcess with text outputs."""
    done = subprocess.run(
        [BINARY] + [str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=limit_s, **options)
    done.stdout = done.stdout.decode("utf-8")
    done.stderr = done.stderr.decode("utf-8")
    return done


def fd_targets(pid):
    targets = []
    try:
        for fd in os.listdir("/proc/%d/fd" % pid):
            targets.append(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
    except OSError:
        pass
    return targets


def is_sampling(pid):
    """Every CPU has its sampling event, beside the two that tell of processes and mappings, and BPF programs run."""
    targets = fd_targets(pid)
    events = sum("perf_event" in t for t in targets)
    return events >= 3 * len(os.sched_getaffinity(0)) and any("bpf-prog" in t or "bpf_link" in t for t in targets)


def bpf_program_ids(pid):
    """Ids of the BPF programs that a process holds by descriptor or by link."""
    ids = set()
    try:
        for fd in os.listdir("/proc/%d/fdinfo" % pid):
            with open("/proc/%d/fdinfo/%s" % (pid, fd), encoding="ascii") as file:
                ids.update(int(n) for n in re.findall(r"^prog_id:\s*(\d+)", file.read(), re.M))
    except OSError:
        pass
    return ids


def listed(kind):
    done = subprocess.run(["bpftool", "-j", kind, "list"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def loaded_program_ids():
    return {program["id"] for program in listed("prog")}


def settle():
    """Waits until the kernel has taken ended programs down. Looking earlier does harm: bpftool takes a reference on a
    tail-call table whose clearing is queued, and giving it back queues that again, which leaks the table (6.18)."""
    time.sleep(1.5)


def left_behind(before):
    """Ids of programs, maps and links that are loaded now and were not `before`, which is the answer to None.

    bpftool loads a program of its own, `iter`, to list them, with a map `pid_iter.rodata` and a link."""
    programs = {entry["id"]: entry.get("name") for entry in listed("prog")}
    now = {
        "prog": {n for n, name in programs.items() if name != "iter"},
        "map": {entry["id"] for entry in listed("map") if not entry.get("name", "").startswith("pid_iter")},
        "link": {entry["id"] for entry in listed("link") if programs.get(entry.get("prog_id"), "iter") != "iter"},
    }
    return now if before is None else {kind: now[kind] - before[kind] for kind in now if now[kind] - before[kind]}


class Capture(Process):
    """A snapshot that runs beside the test. `started()` returns once samples are taken."""

    def __init__(self, *arguments, output):
        self.output = output
        argv = [BINARY] + [str(a) for a in arguments] + ["-o", str(output)]
        super().__init__(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def started(self):
        begin = time.monotonic()
        wait_until(lambda: is_sampling(self.pid) or self.child.poll() is not None, 30, "the profiler to start")
        time.sleep(0.3)
        return time.monotonic() - begin - 0.3

    def finish(self, limit_s):
        """Waits for the end; the output file's bytes."""
        out, err = self.child.communicate(timeout=limit_s)
        err = err.decode("utf-8", "replace")
        assert self.child.returncode == EXIT_OK, "%s: exit %s\n%s%s" % (
            shlex.join(self.argv), self.child.returncode, out.decode("utf-8", "replace"), err)
        self.messages = err
        with open(self.output, "rb") as file:
            return file.read()


def snapshot(pid, output, *flags, seconds=3, rate_hz=RATE_HZ, form="folded"):
    """One snapshot of a process that is at work; the output's bytes."""
    arguments = ["snapshot", "--pid", pid, "-d", seconds, "-r", rate_hz, "-f", form] + list(flags)
    with Capture(*arguments, output=output) as capture:
        return capture.finish(seconds + 60)


# ---- folded stacks ------------------------------------------------------------------------------

PYTHON_FRAME = re.compile(r"^(?P<name>.*) \((?P<file>[^()]*):(?P<line>\d+)\)$", re.S)
NATIVE_FRAME = re.compile(r"^(?P<name>.*) \[(?P<module>[^\[\]]*)\]$", re.S)


def folded(raw):
    """[(frames root first, count)], checked line by line."""
    stacks = []
    for line in raw.decode("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"(.+) (\d+)", line)
        assert match, "not a folded line: %r" % line[:200]
        stacks.append((match.group(1).split(";"), int(match.group(2))))
    return stacks


def tokens_of(text, node_modules):
    """Of a language model, as GPT-4o counts them, and as GPT-4 does: the larger."""
    counts = "JSON.stringify(['o200k_base', 'cl100k_base'].map(n => require('gpt-tokenizer/encoding/' + n).countTokens(t)))"
    done = subprocess.run(["node", "-e", "const t = require('fs').readFileSync(0, 'utf8'); console.log(%s)" % counts],
                          input=text.encode(), stdout=subprocess.PIPE, env=dict(os.environ, NODE_PATH=node_modules),
                          timeout=60, check=True)
    return max(json.loads(done.stdout))


def python_frames(frames):
    """[(qualname, file, line)] of the Python frames, root first."""
    matches = [PYTHON_FRAME.match(frame) for frame in frames]
    return [(m["name"], m["file"], int(m["line"])) for m in matches if m]


def names_of(frames):
    """Function names alone, of native frames too."""
    matches = [PYTHON_FRAME.match(frame) or NATIVE_FRAME.match(frame) for frame in frames]
    return [m["name"] if m else frame for m, frame in zip(matches, frames)]


def count(stacks, *names):
    """Samples whose stack has a frame of that function (qualified name or symbol)."""
    return sum(n for frames, n in stacks if not set(names).isdisjoint(names_of(frames)))


def total(stacks):
    return sum(n for _, n in stacks)


class Truth:
    """The stacks that a workload's leaf() prints: read in the background while a snapshot runs."""

    def __init__(self, target):
        self.stacks = set()
        self._thread = threading.Thread(target=self._read, args=(target.child.stdout,), daemon=True)
        self._thread.start()

    def _read(self, lines):
        for line in lines:
            frames = json.loads(line.decode("utf-8"))
            self.stacks.add(tuple((name, os.path.basename(file), n) for name, file, n in frames))

    def join(self):
        """All stacks, once the workload has ended."""
        self._thread.join(10)
        return self.stacks


def leaf_path(frames, leaf_file="mix30.py"):
    """The callers of the workload's leaf(), or None when the sample was taken elsewhere."""
    for at, (name, file, _) in enumerate(frames):
        if name == "leaf" and file == leaf_file:
            return tuple(frames[:at])
    return None


# A perl program that maps a file to be run, mmap(NULL, 65536, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0), and sleeps.
MAP_FILE = """
open(my $f, '<', $ARGV[0]) or die;
my $at = syscall(%d, 0, 65536, 5, 2, fileno($f), 0);
die if $at == -1;
$| = 1; print "up\\n"; sleep 60;
""" % {"x86_64": 9, "aarch64": 222}[platform.machine()]


# ---- native programs ----------------------------------------------------------------------------

def compile_cpp(source, output, *flags):
    argv = ["g++", "-std=c++20", "-O2", "-g0", "-fomit-frame-pointer", "-static-libstdc++", "-static-libgcc"]
    subprocess.run(argv + [os.path.join(WORKLOADS, source), "-o", str(output)] + list(flags), check=True, timeout=120)
    return str(output)


def build_native_rec(directory):
    """The recursion program and its library, next to each other; the program's path."""
    compile_cpp("native_rec.cpp", directory / "libstep.so", "-shared", "-fPIC", "-DSTEP_LIBRARY")
    return compile_cpp(
        "native_rec.cpp", directory / "native_rec", "-L%s" % directory, "-lstep", "-Wl,-rpath,$ORIGIN:/workloads")  # in a chroot without /proc $ORIGIN is unknown


def build_dl(directory):
    """[program, library a, library b]"""
    libraries = [
        compile_cpp("dl.cpp", directory / ("libburn_%s.so" % x), "-shared", "-fPIC", "-DDL_BURN=burn_%s" % x)
        for x in "ab"
    ]
    return [compile_cpp("dl.cpp", directory / "dl", "-ldl")] + libraries
