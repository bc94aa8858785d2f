# SPDX-License-Identifier: Apache-2.0
"""`top`, used in a terminal of tmux's as its users do, and by scripts."""

import json
import os
import re
import shlex
import signal
import subprocess
import time

import pytest

import harness
from harness import figure, wait_until


class Tmux:
    """A terminal of its own: a tmux server that nobody else talks to, with a shell in it."""

    def __init__(self, directory, columns=110, rows=30):
        self.base = ["tmux", "-S", str(directory / "socket"), "-f", "/dev/null"]
        self.directory = directory
        self.columns, self.rows = columns, rows

    def __enter__(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TMUX")}
        environment.update(LC_ALL="C.UTF-8")
        subprocess.run(self.base + ["new-session", "-d", "-x", str(self.columns), "-y", str(self.rows), "-c", str(self.directory),
                                    "env 'PS1=prompt$ ' bash --norc --noprofile"], env=environment, check=True, timeout=20)
        self.wait("prompt")
        return self

    def __exit__(self, *_):
        subprocess.run(self.base + ["kill-server"], check=False, timeout=20)

    def keys(self, *keys):
        subprocess.run(self.base + ["send-keys"] + list(keys), check=True, timeout=20)

    def type(self, text):
        subprocess.run(self.base + ["send-keys", "-l", text], check=True, timeout=20)

    def ask(self, what):
        done = subprocess.run(self.base + ["display-message", "-p", what], check=True, stdout=subprocess.PIPE, timeout=20)
        return done.stdout.decode().strip()

    def screen(self):
        done = subprocess.run(self.base + ["capture-pane", "-p"], check=True, stdout=subprocess.PIPE, timeout=20)
        return done.stdout.decode("utf-8")

    def wait(self, pattern, limit_s=30):
        """The screen, once it has the pattern."""
        shown = []

        def there():
            time.sleep(0.08)
            shown.append(self.screen())
            return re.search(pattern, shown[-1])
        try:
            wait_until(there, limit_s, repr(pattern))
        except AssertionError:
            raise AssertionError("no %r on the screen:\n%s" % (pattern, shown[-1])) from None
        return shown[-1]

    def resize(self, columns, rows):
        subprocess.run(self.base + ["resize-window", "-x", str(columns), "-y", str(rows)], check=True, timeout=20)

    def run(self, *arguments):
        self.type("clear; %s\n" % shlex.join([harness.BINARY] + [str(a) for a in arguments]))

    def child(self):
        """The program that runs in the shell."""
        shell = self.ask("#{pane_pid}")
        with open("/proc/%s/task/%s/children" % (shell, shell), encoding="ascii") as file:
            return int(file.read().split()[0])

    def check_sane(self):
        """The shell has its screen, its cursor and its echo back."""
        self.wait("prompt")
        assert self.ask("#{alternate_on} #{cursor_flag}") == "0 1"
        self.type("echo it is $((40 + 2)) here\n")
        self.wait("it is 42 here")
        assert "echo it is $((40" in self.screen(), "the shell echoes what is typed"


@pytest.fixture(name="terminal")
def make_terminal(tmp_path):
    with Tmux(tmp_path) as terminal:
        yield terminal


@pytest.fixture(name="busy")
def start_busy(any_python):
    with any_python.start("live.py") as target:
        target.truth = json.loads(target.line())
        target.version = any_python.version
        yield target


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_views_and_keys(busy, terminal, tmp_path):
    terminal.run("top", "-p", busy.pid, "--no-daemon")
    screen = terminal.wait(r"[1-9]\d*\.\d +[\d.]+ +hot-thread")
    rows = {m.group(2): float(m.group(1)) for m in re.finditer(r"^ *\d+ +\S +([\d.]+) +[\d.]+ +(\S+)", screen, re.M)}
    assert max(rows, key=rows.get) == "hot-thread", screen
    assert "waits-here" in rows and "[F2 Threads]" in screen
    terminal.wait(r"hot-thread +burn_hot")
    terminal.keys("Enter")
    screen = terminal.wait(r"\[F3 Functions\]")
    tid = busy.truth["tids"]["hot-thread"]
    assert "pid %d > thread %d" % (busy.pid, tid) in screen, screen
    assert "burn_cold" not in terminal.wait(r"burn_hot +live.py:\d+")
    terminal.type("/burn_")
    terminal.keys("Enter")
    terminal.wait("filter: burn_")
    terminal.keys("Enter")
    screen = terminal.wait(r"\[F4 Tree\]")
    assert re.search(r"Thread\.run.*\n.*work.*\n.*burn_hot", screen), screen
    terminal.keys("BSpace", "BSpace")
    terminal.wait(r"\[F2 Threads\]")
    terminal.keys("F5")
    screen = terminal.wait(r"\[F5 Stacks\]")
    place = "%s (live.py:%d)" % tuple(busy.truth["waits-here"])
    assert re.search(r'"waits-here" \(sleeping\)\n(?:    .*\n)*?    %s' % re.escape(place), screen), screen
    terminal.keys("F1")
    assert re.search(r"^ *%d +[\d.]+ " % busy.pid, terminal.wait(r"PYTHON +CONTAINER"), re.M)
    terminal.type("?")
    terminal.wait("Backspace +back again")
    terminal.type(" wf")
    terminal.wait("written: .*svg")
    terminal.type("p")
    terminal.wait("PAUSED")
    time.sleep(0.3)
    still = terminal.screen()
    time.sleep(1.5)
    assert terminal.screen() == still
    terminal.resize(80, 24)
    screen = terminal.wait(r"PYTHON")
    terminal.type("p2")
    screen = terminal.wait(r"(?s)\[F2 Threads\].*hot-thread")
    assert len(screen.rstrip("\n").split("\n")) <= 24 and "q quit" in screen.rstrip().split("\n")[-1], screen
    terminal.type("q")
    terminal.check_sane()
    written = sorted(p.name for p in tmp_path.glob("pyebpf-prof-*"))
    assert [name.rsplit(".", 1)[1] for name in written] == ["svg", "txt"]
    report = (tmp_path / written[1]).read_text(encoding="utf-8")
    assert "burn_hot (live.py:" in report and "hot-thread" in report
    assert "burn_hot" in (tmp_path / written[0]).read_text(encoding="utf-8")


def test_from_all_processes_to_the_line_that_runs(busy, terminal):
    terminal.run("top", "--no-daemon")
    terminal.wait(r"\[F1 Processes\]")
    terminal.type("/live.py")
    terminal.keys("Enter")
    screen = terminal.wait(r"(?m)^ *%d +[01]\.\d\d .* %s " % (busy.pid, re.escape(busy.version)))
    assert "all processes" in screen
    terminal.keys("Enter")
    terminal.wait(r"hot-thread +burn_hot \(live.py:")
    terminal.keys("Enter")
    terminal.type("L")
    terminal.wait(r"burn_hot +live.py:(%s)\b" % "|".join(str(n) for n in busy.truth["burn_hot"]))
    terminal.keys("BSpace", "BSpace")
    terminal.wait(r"filter: live.py")
    terminal.type("q")
    terminal.check_sane()


def test_a_signal_leaves_the_terminal_sane(busy, terminal):
    terminal.run("top", "-p", busy.pid, "--no-daemon")
    terminal.wait("hot-thread")
    assert terminal.ask("#{alternate_on} #{cursor_flag}") == "1 0"
    os.kill(terminal.child(), signal.SIGTERM)
    terminal.check_sane()
    # The same when the process that is looked at ends.
    terminal.run("top", "-p", busy.pid, "--no-daemon")
    terminal.wait("hot-thread")
    busy.child.kill()
    terminal.wait(r"\(ended\)")
    terminal.type("q")
    terminal.check_sane()


def test_hostile_names_reach_no_terminal(any_python, terminal):
    with any_python.start("live.py", "--hostile") as target:
        target.line()
        terminal.run("top", "-p", target.pid, "--no-daemon")
        for view in ("F2", "F3", "F4", "F5"):
            terminal.keys(view)
            screen = terminal.wait(r"(?s)\[%s.*evil" % view)
            assert "OWNED" not in terminal.ask("#{pane_title}")
            assert screen.count("pid %d python" % target.pid) == 1, screen
        terminal.type("q")
        terminal.check_sane()


def test_plain_picture_for_scripts(busy):
    def clocks():
        busy.go()
        return json.loads(busy.line())
    before = clocks()
    done = harness.run("top", "-p", busy.pid, "--once", "--plain", "-d", 3)
    after = clocks()
    spent = {name: after[name] - before[name] for name in after}
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    said = {m.group(2): float(m.group(1)) for m in re.finditer(r"^ *\d+  \S +([\d.]+) +[\d.]+  (\S+)", done.stdout, re.M)}
    for name in ("hot-thread", "cold-thread"):
        truth, share = spent[name] / sum(spent.values()), said[name] / sum(said.values())
        figure("top_share[%s]" % name, 100 * share, "%", "its own clock says %.1f" % (100 * truth))
        assert abs(truth - share) < 0.05
    assert re.search(r"burn_hot  live.py:\d+", done.stdout)
    family = harness.run("top", "-p", busy.pid, "-s", "-g", "--once", "-d", 1)
    assert re.search(r"^ *%d +[01]\.\d\d +[1-9]" % busy.pid, family.stdout, re.M), family.stdout + family.stderr
    alone = harness.run("top")
    assert alone.returncode == harness.EXIT_USAGE and "--once --plain" in alone.stderr
    assert harness.run("top", "-p", 4194000, "--once").returncode == harness.EXIT_NO_PROCESS


def test_record_shows_progress_and_writes_on_ctrl_c(busy, terminal, tmp_path):
    terminal.run("record", "-o", "profile.svg", "-d", 60, "-p", busy.pid, "--no-daemon")
    terminal.wait(r"sampling, [1-9]\d* of 60 s, [1-9]\d* samples, \d+ lost; Ctrl-C ends it early")
    terminal.keys("C-c")
    terminal.wait("samples [1-9]")
    terminal.type("echo exit $?\n")
    screen = terminal.wait(r"exit 0")
    assert "sampling," not in screen, screen
    assert "burn_hot" in (tmp_path / "profile.svg").read_text(encoding="utf-8")
    done = harness.run("record", "-o", tmp_path / "quiet.svg", "-d", 1, "-p", busy.pid)
    assert done.returncode == 0 and done.stderr.count("\n") == 1 and "\r" not in done.stderr


def test_costs_little(busy, terminal):
    terminal.run("top", "-p", busy.pid, "--no-daemon", "--view", "functions")
    terminal.wait("burn_hot")
    pid, begin_s, begin = terminal.child(), cpu_seconds(terminal.child()), time.monotonic()
    time.sleep(5)
    share = 100 * (cpu_seconds(pid) - begin_s) / (time.monotonic() - begin)
    figure("top_cpu", share, "%", "of a core, one busy process at 99 Hz, a picture a second")
    assert share < 6, "1 % on a quiet machine"
