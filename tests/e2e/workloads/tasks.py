# SPDX-License-Identifier: Apache-2.0
"""Four asyncio tasks that burn known shares of CPU: one was never given a name, so asyncio counts it.

Waits for a line on stdin, works for the seconds given, then prints {task name: its CPU time by the thread's clock}.
"""

import asyncio
import json
import sys

from compat import monotonic, say, thread_time

# All of them together take no whole number of samples: or those would always meet the same ones.
SHARES = {"größe-Δ": 0.0043, "a-long-name-" + "x" * 100: 0.0027, None: 0.0016, "short": 0.0022}
spent = {}


def burn(seconds):
    begin = thread_time()
    while thread_time() - begin < seconds:
        pass
    return thread_time() - begin


async def busy(end, seconds):
    name = asyncio.current_task().get_name() if seconds != SHARES[None] else "unnamed"
    while monotonic() < end:
        spent[name] = spent.get(name, 0.0) + burn(seconds)
        await asyncio.sleep(0)


async def main():
    end = monotonic() + float(sys.argv[1])
    tasks = []
    for name, seconds in SHARES.items():
        tasks.append(asyncio.create_task(busy(end, seconds), **({"name": name} if name else {})))
        if name is None:
            say("unnamed")
    await asyncio.gather(*tasks)


say("ready")
sys.stdin.readline()
asyncio.run(main())
say(json.dumps(spent))
sys.stdin.readline()
