# SPDX-License-Identifier: Apache-2.0
# Prints "table first_line start:end:line ..." for the code objects of many modules of the standard
# library, with CPython's own idea of the lines ("-" = none). Runs on 2.7 and 3.6 or newer.
import binascii
import dis
import os

FOLDER = os.path.dirname(os.__file__)
MODULES = ["_pydecimal", "argparse", "asyncio/base_events", "collections/__init__", "dataclasses",
           "inspect", "pickle", "subprocess", "tarfile", "tokenize", "typing", "unittest/mock"]


def ranges(code):
    if hasattr(code, "co_lines"):
        return list(code.co_lines())
    starts = list(dis.findlinestarts(code))
    ends = [start for start, _ in starts[1:]] + [len(code.co_code)]
    return [(start, end, line) for (start, line), end in zip(starts, ends)]


def show(code):
    table = code.co_linetable if hasattr(code, "co_linetable") else code.co_lnotab
    parts = ["%d:%d:%s" % (start, end, "-" if line is None else line)
             for start, end, line in ranges(code)]
    print(" ".join([binascii.hexlify(table).decode("ascii") or ".", str(code.co_firstlineno)] + parts))
    for constant in code.co_consts:
        if hasattr(constant, "co_consts"):
            show(constant)


for module in MODULES:
    path = os.path.join(FOLDER, module + ".py")
    if os.path.exists(path):
        with open(path, "rb") as source:
            show(compile(source.read(), path, "exec"))
# A long body, jumps back and forth over many lines, code without a line.
show(compile("def f(a):\n" + "\n" * 3000 + "  with a as b:\n    for i in (\n\n\n  1, g(\n b)): pass\n" * 9,
             "long", "exec"))
