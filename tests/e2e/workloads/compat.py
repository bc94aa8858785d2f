# SPDX-License-Identifier: Apache-2.0
"""What the workloads need and not every CPython from 2.7 on has: clocks, thread ids, unbuffered lines."""

import sys
import time

try:
    from time import monotonic_ns, process_time_ns, thread_time_ns
except ImportError:  # before 3.7
    import ctypes

    class _Timespec(ctypes.Structure):
        _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]

    _clock_gettime = ctypes.CDLL(None).clock_gettime

    def _read(clock):
        now = _Timespec()
        _clock_gettime(clock, ctypes.byref(now))
        return now.s * 1000000000 + now.ns

    def monotonic_ns():
        return _read(1)

    def process_time_ns():
        return _read(2)

    def thread_time_ns():
        return _read(3)

monotonic = getattr(time, "monotonic", None) or (lambda: monotonic_ns() / 1e9)


def thread_time():
    return thread_time_ns() / 1e9


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def native_id():
    """The thread's id as the kernel knows it."""
    try:
        from threading import get_native_id
    except ImportError:  # before 3.8
        import ctypes
        return ctypes.CDLL(None).syscall(186)
    return get_native_id()
