# SPDX-License-Identifier: Apache-2.0
"""Applications to be served, WSGI (app) and ASGI (asgi), or run: served.py pool|arrays|greenlets [SECONDS].

A request or a piece of work is handle(); with a profile of it asked for, the answer is {function: seconds} by cProfile,
its own time for functions of this file.
"""

import cProfile
import json
import pstats
import sys
import time

import truth


def heavy():
    total = 0
    for n in range(40000):
        total += n * n
    return total


def middling():
    text = ""
    for n in range(12000):
        text = "%d" % n
    return text


def light():
    return sum([n for n in range(8000)])


def handle():
    return heavy(), middling(), light()


def profiled(function, times=40):
    """Cumulative seconds of CPU in each function of this file. The clock is the process's: cProfile of 3.12 on sees
    calls of all threads, and differences between two threads' clocks mean nothing."""
    profile = cProfile.Profile(time.process_time)
    for _ in range(times):
        profile.runcall(function)
    stats = pstats.Stats(profile).stats
    return {name: row[3] for (file, _, name), row in stats.items() if file == __file__}


def answer(path):
    return json.dumps(profiled(handle) if path == "/profile" else [len(str(handle()))]).encode()


def app(environ, start_response):
    body = answer(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def respond(path):
    return answer(path)


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    body = await respond(scope["path"])
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def work(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        handle()


def pool(seconds):
    """Workers forked beforehand, which take their work from a queue."""
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(2) as workers:
        truth.say(profiled(handle))
        workers.map(work, [seconds] * 2)


def arrays(seconds):
    import numpy
    import pandas

    random = numpy.random.default_rng(1)
    matrix, column = random.random((300, 300)), random.random(100000)
    table = pandas.DataFrame({"key": random.integers(0, 100, 50000), "value": random.random(50000)})

    def multiplying():
        return matrix @ matrix

    def sorting():
        return numpy.sort(column)

    def grouping():
        return table.groupby("key").value.mean()

    def turns(seconds):
        """Thread time of each: cProfile's own cost falls on each call, and pandas makes many more of them than numpy."""
        spent = dict.fromkeys(("multiplying", "sorting", "grouping"), 0.0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for function in (multiplying, sorting, grouping):
                begin = time.thread_time()
                function()
                spent[function.__name__] += time.thread_time() - begin
        return spent

    truth.say(turns(1.0))
    turns(seconds - 1.0)


def inner_of_greenlet(gevent, number, depth):
    if depth:
        return inner_of_greenlet(gevent, number, depth - 1)
    truth.leaf(0.02)
    gevent.sleep(0)
    return truth.leaf(0.02)


def greenlets(seconds):
    import gevent

    truth.say({})
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        gevent.joinall([gevent.spawn(inner_of_greenlet, gevent, n, n * 5) for n in range(4)])


if __name__ == "__main__":
    globals()[sys.argv[1]](float(sys.argv[2]))
