# SPDX-License-Identifier: Apache-2.0
"""Burns CPU in C extensions, each from a Python function of its own:  extensions.py SECONDS"""

import hashlib
import json
import random
import re
import sys
import time
import zlib

TEXT = bytes(random.Random(1).choices(b"abcdefgh ", k=400_000))
DATA = [{"key %d" % i: ["text \u00e9 %d" % i, i, i / 7]} for i in range(3_000)]
WORDS = TEXT.decode("ascii")


def compressing():
    zlib.compress(TEXT[:60_000], 6)


def hashing():
    for _ in range(20):
        hashlib.sha256(TEXT).digest()


def encoding():
    json.loads(json.dumps(DATA))


def matching():
    re.findall(r"(?:a[bc]*d?)+ (?=e)", WORDS)


def main():
    end = time.monotonic() + float(sys.argv[1])
    print("ready", flush=True)
    while time.monotonic() < end:
        compressing()
        hashing()
        encoding()
        matching()


main()
