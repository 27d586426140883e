"""The page of a trace did not link a failure to its place in the program.

Line 16. Held by:
  tests/unit/test_tracebacks.py::test_show_replay_and_the_page_say_where
"""

from trying import bsbpool, recorded, verdict

trace = recorded("""
def deep(): raise ValueError("no voxels")
def job(owner): deep()
def fill(pool): pool.queue(job, (), submitter="golgi")
""")

import base64
import re
import zlib
from pathlib import Path

bsbpool("show", trace, "--html", "its.html")
page = Path("its.html").read_text()
found = "its_program.py" in page
for text in re.findall(r"[A-Za-z0-9+/=]{200,}", page):
    for way in (-15, 15, 47):
        try:
            found |= b"its_program.py" in zlib.decompress(base64.b64decode(text), way)
        except (ValueError, zlib.error):
            continue  # no compressed data, or compressed in another way
verdict(found, "the page names its_program.py" if found else "the page names no file of the program")
