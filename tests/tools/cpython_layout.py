#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints where the members are that the profiler reads, as the C compiler sees them: the truth for the tables of
userspace/python/versions_legacy.cpp.

    cpython_layout.py INCLUDE    a folder with Python.h of CPython 2.7 or 3.6 to 3.10

One line each: FIELD OFFSET, FIELD as in wire_python_config or VersionRow. A field that this version lacks is left out.
Exit 2 without a compiler or the headers. To add a version, add a row there and run python_layout_test.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

HEADERS = """
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include <stddef.h>
#include <stdio.h>
#if PY_MAJOR_VERSION == 3 && PY_MINOR_VERSION == 7
#include "internal/pystate.h"
#elif PY_MAJOR_VERSION == 3 && PY_MINOR_VERSION >= 8
#include "internal/pycore_pystate.h"
#endif
#if PY_MAJOR_VERSION == 3 && PY_MINOR_VERSION >= 9
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"
#endif
"""

# field: (type, member) of each name that it had; the first that compiles counts
FIELDS = {
    "runtime_bytes": [("struct pyruntimestate", ""), ("_PyRuntimeState", "")],
    "runtime_key": [("_PyRuntimeState", "gilstate.autoTSSkey")],
    "runtime_current": [("_PyRuntimeState", "gilstate.tstate_current")],
    "interpreters_head": [("_PyRuntimeState", "interpreters.head")],
    "interp_next": [("struct _is", "next")],
    "interp_threads": [("struct _is", "tstate_head")],
    "interp_modules": [("struct _is", "modules")],
    "interp_id": [("struct _is", "id")],
    "interp_gc_collecting": [("struct _is", "gc.collecting")],
    "ts_interp": [("struct _ts", "interp")],
    "ts_next": [("struct _ts", "next")],
    "ts_frame": [("struct _ts", "frame")],
    "ts_thread_id": [("struct _ts", "thread_id")],
    "frame_previous": [("PyFrameObject", "f_back")],
    "frame_code": [("PyFrameObject", "f_code")],
    "frame_ip": [("PyFrameObject", "f_lasti")],
    "frame_locals": [("PyFrameObject", "f_localsplus")],
    "code_argcount": [("PyCodeObject", "co_argcount")],
    "code_nlocals": [("PyCodeObject", "co_nlocals")],
    "code_varnames": [("PyCodeObject", "co_varnames")],
    "code_cell2arg": [("PyCodeObject", "co_cell2arg")],
    "code_first_line": [("PyCodeObject", "co_firstlineno")],
    "code_filename": [("PyCodeObject", "co_filename")],
    "code_qualname": [("PyCodeObject", "co_name")],
    "code_linetable": [("PyCodeObject", "co_linetable"), ("PyCodeObject", "co_lnotab")],
    "code_zombieframe": [("PyCodeObject", "co_zombieframe")],
    "str_length": [("PyASCIIObject", "length"), ("PyStringObject", "ob_size")],
    "str_hash": [("PyASCIIObject", "hash"), ("PyStringObject", "ob_shash")],
    "str_state": [("PyASCIIObject", "state")],
    "str_ascii_data": [("PyASCIIObject", ""), ("PyStringObject", "ob_sval")],
    "str_compact_data": [("PyCompactUnicodeObject", ""), ("PyStringObject", "ob_sval")],
    "bytes_size": [("PyVarObject", "ob_size")],
    "bytes_data": [("PyBytesObject", "ob_sval")],
    "function_code": [("PyFunctionObject", "func_code")],
    "function_closure": [("PyFunctionObject", "func_closure")],
    "function_name": [("PyFunctionObject", "func_qualname"), ("PyFunctionObject", "func_name")],
    "type_name": [("PyTypeObject", "tp_name")],
    "type_flags": [("PyTypeObject", "tp_flags")],
    "type_dict": [("PyTypeObject", "tp_dict")],
    "type_mro": [("PyTypeObject", "tp_mro")],
    "type_dict_offset": [("PyTypeObject", "tp_dictoffset")],
}


def program(choices):
    lines = []
    for field, (kind, member) in choices.items():
        value = "offsetof(%s, %s)" % (kind, member) if member else "sizeof(%s)" % kind
        lines.append('printf("%s %%zu\\n", (size_t)(%s));' % (field, value))
    return HEADERS + "int main(void) {\n" + "\n".join(lines) + "\nreturn 0;\n}\n"


def failed_fields(source, messages):
    """Fields whose line the compiler refused."""
    text = source.splitlines()
    numbers = {int(n) for n in re.findall(r"layout\.c:(\d+):\d+: error", messages)}
    return {m.group(1) for n in numbers if (m := re.match(r'printf\("(\w+) ', text[n - 1]))}


def measure(compiler, include, folder):
    left = {field: list(names) for field, names in FIELDS.items()}
    path = os.path.join(folder, "layout.c")
    while left:
        source = program({field: names[0] for field, names in left.items()})
        with open(path, "w", encoding="ascii") as file:
            file.write(source)
        folders = ["-I", include, "-I", os.path.join(include, "internal")]
        argv = [compiler, "-w", "-fmax-errors=0"] + folders + [path, "-o", path[:-2]]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        messages = done.stderr.decode("utf-8", "replace")
        if done.returncode == 0:
            return subprocess.run([path[:-2]], stdout=subprocess.PIPE, check=True).stdout.decode("ascii")
        failed = failed_fields(source, messages)
        if not failed:
            sys.stderr.write(messages)
            sys.exit(2)
        for field in failed:
            left[field].pop(0)
        left = {field: names for field, names in left.items() if names}
    sys.exit("cpython_layout: no member compiles against %s" % include)


def main():
    compiler = shutil.which("cc") or shutil.which("gcc")
    if len(sys.argv) != 2 or compiler is None or not os.path.exists(os.path.join(sys.argv[1], "Python.h")):
        sys.stderr.write(__doc__)
        sys.exit(2)
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(measure(compiler, sys.argv[1], folder))


if __name__ == "__main__":
    main()
