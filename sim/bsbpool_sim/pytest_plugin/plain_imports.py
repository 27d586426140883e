"""Lets Python load the modules of this project, and not pytest.

pytest loads the modules of each package that has a plugin by a loader of its own, so that their asserts explain
themselves, and that takes three times as long: with two hundred modules, a tenth of a second in each process of a run.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

#: Modules below these packages. The packages themselves are there already, or come by whatever finds them.
_OWN = ("bsbpool.", "bsbpool_sim.")


class _Plainly:
    """Stands in `sys.meta_path` in front of pytest's finder."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, path) if path is not None and name.startswith(_OWN) else None


def load_plainly() -> None:
    """Load the modules of this project from now on as Python does; called again, it does nothing."""
    if not any(isinstance(each, _Plainly) for each in sys.meta_path):
        sys.meta_path.insert(0, _Plainly())
