"""One result that can't be unpacked lost all others of `execute(return_results=True)`.

Line 18. Held by:
  tests/pool/test_what_queue_refuses.py::test_a_result_that_cannot_be_unpacked_loses_no_other
"""

from trying import verdict

import bsbpool
from bsbpool_sim import simulate


class Bad:
    def __reduce__(self):
        return int, ("no number",)


def program(comm):
    with bsbpool.job_pool(comm, quiet=True) as pool:
        if pool.is_main():
            for n in range(4):
                pool.queue((lambda owner: Bad()) if n == 1 else (lambda owner: 17), submitter="golgi")
        try:
            return pool.execute(return_results=True)
        except Exception as error:
            return type(error).__name__, len(getattr(error, "results", {}))


seen = simulate(program, 2).results[0]
verdict(seen[1] == 3, f"{seen[0]} with {seen[1]} of 3 results")
