"""Coroutine and generator functions as jobs succeeded and ran nothing.

Line 18. Held by:
  tests/pool/test_what_queue_refuses.py::test_a_function_whose_call_runs_nothing_is_refused
  tests/pool/test_what_queue_refuses.py::test_a_job_that_returns_what_has_not_run_fails
"""

from trying import verdict

import bsbpool


async def coroutine(owner):
    raise ValueError


def generator(owner):
    raise ValueError
    yield


seen = []
for function in (coroutine, generator, lambda owner: coroutine(owner)):
    try:
        with bsbpool.job_pool(quiet=True) as pool:
            job = pool.queue(function, submitter="golgi")
            pool.execute()
            seen.append(job.status.value)
    except Exception as error:
        seen.append(type(error).__name__)
verdict("success" not in seen, seen)
