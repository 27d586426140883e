"""`replay --kill 0@…` ended with 0 although most jobs were never done.

Line 6. Held by:
  tests/unit/test_replay.py::test_the_death_of_main_is_a_failure
"""

from trying import bsbpool, last, recorded, verdict

trace = recorded("""
def job(owner): time.sleep(1)
def fill(pool):
    for n in range(6): pool.queue(job, (), submitter="golgi")
""")
done = bsbpool("replay", trace, "--kill", "0@1.5s")
verdict(done.status == 1, f"status {done.status}: {last(done.said)}")
