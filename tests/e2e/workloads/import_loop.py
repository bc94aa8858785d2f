# SPDX-License-Identifier: Apache-2.0
"""Imports modules again and again, and works in between; a second thread computes meanwhile.

Waits for a line on stdin, works for the seconds given, then prints {"import_s": ..., "cpu_s": ...}: CPU time of the
main thread inside import statements, and all of it.
"""

import json
import sys
import threading

from compat import monotonic, say, thread_time

PACKAGES = ("email", "http", "xml", "logging")


def forget():
    for name in list(sys.modules):
        if name.split(".")[0] in PACKAGES:
            del sys.modules[name]


def load():
    begun = thread_time()
    import email.mime.multipart  # noqa: F401
    import http.server  # noqa: F401
    import logging.config  # noqa: F401
    import xml.dom.minidom  # noqa: F401
    return thread_time() - begun


def work(seconds):
    end = thread_time() + seconds
    i = 0
    while thread_time() < end:
        for _ in range(1000):
            i += 1


def other(end):
    while monotonic() < end:
        work(0.01)


def main():
    say("ready")
    sys.stdin.readline()
    end = monotonic() + float(sys.argv[1])
    beside = threading.Thread(target=other, args=(end,), name="beside")
    beside.start()
    begin = thread_time()
    import_s = 0.0
    while monotonic() < end:
        forget()
        import_s += load()
        work(0.02)
    cpu_s = thread_time() - begin
    beside.join()
    say(json.dumps({"import_s": import_s, "cpu_s": cpu_s}))
    sys.stdin.readline()


main()
