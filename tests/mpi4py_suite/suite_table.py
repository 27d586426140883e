"""Writes the tables of docs/mpi.md: what of mpi4py's MPI simulated ranks have, by its names and by its own tests.

    python tests/mpi4py_suite/suite_table.py

The names are compared with those of the mpi4py that is installed here, the tests are taken from the two lists, which
`suite.py check` holds against what happens. A test holds the page against what this would write.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from suite_data import NOT_PASSING, Tests, read, read_passed

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "mpi.md"
#: On how many ranks the list is complete: on which `suite.py update` was run for all files.
MEASURED = (1, 2, 3, 4, 5)
#: Where a table is on the page.
_BETWEEN = r"(<!-- {0} -->\n).*?(<!-- end of {0} -->)"


def tables() -> dict[str, str]:
    """The tables, by their names."""
    return {"names": names(), "tests": tests(), "reasons": reasons()}


def page(text: str) -> str:
    """The page with its tables as they should be."""
    for name, table in tables().items():
        found = re.search(_BETWEEN.format(name), text, flags=re.DOTALL)
        assert found is not None, f"{PAGE.name} has no place for the table {name!r}"
        text = text[: found.start()] + found[1] + table + found[2] + text[found.end() :]
    return text


def _table(*rows: tuple[object, ...]) -> str:
    head, *rest = rows
    lines = [head, ("---",) * len(head), *rest]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


# -- names -----------------------------------------------------------------------------------------------


def names() -> str:
    """Of each class, and of the module: how many of its names there are, which are refused, and which are missing."""
    from mpi4py import MPI

    from bsbpool_sim import mpi

    rows = [_row("functions of `MPI`", _public(MPI, inspect.isroutine), MPI, mpi)]
    rows.append(_row("constants and objects of `MPI`", _public(MPI, _is_value), MPI, mpi))
    for name in _public(MPI, inspect.isclass):
        theirs, ours = getattr(MPI, name), getattr(mpi, name, None)
        of_class = [each for each in dir(theirs) if not each.startswith("_")]
        if issubclass(theirs, BaseException):
            of_class = [each for each in of_class if each not in dir(RuntimeError)]
        rows.append(_row(f"`MPI.{name}`", of_class, theirs, ours))
    return _table(("of", "names", "there", "refused", "missing"), *rows)


def _public(module: Any, kind: Any) -> list[str]:
    return [name for name in sorted(dir(module)) if not name.startswith("_") and kind(getattr(module, name))]


def _is_value(value: Any) -> bool:
    return not inspect.isroutine(value) and not inspect.isclass(value) and not inspect.ismodule(value)


def _row(about: str, theirs: list[str], real: Any, ours: Any) -> tuple[object, ...]:
    known = set() if ours is None else {name for name in theirs if name in _DYNAMIC or _has(ours, name)}
    missing = [name for name in theirs if name not in known]
    refused = [name for name in theirs if name in known and _is_refused(ours, name)]
    there = len(theirs) - len(missing) - len(refused)
    return about, len(theirs), there, _list(refused), _list(missing) if ours is not None else "the class"


#: Which exist only while a rank runs.
_DYNAMIC = ("COMM_WORLD", "COMM_SELF", "pickle")


def _has(ours: Any, name: str) -> bool:
    try:
        inspect.getattr_static(ours, name)
    except AttributeError:
        return hasattr(ours, name)
    return True


def _is_refused(ours: Any, name: str) -> bool:
    if name in _DYNAMIC:
        return False
    doc = getattr(getattr(ours, name, None), "__doc__", None)
    return isinstance(doc, str) and doc.startswith("Refuse.")


def _list(names: list[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


# -- tests -----------------------------------------------------------------------------------------------


def _count(tests: Tests, file: str, size: int) -> int:
    return sum(size in sizes and (not file or test.partition(".")[0] == file) for test, sizes in tests.items())


def _listed() -> Iterator[tuple[str, Tests]]:
    yield from sorted(read(NOT_PASSING).items())


def tests() -> str:
    """Of each file of mpi4py's tests: how many pass under MPICH and on simulated ranks, on each number of ranks."""
    _, passed = read_passed()
    failing: Tests = {}
    for _, of in _listed():
        for test, sizes in of.items():
            failing.setdefault(test, set()).update(sizes)
    rows = []
    for file in [*sorted({test.partition(".")[0] for test in passed}), ""]:
        row: list[object] = [f"`{file}`" if file else "all"]
        for size in MEASURED:
            real = _count(passed, file, size)
            row.append(f"{real - _count(failing, file, size)} of {real}" if real else "-")
        if not file:
            shares = [1 - _count(failing, "", size) / _count(passed, "", size) for size in MEASURED]
            row = ["all", *(f"{cell}, {100 * share:.1f} %" for cell, share in zip(row[1:], shares, strict=True))]
        rows.append(tuple(row))
    return _table(("file", *(f"{size} ranks" if size > 1 else "1 rank" for size in MEASURED)), *rows)


def reasons() -> str:
    """Why tests do not pass, and how many."""
    rows = [
        (reason, len(of), " ".join(sorted({f"`{test.partition('.')[0]}`" for test in of}))) for reason, of in _listed()
    ]
    return _table(("why not", "tests", "in"), *rows)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
