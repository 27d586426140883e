"""Recording: puts what happens into a trace, with its time. Decides nothing, and asks nobody anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .format import Trace, harmless


class Recorder:
    """Collects events into a `Trace`.

    :param header: what the trace's first line says of the run.
    :param now: the clock: integer nanoseconds.
    """

    def __init__(self, header: Mapping[str, Any], now: Callable[[], int]):
        self.trace = Trace(header)
        self.now = now
        # By label: how many pools wanted it.
        self._labels: dict[int | str, int] = {}
        #: records an event that has its time already: kind, t, fields.
        self.record: Callable[[tuple[Any, ...]], None] = self.trace.append

    def emit(self, kind: str, *fields: Any) -> None:
        """Record an event of `kind` now, with its fields in the order of `bsbpool.trace.EVENTS`."""
        self.record((kind, self.now(), *fields))

    def label(self, id: Any) -> int | str:
        """What a pool with this id (as `describe` gives it) is called in the trace: no other one of it is called so."""
        label = id if isinstance(id, int | str) and not isinstance(id, bool) else json.dumps(id)
        label = harmless(label) if isinstance(label, str) else label
        count = self._labels[label] = self._labels.get(label, 0) + 1
        return label if count == 1 else self.label(f"{label} #{count}")

    def stop(self) -> None:
        """Record nothing from now on: the run is over, and what is left of it is only tidied away."""
        self.record = _forget


def _forget(event: tuple[Any, ...]) -> None:
    pass
