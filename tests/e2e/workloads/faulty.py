# SPDX-License-Identifier: Apache-2.0
"""faulty.py NAME SECONDS: a program with one known fault, or a healthy one. `culprit_*` has the fault in it.

Says "ready", works, and ends by itself.
"""

import gc
import importlib
import json
import os
import re
import socket
import sys
import tempfile
import threading
import time

END = time.monotonic() + float(sys.argv[2])


def going():
    return time.monotonic() < END


def useful(rounds=40):
    """What such a program is there for."""
    return sum(i * i % 7 for i in range(rounds))


# ---- faults -------------------------------------------------------------------------------------

def serve(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(64)
            connection.sendall(b"row")


def culprit_connects(address):
    with socket.create_connection(address) as connection:
        connection.sendall(b"select")
        return connection.recv(64)


def connections():
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    while going():
        culprit_connects(listener.getsockname())
        useful()


def culprit_compiles(number, text):
    return re.search(r"(\w+)-%d-(?:[a-z]+|[0-9]{2,4})\s*$" % number, text)


def regex():
    number = 0
    while going():
        number += 1
        culprit_compiles(number, "name-%d-abc" % number)
        useful()


def culprit_serializes(rows):
    return json.loads(json.dumps(rows))


def serialization():
    rows = [{"id": i, "name": "row %d" % i, "tags": ["a", "b"], "score": i / 7} for i in range(300)]
    while going():
        rows = culprit_serializes(rows)
        useful()


def culprit_computes():
    value = 0
    while going():
        for i in range(1000):
            value += i
    return value


def gil():
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=culprit_computes) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Node:
    def __init__(self, other):
        self.other = other
        self.me = self


def culprit_makes_cycles():
    last = None
    for _ in range(2000):
        last = Node(last)
    return last


def garbage():
    gc.set_threshold(50, 2, 2)
    kept = [Node(None) for _ in range(20000)]
    while going():
        culprit_makes_cycles()
        useful(len(kept) // 1000)


def culprit_recurses(n):
    return 0 if n == 0 else 1 + culprit_recurses(n - 1)


def recursion():
    sys.setrecursionlimit(5000)
    while going():
        culprit_recurses(800)


def culprit_imports(name):
    sys.modules.pop(name, None)
    return importlib.import_module(name)


def imports():
    while going():
        culprit_imports("colorsys")
        useful()


def culprit_writes(fd, rows):
    for row in rows:
        os.write(fd, row)


def small_writes():
    with tempfile.TemporaryFile() as file:
        while going():
            culprit_writes(file.fileno(), [b"x"] * 500)
            file.seek(0)
            useful()


# ---- healthy ------------------------------------------------------------------------------------

def tokenize(text):
    return text.split(" ")


def count(words):
    seen = {}
    for word in words:
        seen[word] = seen.get(word, 0) + 1
    return seen


def rank(seen):
    return sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:50]


def render(ranked):
    return "\n".join("%-12s %6d" % item for item in ranked)


def words():
    text = " ".join("word%d" % (i * 7919 % 701) for i in range(900))
    while going():
        for _ in range(4):
            tokens = tokenize(text)
        for _ in range(2):
            seen = count(tokens)
        render(rank(seen))
        useful(1500)


def parse(line):
    key, _, value = line.partition("=")
    return key.strip(), int(value)


def check(key, value):
    if not key or value < 0:
        raise ValueError(key)


def fold(state, key, value):
    state[key] = (state.get(key, 0) * 31 + value) % 65521


def publish(state):
    return sum(state.values()) % 251


def pipeline():
    pattern = re.compile(r"\d+")
    lines = ["k%d = %d" % (i % 50, i) for i in range(400)]
    state = {}
    while going():
        for line in lines:
            key, value = parse(line)
            check(key, value)
            fold(state, key, value)
        for _ in range(60):
            publish(state)
        for line in lines:
            pattern.search(line)
        useful(300)


def multiply(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]


def transpose(a):
    return [list(column) for column in zip(*a)]


def trace(a):
    return sum(a[i][i] for i in range(len(a)))


def scale(a, factor):
    return [[x * factor % 1009 for x in row] for row in a]


def matrices():
    a = [[(i * 31 + j * 17) % 101 for j in range(12)] for i in range(12)]
    while going():
        b = transpose(a)
        for _ in range(14):
            b = transpose(scale(b, 3))
        a = scale(multiply(a, b), 1)
        for _ in range(40):
            trace(a)
        useful(400)


def request(number):
    return {"path": "/item/%d" % (number % 97), "user": number % 13}


def route(query):
    return query["path"].split("/")[1:]


def look_up(store, parts):
    return store.get(parts[-1], "none")


def respond(value):
    return b"HTTP/1.1 200 OK\r\n\r\n" + value.encode()


def handler():
    store = {str(i): "value %d" % i for i in range(90)}
    number = 0
    while going():
        for _ in range(50):
            number += 1
            respond(look_up(store, route(request(number))))
        useful(100)


print("ready", flush=True)
globals()[sys.argv[1]]()
