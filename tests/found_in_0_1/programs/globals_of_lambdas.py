"""A lambda sees a copy of main's globals, a def the worker's; no page said so.

Line 18. Held by:
  tests/unit/test_docs.py::test_what_one_rank_and_several_do_differently_is_told_where_people_look
"""

from trying import CHECKOUT, last, verdict

text = "\n".join(path.read_text() for path in (CHECKOUT / "docs").glob("*.md"))
line = last(text, "copy of the globals")
verdict(bool(line), line or "no page has a word of the globals of a lambda")
