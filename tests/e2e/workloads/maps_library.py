# SPDX-License-Identifier: Apache-2.0
"""maps_library.py LIBPYTHON SECONDS: has another libpython mapped that is never initialised, and burns."""

import ctypes
import os
import sys

import truth

kept = ctypes.CDLL(sys.argv[1], mode=os.RTLD_LOCAL | os.RTLD_LAZY)


def with_library():
    truth.burn(float(sys.argv[2]))


sys.stdout.write("ready\n")
sys.stdout.flush()
with_library()
