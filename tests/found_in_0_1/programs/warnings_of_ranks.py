"""Under mpirun, warnings of ranks above 0 were lost.

Line 12. Held by:
  tests/unit/test_ranks_plugin_mpi.py::test_warnings_are_those_of_all_ranks_with_their_ranks
"""

from trying import last, run_tests, verdict

TEXT = """
import pytest, warnings
@pytest.mark.ranks(2)
def test_it(comm):
    if comm.rank == 1: warnings.warn("conversion overflowed")
"""
said = run_tests(TEXT, ranks=2).said
verdict("conversion overflowed" in said and "rank 1" in said, last(said))
