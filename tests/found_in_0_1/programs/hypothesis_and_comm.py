"""Hypothesis with `comm` drew other examples for each rank.

Line 11. Held by:
  tests/unit/test_ranks_plugin.py::test_tests_of_hypothesis_are_refused_with_what_to_write
"""

from trying import last, run_tests, verdict

TEXT = """
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
@pytest.mark.ranks(2)
@settings(suppress_health_check=list(HealthCheck))
@given(n=st.integers())
def test_draws(comm, n):
    assert comm.bcast(n) == n
"""
said = run_tests(TEXT).said
refused = last(said, "other examples")
verdict(bool(refused) and "1 error" in last(said), refused or last(said, "assert") or last(said))
