"""So did a collective call of the MPI service in a job.

Line 7. Held by:
  tests/pool/test_inside.py::test_collective_calls_of_the_mpi_service_are_refused_in_a_job
"""

from trying import last, program, verdict

TEXT = """
import bsbpool
def job(owner): bsbpool.MPI.barrier()
with bsbpool.job_pool(quiet=True) as pool:
    if pool.is_main(): pool.queue(job, submitter="outer")
    pool.execute()
"""
said = program(TEXT, ranks=2, limit=15).said
verdict("can't" in said or "COMM_SELF" in said, last(said, "JobPoolError") or last(said, "barrier") or last(said))
