"""Of a run that was killed, `--minimal` said that nothing failed.

Line 5. Held by:
  tests/unit/test_export.py::test_a_run_that_was_killed_with_its_main_stays_a_rank_that_dies_in_its_job
"""

from trying import TRACES, bsbpool, last, verdict

done = bsbpool("replay", TRACES / "killed_only.trace", "--to-scenario", "its.yaml", "--minimal")
verdict(done.status == 0 and "comes out as it expects" in done.said, f"status {done.status}: {last(done.said)}")
