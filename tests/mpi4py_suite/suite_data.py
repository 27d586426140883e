"""The lists that the comparison keeps: which tests pass under MPICH; which of these do not on simulated ranks, and why.

Both are text. A line that begins with ``=`` is what holds of the tests below it; of a class, a line has the numbers of
ranks, and the names of its tests; a line that is further in goes on with the one above:

    = refused: a process can't be started
    test_spawn.TestSpawnSelf 1-3,5: testCommSpawn testErrcodes
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

SIZES = (1, 2, 3, 4, 5)
#: On how many ranks the list of findings is complete.
CHECKED = (2,)
#: Tests, each with the numbers of ranks that it is about.
Tests = dict[str, set[int]]

FOLDER = Path(__file__).parent
PASSED = FOLDER / "passed_under_mpich.txt"
NOT_PASSING = FOLDER / "not_passing.txt"
FINDINGS = FOLDER / "findings.txt"
#: What stands before a reason that nobody has looked at.
UNEXPLAINED = "unexplained: "
#: What stands before the reason of tests that take too long; the comparison does not run them.
SLOW = "slow: "


def read(path: Path) -> dict[str, Tests]:
    """What holds, each with the tests that it holds for."""
    found: dict[str, Tests] = {}
    about = ""
    for line in _lines(path.read_text(encoding="utf-8")):
        if line.startswith("="):
            about = line[1:].strip()
            found.setdefault(about, {})
            continue
        head, _, names = line.partition(":")
        group, sizes = head.split()
        for name in names.split():
            found[about].setdefault(f"{group}.{name}", set()).update(_sizes(sizes))
    return found


def read_slow(size: int) -> set[str]:
    """The tests of the list that are not run on so many simulated ranks."""
    listed = read(NOT_PASSING).items() if NOT_PASSING.exists() else ()
    slow = (tests.items() for reason, tests in listed if reason.startswith(SLOW))
    return {test for tests in slow for test, sizes in tests if size in sizes}


def read_passed() -> tuple[str, Tests]:
    """Of which versions the record is, and which tests pass under MPICH."""
    ((about, passed),) = read(PASSED).items()
    return about, passed


def write(path: Path, comment: str, of: Mapping[str, Tests]) -> None:
    """Write what holds for which tests, in the order of their names.

    :param comment: what is said on top.
    """
    parts = [textwrap.indent(textwrap.fill(comment, 118), "# ")]
    for about in sorted(of):
        parts.append(f"= {about}")
        groups: dict[tuple[str, str], list[str]] = {}
        for test, sizes in sorted(of[about].items()):
            group, _, name = test.rpartition(".")
            groups.setdefault((group, _text(sizes)), []).append(name)
        for (group, on), names in sorted(groups.items()):
            text = f"{group} {on}: {' '.join(names)}"
            parts.append(textwrap.fill(text, 120, subsequent_indent="    ", break_on_hyphens=False))
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _lines(text: str) -> Iterator[str]:
    whole = ""
    for line in text.splitlines():
        if line.startswith("    "):
            whole += " " + line.strip()
            continue
        if whole:
            yield whole
        whole = "" if line.startswith("#") else line
    if whole:
        yield whole


def _sizes(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _text(sizes: Iterable[int]) -> str:
    runs: list[list[int]] = []
    for size in sorted(sizes):
        if runs and size == runs[-1][-1] + 1:
            runs[-1].append(size)
        else:
            runs.append([size])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
