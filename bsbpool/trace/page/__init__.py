"""One HTML page that shows a trace and contains everything that it needs: it uses no network and no server.

`page.html`, `page.css` and the modules in `js` are the page; `columns` makes its data, and `packed_data` packs it. This
file puts them together. The data is packed, so that nothing in it can end an HTML element, and the policy in the page
allows only the script whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from importlib.resources import files

from ..history import History
from .columns import page_data
from .joining import joined
from .packed_data import packed

__all__ = ["page"]

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def page(history: History, title: str, warnings: Sequence[str] = ()) -> str:
    """The page, as text.

    :param title: what the page is called: the name of the file, for one.
    :param warnings: what is wrong with the trace, for a person to know who looks at the page.
    """
    data, columns = packed(page_data(history, title, warnings))
    style, script = _read("page.css"), f'"use strict";\n(() => {{\n{joined("main")}}})();\n'
    parts = {
        "title": html.escape(title),
        "policy": f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "data": data,
        "columns": columns,
    }
    return _PLACE.sub(lambda place: parts[place[1]], _read("page.html"))


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """How a content security policy names a script or a style that may be used."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
