# SPDX-License-Identifier: Apache-2.0
"""A ring and tables far too small and a daemon that stands still: ticks are lost and told, no stack is wrong."""

import re
import signal
import time

from harness import Capture, Truth, figure, folded, leaf_path, python_frames, total
from test_daemon import Daemon

TINY = """sampling:
  rate_hz: 499
limits:
  ring_bytes: 65536
  event_ring_bytes: 65536
  stacks: 64
  codes: 64
"""


def balance(log):
    """The last line of the daemon's log as a dict: where each tick went."""
    line = re.findall(r"balance: (.*)", log)[-1].split()
    return {name: int(value) for name, value in zip(line[::2], line[1::2])}


def test_every_tick_is_told_and_no_stack_is_wrong(any_python, tmp_path):
    with Daemon(tmp_path, TINY) as daemon:
        with any_python.start("mix30.py", "--depth", 10, "--seconds", 18) as target:
            assert target.line() == "ready"
            truth = Truth(target)
            request = ["snapshot", "--config", daemon.config, "-p", target.pid, "-d", 14, "-r", 499]
            with Capture(*request, output=tmp_path / "busy.folded") as capture:
                time.sleep(2)
                daemon.signal(signal.SIGSTOP)
                time.sleep(10)
                daemon.signal(signal.SIGCONT)
                stacks = folded(capture.finish(60))
            target.wait(60)
            known = truth.join()
        daemon.signal(signal.SIGTERM)
        daemon.wait(20)
    paths = [(leaf_path(python_frames(frames)), n) for frames, n in stacks]
    wrong = [path for path, _ in paths if path is not None and path not in known]
    assert not wrong, "not a stack of the program: %s" % (wrong[0],)
    with open(tmp_path / "daemon.log", encoding="utf-8") as file:
        ticks = balance(file.read())
    sent = ticks["tick"] + ticks["stack"]
    lost = ticks["lost_tick"] + ticks["lost_stack"]
    figure("overload_ticks", ticks["ticks"], "", "%d lost in the ring, %d samples in the snapshot" % (lost, total(stacks)))
    assert lost > 0, "the ring was meant to be too small: %s" % ticks
    fates = ("tick", "stack", "idle", "filtered", "lost_tick", "lost_stack", "lost_program")
    assert ticks["ticks"] == sum(ticks[name] for name in fates), ticks
    in_userspace = ("queue_full", "mapping_replaced", "unknown_stack", "malformed_record")
    assert sent == ticks["delivered"] + sum(ticks[name] for name in in_userspace), ticks
