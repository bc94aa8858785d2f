#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stage of userspace/ includes only stages of lower rank, and a few headers and calls have one home."""

import os
import re
import sys

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RANKS = {
    "base": 0,
    "config": 1, "model": 1,
    "elf": 2, "probe": 2,
    "process": 3, "python": 3,
    "reader": 4, "debuginfod": 4, "symbolize": 4, "account": 4,
    "aggregate": 5,
    "engine": 6, "store": 6, "import": 6, "export": 6, "report": 6,
    "server": 7,
    "daemon": 8,
    "usdt": 4,
    "cli": 9,
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
# What may be used where: pattern over the text without comments and strings, stages or files, what to do instead.
HOMES = (
    (re.compile(r"(?<![\w.>:])(?:std::|::)?(?:exit|quick_exit)\s*\("), ("cli/", "daemon/"), "return a Result, cli/ and daemon/ exit"),
    (re.compile(r"\bspdlog::"), ("cli/", "daemon/", "base/log"), 'log with "userspace/base/log.h"'),
)
HEADER_HOMES = (
    (re.compile(r"^bpf/(libbpf|bpf|btf)\.h$|\.skel\.h$"), ("probe/",), "only probe/ uses libbpf"),
    (re.compile(r"^bcc/"), ("usdt/",), "only the helper program in usdt/ uses BCC, which brings LLVM along"),
    (re.compile(r"^spdlog/"), ("cli/", "daemon/", "base/log"), 'log with "userspace/base/log.h"'),
    (re.compile(r"^yaml-cpp/"), ("config/",), "only config/ reads YAML"),
    (re.compile(r"^Python\.h$"), (), "the profiled process's Python is never linked"),
)
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.S)


def blanked(text):
    """The text without comments and strings, every line still in its place."""
    return NOISE.sub(lambda match: "\n" * match.group(0).count("\n"), text)


def source_files(folder):
    for directory, _, names in os.walk(folder):
        for name in sorted(names):
            if name.endswith((".h", ".cpp", ".in")):
                yield os.path.join(directory, name)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def at_home(inner, homes):
    return any(inner.startswith(home) for home in homes)


def check_include(inner, stage, header):
    """What is wrong with the include, or None."""
    for pattern, homes, advice in HEADER_HOMES:
        if pattern.search(header) and not at_home(inner, homes):
            return "%s: %s" % (header, advice)
    match = re.match(r"userspace/(\w+)/", header)
    if not match or match.group(1) == stage:
        return None
    other = match.group(1)
    if other not in RANKS:
        return "%s: no such stage" % header
    if RANKS[other] >= RANKS[stage]:
        return "%s: rank %d may not include rank %d" % (header, RANKS[stage], RANKS[other])
    return None


def check_file(path, folder):
    inner = os.path.relpath(path, folder)
    stage = inner.split(os.sep)[0]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if stage not in RANKS:
        yield 1, "%s is not a stage: give it a rank in tests/lint/check_layers.py" % stage
        return
    for match in INCLUDE.finditer(text):
        wrong = check_include(inner, stage, match.group(1))
        if wrong:
            yield line_of(text, match.start(1)), wrong
    code = blanked(text)
    for pattern, homes, advice in HOMES:
        for match in pattern.finditer(code):
            if not at_home(inner, homes):
                yield line_of(code, match.start()), "%s: %s" % (match.group(0).strip(), advice)


def main():
    folder = os.path.join(sys.argv[1] if len(sys.argv) > 1 else REPO, "userspace")
    problems = files = 0
    for path in source_files(folder):
        files += 1
        for line, problem in check_file(path, folder):
            problems += 1
            print("%s:%d: %s" % (os.path.relpath(path, os.path.dirname(folder)), line, problem))
    print("check_layers: %d files, %d problems" % (files, problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
