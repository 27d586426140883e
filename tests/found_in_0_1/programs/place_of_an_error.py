"""A trace had no traceback: `show` and `replay` could not say where an error was raised.

Line 16. Held by:
  tests/unit/test_tracebacks.py::test_show_replay_and_the_page_say_where
  tests/unit/test_tracebacks.py::test_it_is_bounded
"""

from trying import bsbpool, last, recorded, verdict

trace = recorded("""
def deep(): raise ValueError("no voxels")
def job(owner): deep()
def fill(pool): pool.queue(job, (), submitter="golgi")
""")
seen = [bsbpool(command, "its.trace").said for command in ("show", "replay")]
verdict(
    all("its_program.py:5 in deep" in said for said in seen),
    last(seen[0], "no voxels") if "its_program.py:5" not in seen[0] else last(seen[0], "its_program"),
)
