# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Methods of many kinds that call each other, in a named thread; the innermost computes without the GIL.

methods.py [SECONDS]: prints the qualified names that the stack is to have, root first, as a JSON line.
"""

import functools
import json
import sys
import threading
import zlib

from compat import monotonic, say

DATA = b"x" * 4000000


def wrapped(function):
    @functools.wraps(function)
    def wrapper(self):
        return function(self)
    return wrapper


class Base(object):
    def compute(self):
        return zlib.crc32(DATA)

    @classmethod
    def make(cls):
        return cls().compute()

    @staticmethod
    def static():
        return Base.make()

    @property
    def value(self):
        return self.static()

    def captured(self):
        return (lambda: self.value)()

    def __private(self):
        return self.captured()

    @wrapped
    def decorated(self):
        return self.__private()

    anonymous = lambda self: self.decorated()  # noqa: E731


class Derived(Base):
    class Inner(object):
        def enter(self):
            return Derived().anonymous()


class Meta(type):
    def __call__(cls):
        return Derived.Inner().enter()


Made = Meta("Made", (object,), {})


class Old:
    def run(self):
        return Made()


class Older(Old):
    pass


def function(self):
    return self.run()


def work(end):
    while monotonic() < end:
        function(Older())


# A name of 2.7 is the class's alone: it has no qualified ones.
INNER = "Derived.Inner.enter" if sys.version_info[0] >= 3 else "Inner.enter"
NAMES = ["function", "Old.run", "Meta.__call__", INNER, "Base.<lambda>", "wrapper", "Base.decorated",
         "Base.__private", "Base.captured", "<lambda>", "Base.value", "static", "Base.make", "Base.compute"]
seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
thread = threading.Thread(target=work, args=(monotonic() + seconds,), name="worker-1")
thread.start()
say(json.dumps(NAMES))
thread.join()
