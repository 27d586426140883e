"""What becomes of a test whose simulated ranks have raised different things, or have broken rules of MPI."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.skipping import evaluate_xfail_marks  # which mark holds, and what it expects: nothing public says so

from bsbpool.frames import is_own

from ..checks.violations import LeakedHandleWarning
from .rank_reports import skip_reasons

if TYPE_CHECKING:
    from types import TracebackType

    from ..checks.violations import Violation


def one_skip(skipped: dict[int, Any]) -> Any:
    """What skips a test that all of its ranks have skipped: it has their reasons, if these differ."""
    first = skipped[min(skipped)]
    reasons = skip_reasons([str(skipped[rank].msg) for rank in sorted(skipped)])
    if reasons is not None:
        first.msg, first.args = reasons, (reasons,)
    return first


def is_expected(item: pytest.Function, error: BaseException) -> bool:
    """Whether a test is marked to raise this, by `xfail`."""
    marked = None if item.config.getoption("runxfail", False) else evaluate_xfail_marks(item)
    if marked is None or marked.raises is None:
        return marked is not None
    raises: Any = marked.raises
    if isinstance(raises, type | tuple):
        return isinstance(error, raises)
    return bool(raises.matches(error))


def tell(violations: Sequence[Violation]) -> None:
    """Fail for rules of MPI that were broken, and warn of what was not freed."""
    said: set[tuple[str, str, int]] = set()
    wrong = []
    for each in sorted(violations, key=operator.attrgetter("place.rank")):
        place = each.place
        if (each.kind, place.file, place.line) in said:
            continue
        said.add((each.kind, place.file, place.line))
        text = f"{each.kind}: rank {place.rank} {each.what}, and {each.right}"
        if each.kind == "leaked-handle":
            warnings.warn_explicit(text, LeakedHandleWarning, place.file, place.line)
        else:
            wrong.append(f"{place.file}:{place.line}: {text}")
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def theirs(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without this project's frames; unchanged if it has no others."""
    frames, here = [], traceback
    while here is not None:
        if not is_own(here.tb_frame):
            frames.append(here)
        here = here.tb_next
    if not frames:
        return traceback
    for one, following in zip(frames, [*frames[1:], None], strict=True):
        one.tb_next = following
    return frames[0]
