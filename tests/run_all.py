# SPDX-License-Identifier: Apache-2.0
"""Runs every kind of test and sums up: run_all.py [--only lint,unit,kernel,e2e,vm] [--kernels "5.10 6.1"].

Ends with what was skipped and why, and a last line `N passed, N failed[, N skipped]`. With CI=true a skip of
anything but what OPTIONAL names is a failure.
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("PYEBPF_BUILD", os.path.join(REPO, "build"))
KINDS = ("lint", "unit", "kernel", "e2e", "vm")
# A reason with one of these words is a tool or kernel feature that the project can do without.
OPTIONAL = ("go is not installed", "promtool", "kernel without")
LINTS = ("check_layers.py", "check_docs_paths.py")


class Result:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def as_root(argv):
    """`argv` as root, or None if there is no way without a password."""
    if os.geteuid() == 0:
        return argv
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], stderr=subprocess.DEVNULL).returncode == 0:
        keep = ["%s=%s" % (k, v) for k, v in os.environ.items() if k.startswith("PYEBPF_") or k in ("CI", "PATH")]
        pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
        return ["sudo", "-n", "env", "PYENV_ROOT=" + pyenv] + keep + argv
    return None


def give_back():
    """What root wrote into the build folder belongs to the caller again."""
    if os.geteuid() != 0:
        names = ("Testing", "figures.txt", "test-results", "vm-results")
        paths = [p for p in (os.path.join(BUILD, name) for name in names) if os.path.exists(p)]
        owner = "%d:%d" % (os.getuid(), os.getgid())
        subprocess.run(["sudo", "-n", "chown", "-R", owner] + paths, stderr=subprocess.DEVNULL)


def without_root(kind):
    result = Result()
    result.skipped.append((kind, "needs root: run as root, or with sudo that asks no password"))
    return result


def run_lint(_):
    result = Result()
    for script in LINTS:
        done = subprocess.run([sys.executable, os.path.join(REPO, "tests", "lint", script)])
        if done.returncode == 0:
            result.passed += 1
        else:
            result.failed.append(script)
    return result


def count_junit(path, result, prefix=""):
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = prefix + ".".join(filter(None, (case.get("classname"), case.get("name"))))
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed.append(name)
        elif skip is not None or case.get("status") in ("disabled", "notrun"):
            reason = "" if skip is None else (skip.get("message") or skip.text or "").strip()
            result.skipped.append((name, reason.splitlines()[-1] if reason else "no reason given"))
        else:
            result.passed += 1


def count_ctest(junit, folder):
    """The cases inside each GoogleTest program; a program that writes none counts as one case."""
    result = Result()
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        name, inner = case.get("name"), Result()
        failed = case.find("failure") is not None or case.get("status") == "fail"
        skipped = case.find("skipped") is not None
        report = os.path.join(folder, name + ".xml")
        if os.path.exists(report):
            count_junit(report, inner)
        elif not failed and not skipped:
            inner.passed = 1
        if skipped:
            inner.skipped.append((name, case.find("skipped").get("message") or "skipped by ctest"))
        if failed and not inner.failed:
            inner.failed.append(name)
        result.add(inner)
    return result


def run_ctest(label):
    folder = os.path.join(BUILD, "test-results", label)
    junit = os.path.join(folder, "ctest.junit")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    argv = ["ctest", "--test-dir", BUILD, "-L", "^%s$" % label, "--output-on-failure", "--output-junit", junit,
            "--no-tests=ignore", "-j", str(os.cpu_count())]
    argv = ["env", "GTEST_OUTPUT=xml:%s/" % folder] + argv
    # Some unit tests read other processes or open perf events; they skip without root.
    rooted = as_root(argv)
    if rooted is None and label == "kernel":
        return without_root(label)
    argv = rooted or argv
    code = subprocess.run(argv).returncode
    if not os.path.exists(junit):
        result = Result()
        if code != 0:
            result.failed.append("ctest -L %s" % label)
        return result
    return count_ctest(junit, folder)


def python_with_pytest():
    for python in ("/usr/bin/python3", sys.executable):
        if subprocess.run([python, "-c", "import pytest"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


def run_e2e(_):
    result = Result()
    python = python_with_pytest()
    if python is None:
        result.skipped.append(("e2e", "pytest is not installed: packaging/install-deps.sh --test"))
        return result
    junit = os.path.join(BUILD, "test-results", "e2e.junit")
    os.makedirs(os.path.dirname(junit), exist_ok=True)
    if os.path.exists(junit):
        os.remove(junit)
    argv = as_root(["env", "PYTHONDONTWRITEBYTECODE=1", python, "-m", "pytest", os.path.join(REPO, "tests", "e2e"),
                    "-p", "no:cacheprovider", "-q", "--tb=short", "-rs", "--junitxml", junit])
    if argv is None:
        return without_root("e2e")
    code = subprocess.run(argv, stdin=subprocess.DEVNULL).returncode
    if os.path.exists(junit):
        count_junit(junit, result)
    if code != 0 and not result.failed:
        result.failed.append("pytest ended with %d" % code)
    return result


def run_vm(kernels):
    result = Result()
    missing = [tool for tool in ("qemu-system-x86_64", "busybox", "cpio", "dpkg-deb") if not shutil.which(tool)]
    if missing or os.uname().machine != "x86_64":
        reason = "not installed: %s" % ", ".join(missing) if missing else "the recipes are for x86-64 hosts"
        result.skipped.append(("vm", reason))
        return result
    argv = as_root([os.path.join(REPO, "tests", "vm", "run_vm.sh")] + kernels)
    if argv is None:
        return without_root("vm")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    text = done.stdout.decode("utf-8", "replace")
    print(text, end="")
    result.passed = len(re.findall(r"^\S+: ok ", text, re.M))
    result.failed = re.findall(r"^\S+: not ok .*$", text, re.M)
    if done.returncode != 0 and not result.failed:
        result.failed.append("run_vm.sh ended with %d" % done.returncode)
    return result


RUNNERS = {"lint": run_lint, "e2e": run_e2e, "unit": run_ctest, "kernel": run_ctest}


def print_summary(results, took_s):
    skipped = collections.Counter(reason for result in results.values() for _, reason in result.skipped)
    print()
    for kind, result in results.items():
        print("%-7s %4d passed, %d failed, %d skipped in %.0f s" % (
            kind, result.passed, len(result.failed), len(result.skipped), took_s[kind]))
    for kind, result in results.items():
        for name in result.failed:
            print("failed: %s: %s" % (kind, name))
    for reason, times in skipped.items():
        print("skipped (%d): %s" % (times, reason))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(KINDS), help="comma list of %s" % ", ".join(KINDS))
    parser.add_argument("--kernels", default="5.10 6.1", help="names of tests/vm/kernels.txt")
    options = parser.parse_args()
    results, took_s = {}, {}
    for kind in options.only.split(","):
        print("==== %s" % kind, flush=True)
        begin = time.monotonic()
        results[kind] = run_vm(options.kernels.split()) if kind == "vm" else RUNNERS[kind](kind)
        took_s[kind] = time.monotonic() - begin
    give_back()
    if os.environ.get("CI") == "true":
        for result in results.values():
            needed = [s for s in result.skipped if not any(word in s[1] for word in OPTIONAL)]
            result.failed += ["%s was skipped, which CI does not allow: %s" % s for s in needed]
            result.skipped = [s for s in result.skipped if s not in needed]
    print_summary(results, took_s)
    sums = Result()
    for result in results.values():
        sums.add(result)
    line = "%d passed, %d failed" % (sums.passed, len(sums.failed))
    print(line + (", %d skipped" % len(sums.skipped) if sums.skipped else ""), flush=True)
    return 1 if sums.failed or not sums.passed else 0


if __name__ == "__main__":
    sys.exit(main())
