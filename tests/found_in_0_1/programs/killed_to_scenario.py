"""Of a run that was killed, `replay --to-scenario` wrote `outcome: ok`.

Line 5. Held by:
  tests/unit/test_export.py::test_a_run_that_was_killed_with_its_main_stays_a_rank_that_dies_in_its_job
"""

from pathlib import Path

from trying import TRACES, bsbpool, last, verdict

done = bsbpool("replay", TRACES / "killed_only.trace", "--to-scenario", "its.yaml")
text = Path("its.yaml").read_text()
verdict("outcome: ok" not in text and "kills" in text, last(text, "outcome: ok") or last(text, "kills") or text)
