# SPDX-License-Identifier: Apache-2.0
"""One thread that computes all the time, one that does so a fifth of it, one that waits. Prints {"tids": {thread: tid},
"waits-here": [function, line], "burn_hot": its lines}, and for each line on stdin {thread: seconds of CPU} by their own
clocks. With --hostile names try to speak to a terminal.
"""

import json
import sys
import threading
import time

from compat import say

gate = threading.Lock()
gate.acquire()


def burn_hot():
    for _ in range(20000):
        pass


def burn_cold():
    for _ in range(20000):
        pass


def work():
    while True:
        burn_hot()


def work_at_times():
    while True:
        begin = time.time()
        burn_cold()
        time.sleep(4 * (time.time() - begin))


def wait_for_gate():
    gate.acquire()


EVIL = "evil \033]2;OWNED\007\033[2J\033[H\r\n\tzwei\u202e \u51fd\u6570 \udce9 \x9b31m"


def evil():
    code = burn_hot.__code__
    if hasattr(code, "co_qualname"):
        code = code.replace(co_qualname=EVIL, co_name=EVIL, co_filename="/tmp/" + EVIL)
    elif hasattr(code, "replace"):
        code = code.replace(co_name=EVIL, co_filename="/tmp/" + EVIL)
    burn_hot.__code__ = code
    work()


def main():
    hostile = "--hostile" in sys.argv
    threads = [threading.Thread(target=evil if hostile else work, name=EVIL if hostile else "hot-thread"),
               threading.Thread(target=work_at_times, name="cold-thread"),
               threading.Thread(target=wait_for_gate, name="waits-here")]
    for thread in threads:
        thread.daemon = True
        thread.start()
    time.sleep(0.3)
    line = wait_for_gate.__code__.co_firstlineno + 1
    first = burn_hot.__code__.co_firstlineno
    say(json.dumps({"tids": {t.name: getattr(t, "native_id", 0) for t in threads}, "waits-here": ["wait_for_gate", line],
                    "burn_hot": [first + 1, first + 2]}))
    while sys.stdin.readline():
        say(json.dumps({t.name: time.clock_gettime(time.pthread_getcpuclockid(t.ident)) for t in threads}))


main()
