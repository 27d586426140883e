"""What is kept of the outcomes, as text: those under MPICH; and which ones on simulated ranks are others, and why.

Comm.Send
  ERR_RANK | dest=-99 dest=99
  = None | right keywords
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent
MPICH = FOLDER / "mpich.txt"
DIFFERING = FOLDER / "differing.txt"
_OF = "# Of "

#: By the name of a method and what is special about a case.
Outcomes = dict[tuple[str, str], str]


def installed() -> str:
    """What a record is of."""
    return f"mpi4py {version('mpi4py')}, MPICH {version('mpich')}"


def recorded(path: Path = MPICH) -> str:
    """What the record is of."""
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix(_OF)


def read_outcomes(path: Path = MPICH) -> Outcomes:
    """What was recorded."""
    found: Outcomes = {}
    method = ""
    for line in _lines(path):
        if not line.startswith(" "):
            method = line
            continue
        outcome, _, names = line.strip().rpartition(" | ")
        found.update({(method, what): outcome for what in names.split()})
    return found


def write_outcomes(outcomes: Outcomes, comment: str, path: Path = MPICH) -> None:
    """Record outcomes.

    :param comment: what is said on top.
    """
    lines = [_OF + installed(), textwrap.indent(textwrap.fill(comment, 118), "# ")]
    for method in dict.fromkeys(method for method, _ in outcomes):
        lines.append(method)
        by_outcome: dict[str, list[str]] = {}
        for (of, what), outcome in outcomes.items():
            if of == method:
                by_outcome.setdefault(outcome, []).append(what)
        lines += [f"  {outcome} | {' '.join(names)}" for outcome, names in by_outcome.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_differing(path: Path = DIFFERING) -> dict[tuple[str, str], str]:
    """Which outcomes are others, and why."""
    found = {}
    reason = ""
    for line in _lines(path):
        if line.startswith("="):
            reason = line[1:].strip()
            continue
        method, _, names = line.partition(": ")
        found.update({(method, what): reason for what in names.split()})
    return found


def write_differing(differing: Mapping[tuple[str, str], str], comment: str, path: Path = DIFFERING) -> None:
    """Write which outcomes are others, and why."""
    lines = [textwrap.indent(textwrap.fill(comment, 118), "# ")]
    for reason in sorted({*differing.values()}):
        lines.append(f"= {reason}")
        of: dict[str, list[str]] = {}
        for (method, what), why in differing.items():
            if why == reason:
                of.setdefault(method, []).append(what)
        lines += [f"{method}: {' '.join(names)}" for method, names in of.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line
