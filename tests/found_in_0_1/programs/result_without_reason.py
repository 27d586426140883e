"""`job.result` of a failed, cancelled, waiting or closed job said `is not available`, and not why.

Line 15. Held by:
  tests/pool/test_what_queue_refuses.py::test_a_result_that_is_not_there_says_why
  tests/pool/test_what_queue_refuses.py::test_the_result_of_an_aborted_job_says_why
"""

from trying import verdict

import bsbpool

seen = []


def bad(owner):
    raise ValueError("no voxels")


def show(job):
    try:
        seen.append(job.result)
    except Exception as error:
        seen.append(str(error))


with bsbpool.job_pool(quiet=True) as pool:
    failed = pool.queue(bad, submitter="bad")
    cancelled = pool.queue(id, deps=[failed], submitter="child")
    waiting = pool.queue(id, submitter="waiting")
    show(waiting)
    try:
        pool.execute()
    except bsbpool.WorkflowError:
        pass
    show(failed)
    show(cancelled)
show(waiting)
why = [each.partition("is not available")[2] for each in map(str, seen)]
verdict(len(set(why)) == 4, "; ".join(map(str, seen)))
