"""The mark `ranks` without `comm` was ignored in silence.

Line 11. Held by:
  tests/unit/test_ranks_plugin.py::test_the_mark_without_comm_is_an_error_of_collecting
  tests/unit/test_ranks_plugin_mpi.py::test_the_mark_without_comm_is_an_error_of_collecting
"""

from trying import last, run_tests, verdict

TEXT = """
import pytest, unittest
@pytest.mark.ranks(2)
def test_thought_to_be_parallel(): pass
class Old(unittest.TestCase):
    @pytest.mark.ranks(2)
    def test_thought_to_be_parallel(self): pass
"""
said = [run_tests(TEXT, ranks=ranks).said for ranks in (1, 2)]
verdict(all("comm" in each and "passed" not in last(each) for each in said), " / ".join(map(last, said)))
