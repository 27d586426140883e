"""On one rank jobs run outside of the main thread; no page said so.

Line 18. Held by:
  tests/unit/test_docs.py::test_what_one_rank_and_several_do_differently_is_told_where_people_look
"""

from trying import CHECKOUT, last, verdict

text = "\n".join(path.read_text() for path in (CHECKOUT / "docs").glob("*.md"))
line = last(text, "sqlite3") or last(text, "signal.signal")
verdict(bool(line), line or "no page says that a job on one rank can't use what belongs to the main thread")
