"""The call of the job that killed its rank was not kept.

Line 5. Held by:
  tests/unit/test_calls_of_killed.py::test_the_call_of_a_job_that_killed_all_is_kept
"""

from pathlib import Path

from trying import BESIDE, last, on_ranks, started, verdict

Path("kills.py").write_text("""
import os, signal, bsbpool
def job(owner): os.kill(os.getpid(), signal.SIGKILL)
with bsbpool.job_pool(quiet=True) as pool:
    if pool.is_main(): pool.queue(job, submitter="golgi")
    pool.execute()
""")
started(*on_ranks(2), BESIDE / "bsbpool", "record", "--capture", "failed", "-o", "its.trace", "kills.py", limit=30)
done = started(BESIDE / "bsbpool", "replay", "its.trace", "--job", "0", "--trust", limit=30)
verdict(
    done.status == -9,
    f"`replay --job 0` ends with {done.status}: {last(done.said, 'no call') or 'its process was killed'}",
)
