"""A lambda sees a copy of main's globals, a def the worker's; no page said so.

Line 18. Held by:
  tests/unit/test_docs.py::test_the_code_on_a_page_runs_and_prints_what_is_shown
"""

from trying import CHECKOUT, last, verdict

text = "\n".join(path.read_text() for path in (CHECKOUT / "docs").glob("*.md"))
line = last(text, "copy of the globals")
verdict(bool(line), line or "no page has a word of the globals of a lambda")
