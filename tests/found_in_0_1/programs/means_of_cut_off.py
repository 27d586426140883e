"""Jobs that were cut off by a crash counted as 0 s in means.

Line 6. Held by:
  tests/unit/test_replay.py::test_what_a_killed_run_began_is_no_sample_of_what_jobs_take
  tests/unit/test_summary.py::test_a_trace_that_breaks_off_shows_what_still_ran
"""

from trying import bsbpool, recorded, verdict

trace = recorded(
    """
def job(owner): time.sleep(10)
def fill(pool):
    for n in range(4): pool.queue(job, (), submitter="golgi")
""",
    3,
)
lines = trace.read_text().splitlines()
second = [n for n, line in enumerate(lines) if '"running"' in line][-1]
trace.write_text("".join(line + "\n" for line in lines[: second + 1]))
shown = bsbpool("show", trace).said.splitlines()
head = next(line for line in shown if "mean" in line)
row = next(line for line in shown if "golgi" in line)
verdict(
    row[head.index("mean") - 4 : head.index("mean") + 4].strip().startswith("10"), f"{head.strip()} / {row.strip()}"
)
