"""A job that ends at exactly its limit was aborted in some orders of one instant.

Line 9. Held by:
  tests/pool/test_same_instant.py::test_it_is_so_in_every_order
  tests/pool/test_limits.py::test_a_job_that_ends_at_its_very_limit_is_in_time
  tests/pool/test_same_instant.py::test_the_documentation_has_this_very_table
"""

import time

from trying import verdict

import bsbpool
from bsbpool_sim import simulate


def job(owner):
    time.sleep(2)


def program(comm):
    with bsbpool.job_pool(comm, quiet=True) as pool:
        job_ = pool.queue(job, submitter="golgi", timeout=2) if pool.is_main() else None
        try:
            pool.execute()
        except bsbpool.WorkflowError:
            pass
        return job_ and job_.status.value


ends = [simulate(program, 2, seed=seed, policy="shuffled").results[0] for seed in range(30)]
verdict(set(ends) == {"success"}, f"of 30 orders {ends.count('aborted')} abort the job")
