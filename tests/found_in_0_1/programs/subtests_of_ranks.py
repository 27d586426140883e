"""The line of a failed subtest on ranks was dashes.

Line 12. Held by:
  tests/unit/test_ranks_plugin_mpi.py::test_subtests_of_all_ranks_are_reported_with_their_ranks
  tests/unit/test_ranks_plugin.py::test_warnings_logs_and_subtests_are_told_apart_by_rank
"""

from trying import last, run_tests, verdict

TEXT = """
import pytest
@pytest.mark.ranks(2)
def test_it(comm, subtests):
    for n in range(2):
        with subtests.test(part=n):
            assert not (comm.rank == 1 and n == 1), "the second part"
"""
line = last(run_tests(TEXT, ranks=2).said, "SUBFAIL")
verdict("part=" in line and "rank='1'" in line and "the second part" in line, line.replace("-" * 20, ""))
