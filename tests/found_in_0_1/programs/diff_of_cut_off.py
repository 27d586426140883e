"""Jobs that were cut off by a crash counted as shorter in `diff`.

Line 6. Held by:
  tests/unit/test_replay.py::test_what_a_killed_run_began_is_no_sample_of_what_jobs_take
"""

from trying import bsbpool, last, recorded, verdict

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
open("cut.trace", "w").write("".join(line + "\n" for line in lines[: second + 1]))
said = bsbpool("diff", trace, "cut.trace").said
verdict("shorter" not in said, last(said, "shorter") or last(said, "cut off"))
