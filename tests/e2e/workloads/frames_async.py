# SPDX-License-Identifier: Apache-2.0
"""The cases of frames.py that need async syntax (3.6 on)."""

import asyncio

from truth import leaf


class Manager:
    async def __aenter__(self):
        return leaf()

    async def __aexit__(self, *_):
        leaf()


async def chain(depth):
    return await chain(depth - 1) if depth else leaf()


async def numbers():
    for _ in range(2):
        leaf()
        yield 1


async def sleepy():
    await asyncio.sleep(0)
    return leaf()


async def case_await_chain():
    return await chain(12)


async def case_async_generator():
    async for _ in numbers():
        leaf(0.004)


async def case_async_comprehension():
    return [leaf() async for _ in numbers()]


async def case_async_with():
    async with Manager():
        leaf(0.004)


async def case_gather():
    await asyncio.gather(sleepy(), chain(2), asyncio.ensure_future(sleepy()))


async def case_call_soon():
    done = asyncio.get_event_loop().create_future()
    asyncio.get_event_loop().call_soon(lambda: done.set_result(leaf()))
    await done


def delegate(depth):
    if depth:
        return (yield from delegate(depth - 1))
    yield leaf()
    return 1


def case_yield_from():
    return list(delegate(8))


def case_bare_coroutine():
    try:
        chain(3).send(None)
    except StopIteration:
        pass


def run():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    for case in (case_await_chain, case_async_generator, case_async_comprehension, case_async_with, case_gather,
                 case_call_soon):
        loop.run_until_complete(case())
    loop.close()
    case_yield_from()
    case_bare_coroutine()
