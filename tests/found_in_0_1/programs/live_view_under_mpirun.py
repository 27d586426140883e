"""Under mpirun in a terminal the live view never showed, and no page said how to get it.

Line 21. Held by:
  tests/unit/test_listeners.py::test_a_launcher_s_pipe_shows_the_live_view_if_it_is_asked_for
"""

from trying import CHECKOUT, last, program, verdict

# The view is drawn while jobs run, so they take some real time.
TEXT = """
import time, bsbpool
def job(owner): time.sleep(0.2)
with bsbpool.job_pool() as pool:
    if pool.is_main():
        for n in range(4): pool.queue(job, submitter="golgi")
    pool.execute()
"""
said = program(TEXT, ranks=2, FORCE_COLOR="1", TERM="xterm").said
live = "\x1b[" in said and "golgi" in said
page = "\n".join(path.read_text() for path in (CHECKOUT / "docs").glob("*.md"))
verdict(
    live and "FORCE_COLOR" in page,
    f"FORCE_COLOR=1: it is {'drawn' if live else 'not drawn'}; pages: {last(page, 'FORCE_COLOR') or 'not a word'}",
)
