"""Fixtures of a class, module or session that want a communicator were an error.

Line 11. Held by:
  tests/unit/test_ranks_plugin.py::test_fixtures_of_every_scope_run_on_each_rank_and_live_as_long_as_they_say
  tests/unit/test_ranks_plugin_mpi.py::test_fixtures_instances_and_settings_are_those_of_each_rank_as_on_simulated_ranks
"""

from trying import last, run_tests, verdict

TEXT = """
import pytest
@pytest.fixture(scope="module")
def grid(comm):
    return comm.rank, comm.allreduce(1)
@pytest.mark.ranks(2)
def test_grid(comm, grid):
    assert grid == (comm.rank, 2)
"""
done = [run_tests(TEXT, ranks=ranks).said for ranks in (1, 2)]
verdict(
    all("1 passed" in last(each) for each in done),
    " / ".join(last(each, "ScopeMismatch") or last(each) for each in done),
)
