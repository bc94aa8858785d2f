# SPDX-License-Identifier: Apache-2.0
# A program with named threads and odd function names. Prints what a reader from outside should
# find, then obeys its standard input: "code" creates and drops a code object, "calls" calls
# functions. Answers each with "done".
import sys
import threading

stop = threading.Event()
started = threading.Barrier(7)


class Worker(threading.Thread):
    __slots__ = ()

    def run(self):
        tell(self)


class Many(threading.Thread):
    def __init__(self, **options):
        super().__init__(**options)
        for number in range(60):  # more attributes than a class shares keys for
            setattr(self, "attribute_%d" % number, number)

    def run(self):
        tell(self)


lines = []


def tell(thread):
    lines.append("thread %d %s" % (threading.get_native_id(), thread.name))
    started.wait()
    stop.wait()


class Δ:
    def μέθοδος(self):
        return 1


def größe():
    return 计算()


def 计算():
    return 2


snake = größe.__code__.replace(co_qualname="naïve_🐍")
workers = [
    threading.Thread(target=lambda: tell(threading.current_thread()), name="plain"),
    Worker(name="größe-计算"),
    Many(name="many"),
    Worker(name="renamed-too-late"),
    threading.Thread(target=lambda: tell(threading.current_thread()), name="x" * 250),
    threading.Thread(target=lambda: tell(threading.current_thread())),
]
vars(workers[0])["extra"] = 1  # its attributes now are a dict
workers[3].name = "in time"
for worker in workers:
    worker.daemon = True
    worker.start()
lines.append("thread %d %s" % (threading.get_native_id(), threading.current_thread().name))
started.wait()
for code in (größe.__code__, 计算.__code__, Δ.μέθοδος.__code__, snake, threading.Thread._bootstrap_inner.__code__):
    lines.append("code %d %d %s %s %s" % (id(code), code.co_firstlineno, code.co_linetable.hex(),
                                          code.co_qualname, code.co_filename))
print("\n".join(lines + ["ready"]), flush=True)


def call(count):
    return count and call(count - 1)


for line in sys.stdin:
    if line == "code\n":
        compile("def f(): pass", "new", "exec")
    elif line == "calls\n":
        for number in range(1000):
            call(10)
    print("done", flush=True)
