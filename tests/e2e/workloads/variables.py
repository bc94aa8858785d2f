# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""A thread that waits with local variables of every kind. Prints {function: {variable: text}} as the interpreter itself
sees them (sys._current_frames), then waits for a line on stdin.
"""

import collections
import json
import sys
import threading
import time

from compat import say

TEXT_BYTES, ITEMS, DEPTH = 120, 8, 2
gate = threading.Lock()
gate.acquire()


class Account(object):
    pass


def describe(value, depth=0):
    kind = type(value)
    if value is None or kind in (bool, int, float) or kind.__name__ == "long":
        return repr(value)
    if kind in (str, bytes):
        return repr(value[:TEXT_BYTES]) + ("..." if len(value) > TEXT_BYTES else "")
    if kind not in (list, tuple, dict):
        module = kind.__module__
        return "<%s%s object>" % ("" if module in ("builtins", "__builtin__") else module + ".", kind.__name__)
    left, right = {list: "[]", tuple: "()", dict: "{}"}[kind]
    if depth >= DEPTH:
        return left + "..." + right
    if kind is dict:
        items = ["%s: %s" % (describe(k, depth + 1), describe(v, depth + 1)) for k, v in list(value.items())[:ITEMS]]
    else:
        items = [describe(item, depth + 1) for item in value[:ITEMS]]
    items += ["..."] if len(value) > ITEMS else []
    return left + ", ".join(items) + ("," if kind is tuple and len(value) == 1 else "") + right


def plain(first, second=2, *rest, **options):
    nothing, yes, no = None, True, False
    zero, small, negative, large, huge = 0, 7, -123456789, 2 ** 62 + 1, -(3 ** 300)
    enormous_bits = (2 ** 3000).bit_length()
    half, whole, tiny, vast, not_a_number, minus = 0.5, 3.0, 1.5e-7, 1e22, float("nan"), -float("inf")
    text, empty, quotes, long_text = "plain", "", "it's \"so\"", "x" * 500
    data = b"bytes 1"
    gone = 1
    del gone
    return containers(large)


def containers(number):
    a_list, a_tuple, single, none = [1, "two", None, 4.5], (1, (2, (3, (4,)))), ("one",), []
    many = list(range(100))
    deep = [[[[1]]]]
    cycle = [0]
    cycle.append(cycle)
    table = collections.OrderedDict().__class__ and {"only": [1, {"in": 2}]}
    empty_table = {}
    account = Account()
    account.table = table
    function, lock, kind = describe, gate, Account
    return outer(number, "captured")


def outer(argument, cell_argument):
    shared = ["in a cell"]
    later = 5

    def inner(own):
        free = (shared, cell_argument)
        password, api_key, plain_name = "hunter2", "abc", "shown"
        connection = {"host": "db-1", "auth_token": "xyz"}
        if sys.version_info >= (3,):
            unicode_text, wide_text, smile = u"gr\u00fc\u00df", u"\u51fd\u6570", u"\U0001f600!"
        gate.acquire()
        gate.release()
        return free, later, own
    return inner(argument)


def generator(start):
    inside = start + 1
    yield plain(inside)


def drive():
    for _ in generator(41):
        pass


def main():
    thread = threading.Thread(target=drive)
    thread.daemon = True
    thread.start()
    time.sleep(0.3)
    frame = sys._current_frames()[thread.ident]
    truth = {}
    while frame:
        if frame.f_code.co_filename == describe.__code__.co_filename:
            truth[frame.f_code.co_name] = {name: describe(value) for name, value in dict(frame.f_locals).items()}
        frame = frame.f_back
    say(json.dumps(truth))
    sys.stdin.readline()


main()
