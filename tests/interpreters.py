# SPDX-License-Identifier: Apache-2.0
"""Prints the CPythons that can be run here as a JSON list, one object each:

name            unique, usable in a file name
version         "3.14.10"
argv            how to start it, to be followed by Python's own arguments
kind            "shared" (libpython is a library of its own) or "static"
chroot          the root it runs in or null; workloads are in /workloads there
free_threaded   true for a build without the GIL
supported       whether the profiler is to name its frames
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys

FIRST_SUPPORTED = (3, 6)  # and 2.7
LAST_SUPPORTED = (3, 15)
PROBE = (
    "import sys, sysconfig; sys.stdout.write('%d.%d.%d %d' % "
    "(sys.version_info[:3] + (sysconfig.get_config_var('Py_GIL_DISABLED') or 0,)))"
)


def probe(argv):
    """(version, free_threaded), or None if it does not run."""
    try:
        done = subprocess.run(argv + ["-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.decode(errors="replace").split()
    if done.returncode != 0 or len(words) != 2:
        return None
    return words[0], words[1] == "1"


def needs_libpython(path):
    done = subprocess.run(["readelf", "-d", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return b"libpython" in done.stdout


def describe(prefix, argv, kind, root=None):
    found = probe(argv)
    if found is None:
        return None
    version, free_threaded = found
    series = tuple(int(part) for part in version.split(".")[:2])
    return {
        "name": "%s%s-%s-%s" % (version, "t" if free_threaded else "", kind, prefix),
        "version": version,
        "argv": argv,
        "kind": kind,
        "chroot": root,
        "free_threaded": free_threaded,
        "supported": (series == (2, 7) or FIRST_SUPPORTED <= series <= LAST_SUPPORTED),
    }


def plain(prefix, path):
    real = os.path.realpath(path)
    return describe(prefix, [real], "shared" if needs_libpython(real) else "static")


def in_chroots(directory):
    for root in sorted(glob.glob(os.path.join(directory, "*", "root"))):
        for path in sorted(glob.glob(root + "/usr/bin/python3.*[0-9]")):
            yield describe("chroot", ["chroot", root, "/usr/bin/" + os.path.basename(path)], "static", root)
        for path in sorted(glob.glob(root + "/usr/lib/*/libpython3.*.so.1.0")):
            library = os.path.basename(path)
            if re.fullmatch(r"libpython3\.\d+\.so\.1\.0", library):
                yield describe("chroot", ["chroot", root, "/workloads/embed-python", library], "shared", root)


def candidates(directory):
    for path in sorted(glob.glob(os.path.join(directory, "*", "*", "bin", "python3"))):
        yield plain("archive", path)
    yield from in_chroots(directory)
    pyenv = os.environ.get("PYENV_ROOT") or os.path.join(os.path.expanduser("~"), ".pyenv")
    for path in sorted(glob.glob(os.path.join(pyenv, "versions", "*", "bin", "python"))):
        yield plain("pyenv", path)
    system = shutil.which("python3", path="/usr/bin:/bin")
    if system:
        yield plain("system", system)


def main():
    found = {}
    for entry in candidates(sys.argv[1]):
        if entry:
            found.setdefault(entry["name"], entry)
    order = sorted(found.values(), key=lambda e: ([int(p) for p in e["version"].split(".")], e["name"]))
    json.dump(order, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
