"""Whether a job had ended when its rank died at the same instant was left to the order of the instant.

Line 9. Held by:
  tests/pool/test_same_instant.py::test_it_is_so_in_every_order
  tests/pool/test_same_instant.py::test_the_documentation_has_this_very_table
"""

import time

from trying import verdict

import bsbpool
from bsbpool_sim import Script, simulate


def job(owner):
    time.sleep(2)


def program(comm):
    with bsbpool.job_pool(comm, quiet=True) as pool:
        mine = pool.queue(job, submitter="golgi") if pool.is_main() else None
        try:
            pool.execute()
        except bsbpool.WorkflowError:
            pass
        return mine and mine.status.value


ends = [
    simulate(program, 2, script=Script().rank(1, dies=2), seed=seed, policy="shuffled").results[0] for seed in range(30)
]
verdict(len(set(ends)) == 1, f"in 30 orders the job is {' or '.join(sorted(set(map(str, ends))))}")
