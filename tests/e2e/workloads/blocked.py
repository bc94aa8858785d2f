# SPDX-License-Identifier: Apache-2.0
"""One busy thread and eight that wait, each in another way. Prints {"busy": tid, "blocked": {how: tid}}."""

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time

from compat import monotonic, native_id, say

try:
    import queue
except ImportError:  # 2.7
    import Queue as queue

tids = {}
go = threading.Event()


def spin():
    for _ in range(1000):
        pass


def busy(end):
    while monotonic() < end:
        spin()


def run(how, wait):
    tids[how] = native_id()
    go.wait()
    wait()


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    lock = threading.Lock()
    lock.acquire()
    receiver, sender = socket.socketpair()
    pipe_out, pipe_in = os.pipe()
    poller = select.epoll()
    poller.register(receiver.fileno(), select.EPOLLPRI)
    child = subprocess.Popen(["/bin/sleep", str(seconds + 60)])
    waits = {
        "sleep": lambda: time.sleep(seconds + 60),
        "lock": lock.acquire,
        "queue": queue.Queue().get,
        "event": threading.Event().wait,
        "recv": lambda: receiver.recv(1),
        "epoll": poller.poll,
        "waitpid": child.wait,
        "read": lambda: os.read(pipe_out, 1),
    }
    for how, wait in waits.items():
        thread = threading.Thread(target=run, args=(how, wait), name=how)
        thread.daemon = True
        thread.start()
    end = monotonic() + seconds + 1
    worker = threading.Thread(target=run, args=("busy", lambda: busy(end)), name="busy")
    worker.start()
    while len(tids) < len(waits) + 1:
        time.sleep(0.01)
    go.set()
    time.sleep(1)
    say(json.dumps({"busy": tids.pop("busy"), "blocked": tids}))
    worker.join()
    child.kill()
    sender.close()
    os.close(pipe_in)
    os._exit(0)


main()
