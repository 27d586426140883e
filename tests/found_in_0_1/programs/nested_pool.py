"""A pool inside a job, on the communicator of its own pool, hung for ever on MPI.

Line 7. Held by:
  tests/pool/test_inside.py::test_a_pool_within_a_job_is_refused_where_the_other_ranks_would_have_to_take_part
  tests/pool/test_inside.py::test_a_duplicate_of_the_communicator_is_no_way_out
"""

from trying import last, program, verdict

TEXT = """
import bsbpool
def inner(owner, x): return x + 1
def outer(owner):
    with owner.create_job_pool(quiet=True) as pool:
        if pool.is_main(): pool.queue(inner, (1,))
        return pool.execute(return_results=True)
with bsbpool.job_pool(quiet=True) as pool:
    if pool.is_main(): pool.queue(outer, submitter="outer")
    pool.execute()
"""
said = program(TEXT, ranks=2, limit=15).said
verdict("COMM_SELF" in said, last(said, "COMM_SELF") or last(said))
