"""Files of faults: what happens to ranks and links while a program runs. Their keys are those of scenario files.

They are read like scenarios, and have the same meaning. Faults of jobs need a pool that the file describes, and thus a
scenario.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from ..cluster import Cluster
from ..script import Script, ScriptRuntime
from .document import FileKind, KeyPath, ScenarioError
from .loading import read_file, validate_as
from .model import Delay, Entry, Pause, Slow
from .written_values import Duration, Factor, RankNumber, wrong

_FAULTS = FileKind(
    "a file of faults has the key events, or slow, or both", "a file of faults is a mapping with the keys events, slow"
)
_ACTIONS = ("kill", "pause", "slow", "delay")


class FaultEntry(Entry):
    """An event of a file of faults; it happens once."""

    at: Duration = Field(description="When it happens, such as 2s.")
    kill: RankNumber | None = Field(None, description="End this rank, as kill -9 would.")
    pause: Pause | None = Field(None, description="Nothing goes on on a rank for a while; messages to it still arrive.")
    slow: Slow | None = Field(None, description="Make a rank slower.")
    delay: Delay | None = Field(None, description="Make a link slower, from the next message on.")

    @model_validator(mode="after")
    def _does_one_thing(self) -> FaultEntry:
        given = [name for name in _ACTIONS if getattr(self, name) is not None]
        if len(given) != 1:
            what = "nothing" if not given else " and ".join(given)
            raise wrong(f"this event does {what}: an event does one of {', '.join(_ACTIONS)}")
        return self


class Faults(Entry):
    """A file of faults."""

    slow: dict[RankNumber, Factor] = Field({}, description="Factors by which ranks are slower from the start.")
    events: list[FaultEntry] = Field([], description="What goes wrong, and when.")


class FaultScript(Script):
    """The script of a file of faults."""

    def __init__(self, faults: Faults):
        super().__init__()
        self.faults = faults
        for rank, factor in faults.slow.items():
            self.rank(rank, slower=float(factor))

    def make_runtime(self, cluster: Cluster) -> ScriptRuntime:
        """Return the script's runtime, with the faults of this file in the kernel's queue."""
        runtime = super().make_runtime(cluster)
        kernel = cluster.kernel
        for fault in self.faults.events:
            if fault.kill is not None:
                kernel.fault(fault.at, runtime.kill, (kernel.ranks[fault.kill], "killed"))
            elif fault.pause is not None:
                kernel.fault(fault.at, runtime.pause, (kernel.ranks[fault.pause.rank], fault.pause.length))
            elif fault.slow is not None:
                kernel.fault(fault.at, runtime.slow_down, (kernel.ranks[fault.slow.rank], float(fault.slow.by)))
            else:
                assert fault.delay is not None
                kernel.fault(fault.at, runtime.delay, (fault.delay.source, fault.delay.to, fault.delay.by))
        return runtime


def load_faults(path: str, ranks: int) -> FaultScript:
    """Return the script in a file of faults, for this number of ranks.

    :raises ScenarioError: it can't be used; tells all that is wrong.
    """
    document = read_file(path, _FAULTS)
    faults: Faults = validate_as(Faults, document)
    problems = [document.wrong(*place) for place in _absent(faults, ranks)]
    if problems:
        raise ScenarioError.of(problems)
    return FaultScript(faults)


def _absent(faults: Faults, ranks: int) -> list[tuple[KeyPath, str]]:
    """The places of ranks that are not there."""
    named: list[tuple[KeyPath, int | None]] = [(("slow", rank), rank) for rank in faults.slow]
    for number, fault in enumerate(faults.events):
        path: KeyPath = ("events", number)
        named.append(((*path, "kill"), fault.kill))
        for action, key, part in (
            ("pause", "rank", fault.pause), ("slow", "rank", fault.slow), ("delay", "from", fault.delay),
            ("delay", "to", fault.delay),
        ):  # fmt: skip
            values: Any = {} if part is None else part.model_dump(by_alias=True)
            named.append(((*path, action, key), values.get(key)))
    return [
        (path, f"rank {rank} is not there: there are ranks 0 to {ranks - 1}")
        for path, rank in named
        if rank is not None and rank >= ranks
    ]
