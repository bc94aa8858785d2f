# SPDX-License-Identifier: Apache-2.0
"""One busy thread and eight that wait, each in another way. Prints {"busy": tid, "blocked": {how: tid}}."""

import json
import os
import queue
import select
import socket
import subprocess
import sys
import threading
import time

tids = {}
started = threading.Barrier(10)


def spin():
    for _ in range(1000):
        pass


def busy(end):
    while time.monotonic() < end:
        spin()


def run(how, wait):
    tids[how] = threading.get_native_id()
    started.wait()
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
        threading.Thread(target=run, args=(how, wait), name=how, daemon=True).start()
    end = time.monotonic() + seconds + 1
    worker = threading.Thread(target=run, args=("busy", lambda: busy(end)), name="busy")
    worker.start()
    started.wait()
    time.sleep(1)
    print(json.dumps({"busy": tids.pop("busy"), "blocked": tids}), flush=True)
    worker.join()
    child.kill()
    sender.close()
    os.close(pipe_in)
    os._exit(0)


main()
