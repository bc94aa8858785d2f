# SPDX-License-Identifier: Apache-2.0
"""states.py KIND: threads whose interpreter state is out of the ordinary. Says "ready", begins after a line on stdin.

released        four threads in C code that has released the GIL; a finaliser at the very end
interpreters    two subinterpreters in two threads
finalisation    an atexit handler and a daemon thread while the interpreter ends
"""

import atexit
import hashlib
import sys
import threading
import zlib

import truth

SECONDS = 0.8
DATA = b"x" * (8 << 20)
STRETCH, STRETCHED = hashlib.pbkdf2_hmac, ("sha256", b"password", b"salt", 20000)
if hasattr(STRETCH, "__code__"):  # without OpenSSL it is Python, and holds the GIL
    STRETCH, STRETCHED = zlib.compress, (DATA, 1)


def hashing_caller():
    end = truth.clock() + SECONDS
    while truth.clock() < end:
        STRETCH(*STRETCHED)


def digest_caller():
    end = truth.clock() + SECONDS
    while truth.clock() < end:
        hashlib.sha1(DATA).hexdigest()


def zipping_caller():
    end = truth.clock() + SECONDS
    while truth.clock() < end:
        zlib.compress(DATA, 1)


def released():
    run_all([hashing_caller, hashing_caller, digest_caller, zipping_caller])


IN_INTERPRETER = """
source = '''
import time
def in_interpreter_%(n)d():
    end = time.monotonic() + %(s)f
    while time.monotonic() < end:
        for _ in range(500):
            pass
in_interpreter_%(n)d()
'''
exec(compile(source, "interpreter_%(n)d.py", "exec"))
"""


def run_interpreter(module, number):
    interpreter = module.create()
    module.run_string(interpreter, IN_INTERPRETER % {"n": number, "s": SECONDS})
    module.destroy(interpreter)


def interpreters():
    try:
        import _interpreters as module
    except ImportError:
        import _xxsubinterpreters as module
    run_all([lambda n=n: run_interpreter(module, n) for n in range(2)])


def daemon_thread():
    while True:
        for _ in range(500):
            pass


def at_exit():
    truth.burn(SECONDS)


class Late(object):
    def __del__(self):
        end = self.clock() + self.seconds
        while self.clock() < end:
            for _ in range(500):
                pass


def finalisation():
    atexit.register(at_exit)
    thread = threading.Thread(target=daemon_thread)
    thread.daemon = True
    thread.start()


def run_all(functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.readline()
late = Late()
late.clock, late.seconds = truth.clock, SECONDS / 2 if sys.argv[1] == "released" else 0
globals()[sys.argv[1]]()
