# SPDX-License-Identifier: Apache-2.0
"""frames.py [SECONDS [DEPTH]]: every way in which one Python frame comes to lie on another, in turn; see truth.py.

Runs under every CPython: what needs async syntax is in frames_async.py.
"""

import collections
import ctypes
import ctypes.util
import functools
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import weakref
import zipfile

import truth
from truth import leaf

if sys.version_info >= (3, 6):
    import frames_async
else:
    frames_async = None

MODULE = "import truth\ndef inner():\n    return truth.leaf()\nvalue = inner()\n"


def case_plain():
    return leaf()


def case_lambda():
    return (lambda a: (lambda b: leaf())(a))(1)


def case_list_comprehension():
    return [leaf() for _ in (0,)]


def case_dict_comprehension():
    return {leaf(): [leaf() for _ in (1,)] for _ in (0,)}


def case_set_comprehension():
    return {leaf() for _ in (0,)}


def generate(depth):
    if depth:
        for value in generate(depth - 1):
            yield value
    else:
        yield leaf()
        yield leaf()


def case_generators():
    return sum(generate(5))


def case_generator_expression():
    return sum(leaf() for _ in (0,))


def receive():
    while True:
        value = yield
        if value is None:
            return
        leaf()


def case_generator_send():
    machine = receive()
    next(machine)
    machine.send(1)
    machine.close()


def catch():
    try:
        yield 1
    except KeyError:
        leaf()
    yield 2


def case_generator_throw():
    machine = catch()
    next(machine)
    machine.throw(KeyError("x"))


def close():
    try:
        yield 1
    finally:
        leaf()


def case_generator_close():
    machine = close()
    next(machine)
    machine.close()


DEPTH = 300 if len(sys.argv) < 3 else int(sys.argv[2])


def recurse(depth):
    return recurse(depth - 1) if depth else leaf()


def case_recursion():
    return recurse(DEPTH)


def even(depth):
    return sorted([0], key=lambda _: odd(depth - 1)) if depth else leaf()


def odd(depth):
    return even(depth - 1) if depth else leaf()


def case_recursion_through_c():
    return even(40)


def case_exec():
    exec(EXEC_CODE, {"leaf": leaf})


def case_exec_again():
    exec(compile("def made():\n\n    return leaf()\nmade()\n", "<made at run time>", "exec"), {"leaf": leaf})


def case_eval():
    return eval("(lambda: leaf())()", {"leaf": leaf})


def case_class_body():
    class Body(object):
        class Inner(object):
            value = leaf()

        def method(self):
            return leaf()

        @classmethod
        def of_class(cls):
            return leaf()

        @staticmethod
        def of_nothing():
            return leaf()

    Body().method()
    Body.of_class()
    return Body.of_nothing()


class Meta(type):
    def __new__(cls, name, bases, members):
        leaf()
        return type.__new__(cls, name, bases, members)

    def __call__(cls, *arguments):
        leaf()
        return type.__call__(cls, *arguments)


def case_metaclass():
    return Meta("Made", (object,), {})()


def decorate(function):
    leaf()

    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


def case_decorators():
    @decorate
    @decorate
    def decorated(value):
        return leaf()

    return decorated(1)


def case_partial():
    return functools.partial(functools.partial(leaf, 0.008))() + functools.partial(lambda a, b: leaf(), 1)(2)


def case_reduce():
    return functools.reduce(lambda a, b: leaf(), (1, 2))


def case_sort_key():
    return sorted([1, 2], key=lambda value: leaf(0.004))


def case_regex():
    return re.sub("x", lambda match: str(leaf()), "x")


def case_json():
    return json.dumps({"k": {1, 2}}, default=lambda value: leaf())


def case_map():
    return list(map(lambda value: leaf(), filter(lambda value: leaf(0.004), (1,))))


class Special(object):
    def __len__(self):
        return leaf()

    def __getattr__(self, name):
        return leaf()

    def __getitem__(self, key):
        return leaf()

    def __eq__(self, other):
        return leaf()

    def __hash__(self):
        return leaf()

    def __call__(self):
        return leaf()

    def __enter__(self):
        return leaf(0.004)

    def __exit__(self, *_):
        leaf(0.004)

    @property
    def value(self):
        return leaf()


def case_special_methods():
    special = Special()
    with special:
        return [len(special), special.missing, special[0], special == 1, {special: 1}, special(), special.value]


class Finalised(object):
    def __del__(self):
        leaf()


def case_finaliser():
    Finalised()


def case_weak_reference():
    target = Special()
    kept = weakref.ref(target, lambda _: leaf())
    del target
    return kept


def case_default_dict():
    return collections.defaultdict(lambda: leaf())["x"]


def case_traced():
    def trace(frame, event, argument):
        sys.settrace(None)
        leaf()

    def traced():
        pass

    sys.settrace(trace)
    traced()
    sys.settrace(None)


def case_signal():
    os.kill(os.getpid(), signal.SIGUSR1)
    for _ in range(1000):
        pass


def on_signal(number, frame):
    leaf()


COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
START = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
libc = ctypes.CDLL("libc.so.6")


def case_c_callback():
    def compare(a, b):
        return leaf()

    numbers = (ctypes.c_int * 2)(1, 2)
    libc.qsort(numbers, ctypes.c_size_t(2), ctypes.c_size_t(4), COMPARE(compare))


def foreign(_):
    return leaf()


def case_thread_of_c():
    """A thread that Python didn't start: its Python begins at the callback."""
    thread = ctypes.c_ulong()
    assert threads.pthread_create(ctypes.byref(thread), None, START_FOREIGN, None) == 0
    threads.pthread_join(thread, None)


START_FOREIGN = START(foreign)
threads = libc if hasattr(libc, "pthread_create") else ctypes.CDLL("libpthread.so.0")


def case_thread():
    thread = threading.Thread(target=case_plain)
    thread.start()
    thread.join()


def case_import():
    sys.modules.pop("plainly", None)
    import plainly
    return plainly.inner()


def case_zip():
    sys.modules.pop("zipped", None)
    import zipped
    return zipped.inner()


def case_async():
    if frames_async:
        frames_async.run()


EXEC_CODE = compile("def outer():\n    x = [leaf() for _ in (1,)]\n    return x\n\nouter()\nleaf()\n", "<kept>", "exec")


def main():
    end = truth.clock() + (float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
    sys.setrecursionlimit(20000)
    signal.signal(signal.SIGUSR1, on_signal)
    directory = tempfile.mkdtemp()
    with open(os.path.join(directory, "plainly.py"), "w") as file:
        file.write(MODULE)
    with zipfile.ZipFile(os.path.join(directory, "zip.zip"), "w") as file:
        file.writestr("zipped.py", MODULE)
    sys.path[:0] = [directory, os.path.join(directory, "zip.zip")]
    cases = [value for name, value in sorted(globals().items()) if name.startswith("case_")]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while truth.clock() < end:
        for case in cases:
            case()
    shutil.rmtree(directory)


main()
