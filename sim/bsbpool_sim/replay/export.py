"""Writes a recorded run as a scenario file, as a person would write it, or the smallest scenario that fails in the same
way.

The scenario is run before it is returned: an outcome that is not the same without the recorded order of events (for
example, which job was running when a pool stopped) is not expected. `export_entries` makes entries from a trace,
`export_expected` the expectations, `export_minimal` reduces a scenario, and `export_text` makes its text.

The meaning of scenarios belongs in `bsbpool_sim.scenario`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from bsbpool.trace import Trace

from ..scenario import ScenarioError
from .ending import ReplayError
from .export_entries import EntryWriter
from .export_expected import put_in_what_is_expected, run_scenario
from .export_minimal import minimal_scenario
from .export_text import dump


def to_scenario(trace: Trace, *, round_to: int | None = None, minimal: bool = False, name: str = "the trace") -> str:
    """Return the text of a scenario file whose run has the outcome of the recorded run.

    :param round_to: nanoseconds to a multiple of which times are rounded; None: two digits are left.
    :param minimal: only what is needed for the first error.
    :param name: what the run is called in the file.
    :raises ReplayError: there is nothing to make a scenario of.
    """
    written = EntryWriter(trace, _rounding(round_to), name)
    data = written.scenario()
    try:
        run_scenario(data)
    except ScenarioError:
        # Nodes whose jobs wait for each other's can't be written as nodes that come one after the other.
        written = EntryWriter(trace, _rounding(round_to), name, by_node=False)
        data = written.scenario()
    try:
        if minimal:
            data = minimal_scenario(data, name)
        put_in_what_is_expected(data, written.wanted if not minimal else None)
    except ScenarioError as error:  # of a trace that no pool has written
        raise ReplayError(f"there is no scenario for it: {error.message}") from None
    return dump(data)


def _rounding(to: int | None) -> Callable[[int], int]:
    if to is not None:
        return lambda ns: round(ns / to) * to
    return lambda ns: int(Decimal(f"{ns:.1e}")) if ns else 0
