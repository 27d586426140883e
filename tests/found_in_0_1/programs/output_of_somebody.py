"""A file that bsbpool had not written was replaced unasked.

Line 3. Held by:
  tests/unit/test_outputs.py::test_a_file_of_somebody_else_is_replaced_only_if_asked
"""

from pathlib import Path

from trying import bsbpool, recorded, verdict

trace, thesis = recorded("def fill(pool): pool.queue(id, submitter='golgi')"), Path("thesis.html")
thesis.write_text("my thesis")
done = bsbpool("show", trace, "--html", thesis)
whole = thesis.read_text() == "my thesis"
verdict(whole and done.status == 2, f"status {done.status}, and the thesis is {'whole' if whole else 'gone'}")
