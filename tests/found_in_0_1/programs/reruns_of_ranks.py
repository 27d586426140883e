"""Under mpirun, reruns were ignored.

Line 12. Held by:
  tests/unit/test_ranks_plugin_mpi.py::test_a_plugin_that_runs_tests_again_does_so_on_all_ranks
"""

from pathlib import Path

from trying import last, run_tests, verdict

Path("conftest.py").write_text("""
import pytest
from _pytest.runner import runtestprotocol
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    # As plugins that run a test again do.
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(2):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = any(report.failed for report in reports)
        if failed and attempt == 0:
            item._initrequest()
            continue
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        break
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
""")
TEXT = """
import pytest
times = []
@pytest.mark.ranks(2)
def test_it(comm):
    times.append(1)
    assert comm.rank == 0 or len(times) > 1
"""
done = run_tests(TEXT, ranks=2, limit=30)
verdict("1 passed" in done.said, last(done.said))
