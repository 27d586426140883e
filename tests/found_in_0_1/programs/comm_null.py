"""A pool on COMM_NULL gave MPI's own error stack.

Line 18. Held by:
  tests/pool/test_what_queue_refuses.py::test_a_rank_without_part_in_a_communicator_is_told_so
"""

from trying import last, program, verdict

TEXT = """
import bsbpool
from mpi4py import MPI
with bsbpool.job_pool(MPI.COMM_NULL) as pool:
    pool.execute()
"""
said = program(TEXT, ranks=2).said
verdict(
    "COMM_NULL, which" in said,
    last(said, "COMM_NULL, which") or last(said, "MPI_ERR") or last(said, "MPI_COMM_NULL") or last(said),
)
