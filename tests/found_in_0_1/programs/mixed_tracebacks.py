"""On several ranks tracebacks of workers interleaved with main's report.

Line 21. Held by:
  tests/unit/test_exits.py::test_tracebacks_of_ranks_are_not_mixed
"""

import re

from trying import program, verdict

TEXT = """
import bsbpool
from mpi4py import MPI
RANK = MPI.COMM_WORLD.rank
def shallow(n):
    if n > 0: (deep2 if n % 2 else shallow2)(n - 1)
    else: raise ValueError(f"rank {RANK} went deep")
def deep2(n): shallow(n)
def shallow2(n): shallow(n)
with bsbpool.job_pool(quiet=True) as pool:
    MPI.COMM_WORLD.Barrier()
    shallow(40)
"""
mixed = blocks = 0
for _ in range(6):
    said = program(TEXT, ranks=4).said
    for block in re.split(r"^(?=Traceback \(most recent call last\):$)", said, flags=re.MULTILINE)[1:]:
        own = block.partition("went deep")[0]
        blocks += 1
        mixed += own.count("in shallow") + own.count("in deep2") < 41 or "Traceback" in own[1:]
verdict(not mixed and blocks, f"{mixed} of {blocks} tracebacks are mixed with others")
