#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A path of this repository that a comment or document names must exist."""

import os
import re
import subprocess
import sys

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOP = ("bpf", "userspace", "config", "packaging", "tests")
# A top folder and what follows; a star or a letter in capitals stands for several, and is only checked up to there.
PATH = re.compile(r"(?<![\w./<${}-])((?:%s)/[\w./*{},-]*)" % "|".join(TOP))
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
COMMENTED = (".h", ".c", ".cpp", ".py", ".sh", ".cmake", ".yaml", ".yml", ".txt", ".in")
# Headers of libraries whose folder has the name of one of ours.
FOREIGN = re.compile(r"^bpf/(bpf_|libbpf|bpf\.h|btf\.h)")


def tracked_files():
    argv = ["git", "-C", REPO, "ls-files", "-co", "--exclude-standard"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    return sorted(name for name in done.stdout.decode().splitlines() if os.path.isfile(os.path.join(REPO, name)))


def comments(name, text):
    """(line number, comment text) of a source file, or every line of a document."""
    for number, line in enumerate(text.splitlines(), 1):
        if name.endswith(".md"):
            yield number, line
        elif name.endswith((".py", ".sh", ".cmake", ".yaml", ".yml", ".txt")):
            if "#" in line:
                yield number, line.split("#", 1)[1]
        else:
            match = re.search(r"//(.*)|/\*(.*)|^\s*\*(.*)", line)
            if match:
                yield number, next(group for group in match.groups() if group is not None)


def expand(path):
    """probe/side_band.{h,cpp} names two files."""
    match = re.search(r"\{([^{}]*)\}", path)
    if not match:
        return [path]
    return [p for part in match.group(1).split(",") for p in expand(path[: match.start()] + part + path[match.end() :])]


def exists(path):
    if "*" in path:
        path = os.path.dirname(path[: path.index("*")])
    return os.path.exists(os.path.join(REPO, path))


def missing(name, text):
    folder = os.path.dirname(os.path.join(REPO, name))
    for number, comment in comments(name, text):
        for match in PATH.finditer(comment):
            if FOREIGN.match(match.group(1)) or re.search(r"[A-Z]{3,}", match.group(1).replace("README", "")):
                continue
            for path in expand(match.group(1).rstrip(".,-")):
                if not exists(path):
                    yield number, path
        if name.endswith(".md"):
            for match in LINK.finditer(comment):
                if not os.path.exists(os.path.join(folder, match.group(1))):
                    yield number, match.group(1)


def main():
    problems = files = 0
    for name in tracked_files():
        if not name.endswith(COMMENTED + (".md",)):
            continue
        files += 1
        with open(os.path.join(REPO, name), encoding="utf-8", errors="replace") as file:
            for number, path in missing(name, file.read()):
                problems += 1
                print("%s:%d: %s is not there" % (name, number, path))
    print("check_docs_paths: %d files, %d problems" % (files, problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
