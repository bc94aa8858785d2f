# SPDX-License-Identifier: Apache-2.0
"""For workloads: leaf() burns CPU and prints the stack it was called from, by the interpreter's own account.

Each distinct stack is printed once, as a JSON line of [qualname, file, line], root first. Runs under every CPython.
"""

import json
import sys
import threading
import time

clock = getattr(time, "monotonic", time.time)
seen = set()
printing = threading.Lock()


def class_of(frame):
    """Before 3.11 a code object doesn't know its class: that of `self` or `cls` stands for it."""
    code = frame.f_code
    first = code.co_varnames[:1] if code.co_argcount else ()
    if not first or first[0] not in ("self", "cls") or first[0] in code.co_cellvars:
        return ""
    value = frame.f_locals.get(first[0])
    owner = value if isinstance(value, type) else type(value)
    return owner.__name__ + "."


def name_of(frame):
    code = frame.f_code
    return getattr(code, "co_qualname", None) or class_of(frame) + code.co_name


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
