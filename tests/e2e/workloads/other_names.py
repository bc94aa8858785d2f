# SPDX-License-Identifier: Apache-2.0
"""other_names.py NAME SECONDS: burns CPU in a function of that name, alone in its file; prints its pid and the CPU used."""

import os
import sys
import time

clock = getattr(time, "process_time", getattr(time, "clock", None))
source = "def %s(clock, end):\n    while clock() < end:\n        for _ in range(500): pass\n" % sys.argv[1]
namespace = {}
exec(compile(source, sys.argv[1] + ".py", "exec"), namespace)
begin = clock()
namespace[sys.argv[1]](clock, begin + float(sys.argv[2]))
print("%d %s %.6f" % (os.getpid(), sys.argv[1], clock() - begin))
