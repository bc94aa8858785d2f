# SPDX-License-Identifier: Apache-2.0
"""For workloads: leaf() burns CPU and prints the stack it was called from, by the interpreter's own account.

Each distinct stack is printed once, as a JSON line of [qualname, file, line], root first. Runs under every CPython.
"""

import inspect
import json
import sys
import threading
import time

clock = getattr(time, "monotonic", time.time)
seen = set()
printing = threading.Lock()


def functions_in(value, depth=0):
    """The functions that an attribute of a class leads to: also those in properties, wrappers and decorators' cells."""
    if depth > 3:
        return
    if hasattr(value, "__code__"):
        yield value
    inner = [getattr(value, name, None) for name in ("__func__", "fget", "fset", "fdel", "func")]
    for cell in getattr(value, "__closure__", None) or ():
        try:
            inner.append(cell.cell_contents)
        except ValueError:  # empty
            pass
    for each in inner:
        if each is not None and not isinstance(each, type):
            for function in functions_in(each, depth + 1):
                yield function


def name_in_class(frame):
    """Before 3.11 a code object doesn't know its class: the one among the bases of `self` or `cls` that has it does."""
    code = frame.f_code
    first = code.co_varnames[:1] if code.co_argcount else ()
    if not first or first[0] not in ("self", "cls") or first[0] in code.co_cellvars:
        return code.co_name
    value = frame.f_locals.get(first[0])
    owners = inspect.getmro(value) if isinstance(value, type) else ()
    for owner in owners + inspect.getmro(type(value)):
        for member in list(vars(owner).values()):
            for function in functions_in(member):
                if function.__code__ is code and function.__name__ == code.co_name:
                    return getattr(function, "__qualname__", owner.__name__ + "." + code.co_name)
    return code.co_name


def name_of(frame):
    return getattr(frame.f_code, "co_qualname", None) or name_in_class(frame)


def stack_of(frame):
    stack = []
    while frame is not None:
        stack.append((name_of(frame), frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return tuple(reversed(stack))


def burn(seconds):
    end = clock() + seconds
    while clock() < end:
        for _ in range(500):
            pass


def say(value):
    with printing:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()


def leaf(seconds=0.008):
    burn(seconds)
    stack = stack_of(sys._getframe(1))
    if stack not in seen:
        seen.add(stack)
        say(stack)
    return 1
