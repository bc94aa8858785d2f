# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
# A program with named threads and odd function names. Prints what a reader from outside should
# find, then obeys its standard input: "code" creates and drops a code object, "calls" calls
# functions. Answers each with "done". Runs on 2.7 and 3.6 or newer.
import binascii
import sys
import threading
import time

stop = threading.Event()
NEW = sys.version_info >= (3,)


def native_id():
    if hasattr(threading, "get_native_id"):
        return threading.get_native_id()
    import ctypes
    return ctypes.CDLL(None).syscall(186)


class Worker(threading.Thread):
    __slots__ = ()

    def run(self):
        tell(self)


class Many(threading.Thread):
    def __init__(self, **options):
        super(Many, self).__init__(**options)
        for number in range(60):  # more attributes than a class shares keys for
            setattr(self, "attribute_%d" % number, number)

    def run(self):
        tell(self)


lines = []


def tell(thread):
    lines.append("thread %d %s" % (native_id(), thread.name))
    stop.wait()


ODD = u"""
class Δ:
    def μέθοδος(self):
        return 1

def größe():
    return 计算()

def 计算():
    return 2

codes = [größe.__code__, 计算.__code__, Δ.μέθοδος.__code__]
"""
if NEW:
    names = {}
    exec(compile("\n" * 40 + ODD, "größe.py", "exec"), names)
    codes = names["codes"]
else:
    codes = [native_id.__code__, Worker.run.__func__.__code__, tell.__code__]
snake = codes[0]
if hasattr(snake, "co_qualname"):
    snake = snake.replace(co_qualname=u"naïve_🐍")
elif hasattr(snake, "replace"):
    snake = snake.replace(co_name=u"naïve_🐍")
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
while len(lines) < len(workers):
    time.sleep(0.01)
time.sleep(0.1)  # until all of them wait
lines.append("thread %d %s" % (native_id(), threading.current_thread().name))
for identity, frame in sys._current_frames().items():
    places = []
    while frame and identity != threading.current_thread().ident:
        name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
        places.append("%s@%d@%d" % (name.replace(" ", "_"), frame.f_lineno, frame.f_code.co_firstlineno))
        frame = frame.f_back
    if places:
        lines.append("stack " + " ".join(places))
bootstrap = vars(threading.Thread)["_bootstrap_inner" if NEW else "_Thread__bootstrap_inner"]
for code in codes + [snake, bootstrap.__code__]:
    table = code.co_linetable if hasattr(code, "co_linetable") else code.co_lnotab
    lines.append("code %d %d %s %s %s" % (id(code), code.co_firstlineno, str(binascii.hexlify(table).decode("ascii")),
                                          getattr(code, "co_qualname", code.co_name), code.co_filename))


def say(text):
    data = text + "\n"
    getattr(sys.stdout, "buffer", sys.stdout).write(data.encode("utf-8") if NEW else data)
    sys.stdout.flush()


# What a class says of its methods, for the reader to find from their first argument (to 3.10).
class Base(object):
    def plain(self):
        pass

    @classmethod
    def of_class(cls):
        pass

    @property
    def value(self):
        pass

    def __private(self):
        pass


class Derived(Base):
    pass


def no_method(self):
    pass


method_lines = []
derived = Derived()


def add_method(code, first, name):
    method_lines.append("method %d %d %d %d %s" % (id(code), code.co_firstlineno, id(first), id(type(first)), name))


add_method(vars(Base)["plain"].__code__, derived, "Base.plain")
add_method(vars(Base)["of_class"].__func__.__code__, Derived, "Base.of_class")
add_method(vars(Base)["value"].fget.__code__, derived, "Base.value")
add_method(vars(Base)["_Base__private"].__code__, derived, "Base.__private")
add_method(no_method.__code__, derived, "no_method")
say("\n".join(lines + method_lines + ["ready"]))


def call(count):
    return count and call(count - 1)


for line in iter(sys.stdin.readline, ""):
    if line == "code\n":
        compile("def f(): pass", "new", "exec")
    elif line == "calls\n":
        for number in range(1000):
            call(10)
    say("done")
