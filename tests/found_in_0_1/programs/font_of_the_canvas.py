"""The canvas of the page wrote in a serif font.

Line 20. Held by:
  tests/unit/test_page.py::test_the_canvas_writes_in_the_font_of_the_page
"""

from pathlib import Path

from trying import bsbpool, recorded, verdict

trace = recorded("def fill(pool): pool.queue(id, submitter='golgi')")
bsbpool("show", trace, "--html", "its.html")
wrong = "getFont.name" in Path("its.html").read_text()
verdict(not wrong, "the font is the name of a function: getFont.name" if wrong else "the font is a font")
