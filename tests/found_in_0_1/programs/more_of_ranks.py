"""What ranks above 0 printed or recorded in tests that passed was lost, and so was how long they took.

Line 12. Held by:
  tests/unit/test_ranks_plugin_mpi.py::test_what_ranks_print_and_record_and_how_long_they_take_is_reported_of_tests_that_pass_too
"""

from trying import last, run_tests, verdict

TEXT = """
import pytest
@pytest.mark.ranks(2)
def test_it(comm, record_property):
    if comm.rank == 1:
        print("said by the other")
        record_property("cells", 17)
"""
said = run_tests(TEXT, "-rA", ranks=2).said
verdict("said by the other" in said, last(said, "said by the other") or last(said))
