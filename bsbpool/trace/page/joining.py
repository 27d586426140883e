"""Joins the modules of the page's script (`js/`) into one, as the page is one file and loads nothing.

The modules are ES modules, so that linters and editors know what each takes from which. Joined, they share one scope:
lines that import, and the word ``export``, are left out, and each module comes after those that it imports. So a name
at a module's top level is in no other module, nothing is renamed on import, and no two modules import each other.
"""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = ["joined", "modules"]

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let) )", re.MULTILINE)


def joined(name: str) -> str:
    """The text of a module with all that it imports.

    :param name: the module's file, without ``.js``.
    """
    order: dict[str, str] = {}
    _join(name, order)
    return "\n".join(order.values())


def _join(name: str, order: dict[str, str]) -> None:
    text = _read(name)
    for needed in _IMPORT.findall(text):
        if needed not in order:
            _join(needed, order)
    order[name] = _EXPORT.sub("", _IMPORT.sub("", text))


def modules() -> dict[str, str]:
    """Each module's text as it stands, by its name."""
    names = sorted(file.name.removesuffix(".js") for file in _FOLDER.iterdir() if file.name.endswith(".js"))
    return {name: _read(name) for name in names}


_FOLDER = files(__name__.rpartition(".")[0]) / "js"


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.js").read_text(encoding="utf-8")
