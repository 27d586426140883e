"""Checks whether the parts of a scenario fit together: its jobs, and what its events, listeners and expectations name.

`model` checks each part on its own, and `expanding` the jobs. Mistakes found here: a part names another that does not
exist, or two parts contradict each other.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Set

from bsbpool.text import LONGEST, harmless
from bsbpool.values import shown

from .document import Document, KeyPath, ScenarioError
from .expanding import Expansion
from .model import ACTIONS, BY_SOMEBODY, EventEntry, Model, Scheduler
from .written_values import Occurrence, shown_yaml

#: The ways in which main can leave, besides with an exception that is named.
OUTCOMES = ("ok", "error", "deadlock", "horizon", "died")


#: The attributes of a strategy that cached methods can't have as their name.
_METHODS = ("name", "scaffold", "get_node_name", "get_indicators", "place", "connect")


def gap_of_event(number: object) -> str:
    """What says among the gaps of a `Plan` that parts of the event with that index may have been removed."""
    return f"events {number}"


class Plan(Expansion):
    """A scenario whose parts fit together.

    :param gaps: not None: the model is the rest of one that has mistakes, and these kinds of names may have been
        removed with them (see `loading.gaps`). Then nothing is raised, and no name of these kinds is called missing.
    :raises ScenarioError: the parts do not fit together; it has all mistakes.
    """

    def __init__(self, model: Model, document: Document, *, gaps: Set[str] | None = None):
        super().__init__(model, document, gaps=frozenset() if gaps is None else gaps)
        #: by rank: the cached methods, with their strategies, whose items it holds before the pool opens.
        self.held: dict[int, list[tuple[str, str]]] = {}
        self._check_ground()
        self._check_strategies()
        self._check_schedulers()
        self._check_events()
        self._check_expectations()
        self.check_lookups()
        if self.problems and gaps is None:
            raise ScenarioError.of(self.problems)

    def _check_ground(self) -> None:
        if self.model.pool.job_timeout == 0:
            self._report(("pool", "job_timeout"), "job_timeout is a time above 0, such as 10s")
        for rank in self.model.slow:
            self._check_rank(("slow", rank), rank, key=True)
        seen: dict[str, None] = {}
        for number, phase in enumerate(self.model.workflow):
            if phase in seen:
                self._report(("workflow", number), f"phase {phase!r} stands here a second time")
            elif harmless(phase) != phase:  # traces name pools by what can be shown
                what = f"phase {shown(phase)} has characters that can't be shown, or more than {LONGEST}"
                self._report(("workflow", number), f"{what}: give it a name that can be printed")
            seen[phase] = None
        for rank, items in self.model.holds.items():
            self._check_rank(("holds", rank), rank, key=True)
            self.held[rank] = [*self._items(items, ("holds",), rank)]

    def _check_strategies(self) -> None:
        for name, strategy in self.model.strategies.items():
            if not re.fullmatch(r"[^\s.*?]+", name):
                self._report(
                    ("strategies", name),
                    f"{name!r} is no name for a strategy: leave out blanks, dots, * and ?",
                    key=True,
                )
            cached: dict[str, None] = {}
            for number, method in enumerate(strategy.cached):
                path = ("strategies", name, "cached", number)
                if not method.isidentifier() or method.startswith("_") or method in _METHODS:
                    self._report(path, f"{shown_yaml(method)} is no name for a cached method: take a word such as load")
                if method in cached:
                    self._report(path, f"method {method!r} stands here a second time")
                cached[method] = None
            if strategy.cleanup_raises is not None and not cached:
                self._report(
                    ("strategies", name, "cleanup_raises"),
                    "it has no cached items that could be freed: name its methods with 'cached'",
                    key=True,
                )

    def _check_schedulers(self) -> None:
        before: dict[str, Scheduler] = {}
        for number, scheduler in enumerate(self.model.schedulers):
            path: KeyPath = ("schedulers", number)
            if scheduler.name in before or scheduler.name in self.jobs:
                self._report((*path, "name"), f"{scheduler.name!r} is there already: names are unique")
            for n, name in enumerate(scheduler.depends_on):
                if name not in before and "schedulers" not in self._gaps:
                    self._report(
                        (*path, "depends_on", n),
                        f"scheduler {name!r} does not come before this one: "
                        f"{self._nearest(name, before, 'schedulers before it')}",
                    )
            self._check_patterns(path, "cancels", scheduler.cancels)
            before[scheduler.name] = scheduler

    def _check_patterns(self, path: KeyPath, key: str, patterns: Iterable[str]) -> None:
        for number, pattern in enumerate(patterns):
            if not self.match(pattern):
                self._miss_job(self._at(path, key, number), pattern)

    def _check_events(self) -> None:
        names: dict[str, None] = {}
        for number, listener in enumerate(self.model.pool.listeners):
            path: KeyPath = ("pool", "listeners", number)
            if listener.max_wait == 0:
                self._report((*path, "max_wait"), "max_wait is a time above 0, such as 100ms")
            if listener.name in names:
                self._report((*path, "name"), f"listener {listener.name!r} is there already: give each its name")
            names[listener.name] = None
            self._check_patterns(path, "handles", listener.handles)
            for condition in listener.raises:
                self._check_occurrence((*path, "raises", condition.text), condition, key=True)
                self._check_told((*path, "raises", condition.text), condition, key=True)
        for number, event in enumerate(self.model.events):
            self._check_event(event, ("events", number), names)

    def _check_event(self, event: EventEntry, path: KeyPath, listeners: Mapping[str, None]) -> None:
        cut = not self._gaps.isdisjoint({"events", gap_of_event(path[-1])})
        if (event.at is None) == (event.when is None) and not (cut and event.at is None):
            self._report(path, "an event happens at a time or when something happens: give one of 'at' and 'when'")
        actions = [name for name in ACTIONS if getattr(event, name) is not None]
        if len(actions) != 1 and not (cut and not actions):
            said = ", ".join({"raises": "raise", "set_status": "set"}.get(name, name) for name in ACTIONS)
            self._report(path, f"an event does one thing, and this does {len(actions)}: give one of {said}")
        if event.when is not None:
            self._check_occurrence((*path, "when"), event.when)
            if event.by is not None or event.raises is not None:
                self._check_told((*path, "when"), event.when)
        if event.cancel is not None:
            self._check_patterns(path, "cancel", event.cancel)
        elif event.reason is not None:
            self._report((*path, "reason"), "a reason belongs to cancel", key=True)
        if event.by is not None and actions and actions[0] not in ("raises", *BY_SOMEBODY):
            self._report(
                (*path, "by"), "'by' names the listener that raises, cancels, queues, sets, limits or runs", key=True
            )
        if event.by is not None and event.by not in listeners and "listeners" not in self._gaps:
            self._report(
                (*path, "by"), f"listener {event.by!r} is not there: {self._nearest(event.by, listeners, 'listeners')}"
            )
        if event.raises is not None and not listeners and "listeners" not in self._gaps:
            self._report(path, "a listener raises, and there is none: add one under pool, listeners")
        for key, names in (("set", event.set_status), ("limit", event.limit)):
            for name in names or ():
                if name not in self.jobs:
                    self._miss_job((*path, key, name), name, key=True)
        for name, limit in (event.limit or {}).items():
            if limit == 0:
                self._report((*path, "limit", name), "a time limit is a time above 0, such as 10s")
        for key, named in (("run", event.run), ("kill_rank_of", event.kill_rank_of)):
            if named is not None and named not in self.jobs:
                self._miss_job((*path, key), named)
        if event.kill is not None:
            self._check_rank((*path, "kill"), event.kill)
        if event.pause is not None:
            self._check_rank((*path, "pause", "rank"), event.pause.rank)
        if event.slow is not None:
            self._check_rank((*path, "slow", "rank"), event.slow.rank)
        if event.delay is not None:
            self._check_rank((*path, "delay", "from"), event.delay.source)
            self._check_rank((*path, "delay", "to"), event.delay.to)

    def _check_occurrence(self, path: KeyPath, happens: Occurrence, *, key: bool = False) -> None:
        """Check that the subject of an occurrence exists."""
        if happens.kind == "job" and not self.match(happens.pattern):
            self._miss_job(path, happens.pattern, key=key)
        if happens.kind == "lost":
            self._check_rank(path, int(happens.pattern), key=key)
        if happens.kind == "phase" and happens.pattern not in self.model.workflow and "phases" not in self._gaps:
            self._report(
                path,
                f"phase {happens.pattern!r} is not there: "
                f"{self._nearest(happens.pattern, self.model.workflow, 'phases')}",
                key=key,
            )

    def _check_told(self, path: KeyPath, happens: Occurrence, *, key: bool = False) -> None:
        """Check that a listener is notified of an occurrence."""
        if happens.kind not in ("job", "ping"):
            self._report(
                path,
                f"a listener is told of jobs and of pings, and not that {happens.text}: wait for one of those",
                key=key,
            )

    def _check_expectations(self) -> None:
        expect = self.model.expect
        if expect.outcome is not None and expect.outcome not in OUTCOMES and not expect.outcome[:1].isupper():
            near = difflib.get_close_matches(expect.outcome, OUTCOMES, n=1)
            self._report(
                ("expect", "outcome"),
                f"{expect.outcome!r} is no outcome: "
                + (f"did you mean {near[0]}?" if near else f"there are {', '.join(OUTCOMES)}, and names of exceptions"),
            )
        if expect.deadlock is not None and expect.outcome not in (None, "deadlock"):
            self._report(
                ("expect", "outcome"), f"a deadlock is expected, so that the outcome can't be {expect.outcome!r}"
            )
        schedulers = {s.name: None for s in self.model.schedulers}
        lacks = self._lacks_jobs or "schedulers" in self._gaps
        for key in expect.errors or ():
            if key != "pool" and key not in schedulers and not self.match(key) and not lacks:
                self._report(
                    ("expect", "errors", key),
                    f"no job or scheduler matches {key!r}: {self._nearest(key, [*self.jobs, *schedulers], 'jobs')}",
                    key=True,
                )
        for part, said in (("statuses", expect.statuses), ("results", expect.results), ("ran_on", expect.ran_on)):
            for key in said:
                if not self.match(key):
                    self._miss_job(("expect", part, key), key, key=True)
        for name, ranks in expect.ran_on.items():
            for rank in ranks:
                self._check_rank(("expect", "ran_on", name), rank)
        for number, happens in enumerate(expect.order):
            self._check_occurrence(("expect", "order", number), happens)
        for rank in expect.raised:
            self._check_rank(("expect", "raised", rank), rank, key=True)
        for rank, freeings in expect.freed.items():
            self._check_rank(("expect", "freed", rank), rank, key=True)
            for number, freeing in enumerate(freeings):
                path: KeyPath = ("expect", "freed", rank, number)
                self._check_item(path, freeing.item)
                if freeing.before is not None and not self.match(freeing.before):
                    self._miss_job(path, freeing.before)
        for item in expect.loaded:
            self._check_item(("expect", "loaded", item), item, key=True)
        if expect.others is not None:
            covered = {name for pattern in expect.statuses for name in self.match(pattern)}
            left = [name for name in self.jobs if name not in covered]
            if left and not self._lacks_jobs and "statuses" not in self._gaps:
                self._report(
                    ("expect", "others"),
                    f"'others: none' goes with the status of each job, and {left[0]!r} has none: add it to statuses",
                    key=True,
                )

    def _check_item(self, path: KeyPath, item: str, *, key: bool = False) -> None:
        if item not in self.items and "strategies" not in self._gaps and not self._lacks_jobs:
            self._report(
                path, f"cached item {item!r} is not there: {self._nearest(item, self.items, 'cached items')}", key=key
            )
