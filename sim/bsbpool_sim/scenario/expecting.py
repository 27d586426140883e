"""Compares the outcome of a scenario with its expectations, and with the invariants.

The outcome is the trace, and the notes of the scenario's program. Running it belongs in `running`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bsbpool.durations import exact_duration
from bsbpool.errors_and_facts import describe_error, in_words
from bsbpool.facts import Error

from .always import check_what_always_holds
from .document import KeyPath
from .observed import MOST_FAILURES, Observed
from .outcome import Failure
from .patterns import matcher
from .written_values import Bounds, Occurrence


class Checker(Observed):
    """Compares one outcome with what its scenario expects, and with what always holds."""

    def check(self) -> list[Failure]:
        """Return all failures: first how main left, then the expectations of the scenario, then what always holds."""
        self._outcome()
        self._raised()
        self._events_happened()
        self._errors()
        self._statuses()
        self._counts()
        self._results()
        self._order()
        self._pings()
        self._elapsed()
        self._ran_on()
        self._caches()
        self._refused()
        self._others()
        if self.outcome.kind not in ("deadlock", "horizon"):
            check_what_always_holds(self)
        return self.failures

    # -- how it ended ----------------------------------------------------------------------------------------

    def _outcome(self) -> None:
        expect, outcome = self.expect, self.outcome
        wanted = expect.outcome or ("deadlock" if expect.deadlock is not None else "error" if expect.errors else "ok")
        if outcome.kind != wanted:
            path: KeyPath = ("expect", "outcome") if expect.outcome is not None else ("expect",)
            said = outcome.kind if outcome.error is None else f"{outcome.kind}: {outcome.error}"
            self.fail(path, "outcome", wanted, said, outcome.elapsed, len(self.events) - 1)
        elif expect.deadlock is not None and not matcher(f"*{expect.deadlock}*")(outcome.error or ""):
            self.fail(("expect", "deadlock"), "deadlock", expect.deadlock, str(outcome.error), outcome.elapsed)

    def _raised(self) -> None:
        for rank, pattern in self.expect.raised.items():
            left = rank in self.stage.outcomes
            said = (describe_error(self.stage.outcomes[rank]) or "ok") if left else "it never left"
            if not matcher(pattern)(said):
                self.fail(("expect", "raised", rank), f"raised: rank {rank}", pattern, said)

    def _events_happened(self) -> None:
        for number, why, t in self.stage.troubles:
            self.fail(("events", number), f"events: number {number + 1}", "it happens", f"it can't: {why}", t)
        for number, event in enumerate(self.plan.model.events):
            if number not in self.stage.happened:
                when = (
                    f"at {exact_duration(event.at)}"
                    if event.at is not None
                    else f"when {event.when and event.when.text}"
                )
                self.fail(
                    ("events", number),
                    f"events: number {number + 1}",
                    f"it happens {when}",
                    f"it never did; all was over at {exact_duration(self.outcome.elapsed)}",
                )
        for number, listener in enumerate(self.plan.model.pool.listeners):
            for condition in listener.raises:
                if (listener.name, condition.text) not in self.stage.raised_by:
                    self.fail(
                        ("pool", "listeners", number, "raises", condition.text),
                        f"listener {listener.name}",
                        f"it raises when {condition.text}",
                        "it was never told of that",
                    )

    def _errors(self) -> None:
        wanted = self.expect.errors
        if wanted is None:
            return
        left: dict[str, list[Error]] = {}
        for owner, error in self.stage.errors:
            left.setdefault(owner, []).append(error)
        for key, each in wanted.items():
            path = ("expect", "errors", key)
            owners = self.plan.match(key) or [key]
            for owner in owners:
                mine = left.get(owner, [])
                good = next((place for place, error in enumerate(mine) if each.fits(error, in_words)), None)
                if good is not None:
                    del mine[good]
                    continue
                last = self.last(owner)
                if mine:
                    happened = in_words(mine.pop(0))
                elif last is not None:
                    happened = f"no error of {owner}, which is {last}"
                else:
                    happened = f"no error of {owner}"
                self.fail(
                    path,
                    f"errors: {owner}",
                    each.text,
                    happened,
                    last.t if last else None,
                    last.event if last else None,
                )
        for owner, error in [(owner, error) for owner, errors in left.items() for error in errors]:
            last = self.last(owner)
            self.fail(
                ("expect", "errors"),
                "errors",
                f"no error of {owner}",
                in_words(error),
                last.t if last else None,
                last.event if last else None,
            )

    # -- jobs ------------------------------------------------------------------------------------------------

    def _statuses(self) -> None:
        for pattern, wanted in self.expect.statuses.items():
            wrong = [name for name in self.plan.match(pattern) if self.status(name) != wanted]
            for name in wrong[:MOST_FAILURES]:
                last = self.last(name)
                self.fail(
                    ("expect", "statuses", pattern),
                    f"statuses: {name}",
                    wanted,
                    str(last or self.status(name)),
                    last.t if last else None,
                    last.event if last else None,
                )

    def _counts(self) -> None:
        for status, bounds in self.expect.counts.items():
            count = sum(self.status(name) == status for name in self.plan.jobs)
            if not bounds.hold(count):
                changes = [c for name in self.plan.jobs for c in self.history[name] if c.status == status]
                last = max(changes, key=lambda c: c.event, default=None)
                self.fail(
                    ("expect", "counts", status),
                    f"counts: {status}",
                    _bounds(bounds, str),
                    str(count),
                    last.t if last else None,
                    last.event if last else None,
                )

    def _results(self) -> None:
        for pattern, wanted in self.expect.results.items():
            for name in self.plan.match(pattern):
                value = self.plan.jobs[name].fill(wanted)
                if name not in self.stage.results:
                    last = self.last(name)
                    self.fail(
                        ("expect", "results", pattern),
                        f"results: {name}",
                        repr(value),
                        f"no result: it is {last or self.status(name)}",
                        last.t if last else None,
                        last.event if last else None,
                    )
                elif self.stage.results[name] != value:
                    last = self.last(name)
                    self.fail(
                        ("expect", "results", pattern),
                        f"results: {name}",
                        repr(value),
                        repr(self.stage.results[name]),
                        last.t if last else None,
                    )

    def _ran_on(self) -> None:
        for pattern, ranks in self.expect.ran_on.items():
            for name in self.plan.match(pattern):
                start = next((c for c in self.history[name] if c.status == "running"), None)
                if start is None or start.rank not in ranks:
                    said = " or ".join(f"rank {rank}" for rank in ranks)
                    self.fail(
                        ("expect", "ran_on", pattern),
                        f"ran_on: {name}",
                        said,
                        f"rank {start.rank}" if start else "it never ran",
                        start.t if start else None,
                        start.event if start else None,
                    )

    # -- order and time ----------------------------------------------------------------------------------------

    def _order(self) -> None:
        position, before = -1, "the beginning"
        for number, happens in enumerate(self.expect.order):
            places = list(self._places(happens))
            found = next((place for place in places if place > position), None)
            if found is None:
                said = f"it never happened after {before}"
                if position >= 0:
                    said += f" ({exact_duration(self.events[position].t)})"
                at, event = None, None
                if places:
                    event = places[-1]
                    at = self.events[event].t
                    said += "; it happened before"
                elif not places:
                    said = "it never happened"
                self.fail(
                    ("expect", "order", number),
                    f"order: {happens.text}",
                    f"{happens.text} after {before}",
                    said,
                    at,
                    event if event is not None else position if position >= 0 else None,
                )
                return
            position, before = found, happens.text

    def _places(self, happens: Occurrence) -> Iterator[int]:
        if happens.kind == "job":
            changes = [
                c
                for name in self.plan.match(happens.pattern)
                for c in self.history[name]
                if c.status in happens.statuses
            ]
            yield from sorted(c.event for c in changes)
            return
        for number, event in enumerate(self.events):
            if (
                (happens.kind == "ping" and event.e == "ping")
                or (happens.kind == "lost" and event.e == "lost" and event.rank == int(happens.pattern))
                or (happens.kind == "phase" and event.e == "pool" and event.pool == happens.pattern)
            ):
                yield number

    def _pings(self) -> None:
        wanted = self.expect.pings
        if wanted is None:
            return
        pings = [(number, e.t) for number, e in enumerate(self.events) if e.e == "ping"]
        last = pings[-1] if pings else (None, None)
        if isinstance(wanted, Bounds):
            if not wanted.hold(len(pings)):
                self.fail(("expect", "pings"), "pings", _bounds(wanted, str), str(len(pings)), last[1], last[0])
        elif wanted != tuple(t for _, t in pings):
            said = ", ".join(exact_duration(t) for _, t in pings[:20]) or "none"
            self.fail(
                ("expect", "pings"), "pings", ", ".join(map(exact_duration, wanted)) or "none", said, last[1], last[0]
            )

    def _elapsed(self) -> None:
        wanted = self.expect.elapsed
        if wanted is not None and not wanted.hold(self.outcome.elapsed):
            self.fail(
                ("expect", "elapsed"),
                "elapsed",
                _bounds(wanted, exact_duration),
                exact_duration(self.outcome.elapsed),
                self.outcome.elapsed,
                len(self.events) - 1,
            )

    # -- caches ------------------------------------------------------------------------------------------------

    def _caches(self) -> None:
        for rank, wanted in self.expect.freed.items():
            frees = self.frees(rank)
            # Items that are freed at the same time have no order.
            same = sorted((f.item, f.before or "") for f in wanted) == sorted((i, b or "") for i, b, _ in frees)
            jobs = [f.before for f in wanted]
            if not same or jobs != [b for _, b, _ in frees]:
                self.fail(
                    ("expect", "freed", rank),
                    f"freed: rank {rank}",
                    _freed((f.item, f.before) for f in wanted),
                    _freed((i, b) for i, b, _ in frees),
                    frees[-1][2] if frees else None,
                )
        for item, bounds in self.expect.loaded.items():
            count = self.stage.loaded.get(item, 0)
            if not bounds.hold(count):
                self.fail(
                    ("expect", "loaded", item), f"loaded: {item}", f"{_bounds(bounds, str)} times", f"{count} times"
                )
        peak = self.expect.peak_cached
        if peak is not None and not peak.hold(self.stage.peak):
            self.fail(("expect", "peak_cached"), "peak_cached", _bounds(peak, str), str(self.stage.peak))

    def _refused(self) -> None:
        wanted = self.expect.cancels_refused
        refused = [(n, e) for n, e in enumerate(self.events) if e.e == "cancel" and not e.done]
        if wanted is not None and not wanted.hold(len(refused)):
            number, event = refused[-1] if refused else (None, None)
            self.fail(
                ("expect", "cancels_refused"),
                "cancels_refused",
                _bounds(wanted, str),
                str(len(refused)),
                None if event is None else event.t,
                number,
            )
        wanted, times = self.expect.by_hand_refused, self.stage.refused
        if wanted is not None and not wanted.hold(len(times)):
            at = times[-1] if times else None
            self.fail(("expect", "by_hand_refused"), "by_hand_refused", _bounds(wanted, str), str(len(times)), at)

    def _others(self) -> None:
        if self.expect.others is None:
            return
        expect = self.expect
        kinds = {"ping": expect.pings is not None, "lost": any(h.kind == "lost" for h in expect.order)}
        for number, event in enumerate(self.events):
            refused = event.e == "cancel" and not event.done and expect.cancels_refused is None
            if refused or not kinds.get(event.e, True):
                self.fail(("expect", "others"), "others", "nothing else happens", self.told(event), event.t, number)


def _bounds(bounds: Bounds, show: Any) -> str:
    if bounds.least == bounds.most:
        return str(show(bounds.least))
    parts = [
        f"at least {show(bounds.least)}" if bounds.least is not None else "",
        f"at most {show(bounds.most)}" if bounds.most is not None else "",
    ]
    return " and ".join(part for part in parts if part)


def _freed(frees: Any) -> str:
    said = [f"{item} {f'before {before}' if before is not None else 'at the end'}" for item, before in frees]
    return ", ".join(said) or "nothing"
