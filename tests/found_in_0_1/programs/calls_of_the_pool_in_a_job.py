"""What a job asked of its own pool on a worker was lost in silence.

Line 7. Held by:
  tests/pool/test_inside.py::test_what_a_job_asks_of_its_pool_on_a_worker_fails_and_is_not_lost
"""

from trying import last, program, verdict

TEXT = """
import bsbpool
POOL = None
def job(owner): POOL.add_listener(lambda progress: None); return "the listener of a worker is lost in silence"
with bsbpool.job_pool(quiet=True) as POOL:
    queued = POOL.queue(job, submitter="outer") if POOL.is_main() else None
    try: POOL.execute()
    except bsbpool.WorkflowError as error: print(error.exceptions[0].error if POOL.is_main() else "")
    else: print(queued.result if queued else "")
"""
said = program(TEXT, ranks=2, limit=15).said
verdict("in silence" not in said and "not ended" not in said, last(said))
