"""Simulated ranks shared `self` of a test class.

Line 11. Held by:
  tests/unit/test_ranks_plugin.py::test_each_rank_has_its_own_instance_of_a_class
  tests/unit/test_ranks_plugin_mpi.py::test_fixtures_instances_and_settings_are_those_of_each_rank_as_on_simulated_ranks
"""

from trying import last, run_tests, verdict

TEXT = """
import pytest
class TestMesh:
    def setup_method(self): self.mine = []
    @pytest.mark.ranks(2)
    def test_own(self, comm):
        self.mine.append(comm.rank); comm.barrier()
        assert self.mine == [comm.rank]
    @pytest.mark.ranks(2)
    def test_attribute(self, comm):
        self.rank = comm.rank; comm.barrier()
        assert self.rank == comm.rank
"""
done = run_tests(TEXT)
verdict(done.status == 0, last(done.said))
