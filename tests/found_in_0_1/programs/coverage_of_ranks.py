"""Under mpirun, `pytest --cov` counted one rank.

Line 12. Held by:
  tests/unit/test_ranks_plugin_mpi.py::test_coverage_is_that_of_all_ranks
"""

from pathlib import Path

from trying import last, run_tests, verdict

Path("steps.py").write_text("""
def of(rank):
    if rank == 0:
        a = 1
    else:
        b = 1
        c = 2
        d = 3
""")
TEXT = """
import pytest, steps
@pytest.mark.ranks(2)
def test_it(comm): steps.of(comm.rank)
"""
said = run_tests(TEXT, "--cov=steps", "--cov-report=term", ranks=2).said
line = last(said, "steps.py") or last(said)
verdict("100%" in line, line)
