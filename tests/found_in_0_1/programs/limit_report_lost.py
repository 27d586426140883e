"""Rank 0's report was cut off when a rank ended the run at a time limit, and reporting took longer than a fixed time.

Line 10. Held by:
  tests/unit/test_ranks_plugin_mpi.py::test_the_report_of_a_run_that_ends_early_is_whole_however_long_it_takes
  tests/unit/test_ranks_plugin_mpi.py::test_a_rank_that_ends_all_waits_until_its_launcher_has_read_what_it_said
"""

from pathlib import Path

from trying import last, run_tests, verdict

TEXT = """
import pytest
@pytest.mark.ranks(2)
def test_before(comm): pass
@pytest.mark.ranks(2, timeout=2)
def test_stuck(comm):
    if comm.rank == 1: comm.bcast(None, root=0)
"""
# As on a machine that is busy: what rank 0 has to report takes its time.
Path("conftest.py").write_text("""
import time
def pytest_terminal_summary(): time.sleep(15)
""")
said = run_tests(TEXT, ranks=2, limit=100).said
whole = "1 failed, 1 passed" in said
verdict(whole, last(said) if whole else f"without '1 failed, 1 passed': {last(said)}")
