# SPDX-License-Identifier: Apache-2.0
# Builds the stack that stdin asks for, prints it ("qualname<TAB>line<TAB>file", innermost first,
# then "ready"), stops itself.
import functools
import os
import signal
import sys


def qualified_name(frame):
    """Before 3.11: the name with the class of the first argument, which defines all methods here."""
    code = frame.f_code
    if hasattr(code, "co_qualname"):
        return code.co_qualname
    if code.co_argcount and code.co_varnames[0] == "self":
        return type(frame.f_locals["self"]).__name__ + "." + code.co_name
    return code.co_name


def tell(frame):
    lines = []
    while frame:
        code = frame.f_code
        lines.append("%s\t%d\t%s" % (qualified_name(frame), frame.f_lineno, code.co_filename))
        frame = frame.f_back
    print("\n".join(lines) + "\nready", flush=True)


def stop():
    tell(sys._getframe()); os.kill(os.getpid(), signal.SIGSTOP)


def deep(n):
    if n > 1:
        return deep(n - 1)
    stop()


def through_c(n):
    if n == 0:
        return stop()
    return sorted([1], key=lambda _: through_c(n - 1))


class Größe:
    def __call__(self, n):
        return list(map(self.ελληνικά, [n]))

    def ελληνικά(self, n):
        def 名前():
            yield from self.generator(n)
        return [x for x in 名前()]

    def generator(self, n):
        yield functools.reduce(lambda a, b: through_c(n), [1, 2])


FOREIGN = """
class Outer:
    class Inner:
        def method(self, function, n):
            # a comment
            return (
                function(n)
            )
def start(function, n):
    return Outer.Inner().method(function, n)
"""


def mix(n):
    names = {}
    exec(compile(FOREIGN, "/srv/dépôt/foreign.py", "exec"), names)
    names["start"](Größe(), n)


def twins(n):
    names = {}
    exec("def alpha(f, g): return f(g)", names)
    exec("def beta(f): return f()", names)
    names["alpha"](names["beta"], stop)


sys.setrecursionlimit(20000)
WANTED, COUNT = sys.stdin.readline().split()
{"deep": deep, "mix": mix, "through_c": through_c, "twins": twins}[WANTED](int(COUNT))
