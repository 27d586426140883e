"""Shell completion was undocumented.

Line 20. Held by:
  tests/unit/test_cli_help.py::test_completion_is_as_the_documentation_says
"""

from trying import CHECKOUT, last, verdict

text = "\n".join(path.read_text() for path in (CHECKOUT / "docs").glob("*.md"))
line = last(text, "_BSBPOOL_COMPLETE")
verdict(bool(line), line or "no page has a word of it")
