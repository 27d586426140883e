"""random.Random(), names of tempfile, localtime, gmtime, strftime, ctime, clock_gettime, process and thread ids, and
os.times were the real ones on simulated ranks.

Line 13. Held by:
  tests/unit/test_sources.py::test_all_that_is_virtual_is_the_same_in_another_process
  tests/unit/test_sources.py::test_what_is_replaced_is_virtual_by_the_table
  tests/unit/test_sources.py::test_all_that_a_module_offers_was_decided
"""

import os
import random
import sys
import tempfile
import threading
import time

from trying import started, verdict

from bsbpool_sim import simulate

#: By name: what a program asks.
ASKED = {
    "random.Random": lambda: random.Random().random(),
    "tempfile": lambda: os.path.basename(tempfile.mktemp()),
    "localtime": lambda: tuple(time.localtime()),
    "gmtime": lambda: tuple(time.gmtime()),
    "strftime": lambda: time.strftime("%c"),
    "ctime": lambda: time.ctime(),
    "clock_gettime": lambda: time.clock_gettime(time.CLOCK_MONOTONIC),
    "getpid": lambda: os.getpid(),
    "get_ident": lambda: threading.get_ident(),
    "native_id": lambda: threading.get_native_id(),
    "os.times": lambda: tuple(os.times()),
}


def program(comm):
    return {name: ask() for name, ask in ASKED.items()}


if len(sys.argv) > 1:
    print(simulate(program, 2).results)
    sys.exit()
texts = []
for _ in range(2):
    texts.append(eval(started(sys.executable, __file__, "again").said.splitlines()[-1]))
    second = int(time.time())
    while int(time.time()) == second:  # until clocks that tell whole seconds would tell another one
        time.sleep(0.01)
leaks = [name for name in ASKED if any(one[name] != other[name] for one, other in zip(*texts, strict=True))]
verdict(not leaks, f"differ between two runs of one simulation: {', '.join(leaks) or 'none'}")
