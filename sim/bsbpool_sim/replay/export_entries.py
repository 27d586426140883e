"""Turns the jobs of a recorded run, and what happened to them, into the entries of a scenario.

Similar jobs become one entry with a number in its name, their dependencies become a pattern, and their durations are
rounded. `export_killed` finds the jobs that probably killed their ranks, and `export_expected` the expectations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from bsbpool.durations import written_duration
from bsbpool.errors_and_facts import in_words
from bsbpool.facts import Error
from bsbpool.sizes import MOST_RANKS
from bsbpool.trace import Trace
from bsbpool.trace.history import History

from ..kernel import SECOND
from ..scenario.model import HORIZON, MOST_JOBS
from ..scenario.written_values import ErrorToRaise
from .ending import ReplayError, of_main
from .export_killed import killed_run, killed_with_ranks
from .export_text import Data
from .whatif import PoolPlan, plans_of

#: Nanoseconds that a run may have taken: more than a year.
LONGEST_RUN = 10_000 * 3600 * SECOND


_FUNCTION = re.compile(r"<function (?:.*\.)?([^.>]+)>")


#: How a job ends that kills its rank; others raise an error.
KILLS: tuple[str, Error | None] = ("kills", None)


@dataclass(eq=False)
class Alike:
    """Jobs that become one entry. They are compared by identity.

    :ivar later: whether they were queued after one that stopped the pool.
    :ivar jobs: their ids.
    :ivar name: what they are called, without a number.
    """

    pool: int
    base: str
    ends: tuple[str, Error | None] | None
    cache: tuple[int, ...]
    scheduler: int | None
    waits_for: tuple[Alike, ...]
    later: bool
    jobs: list[int] = field(default_factory=list)
    name: str = ""
    after: list[str] = field(default_factory=list)

    def job(self, id: int) -> str:
        """Return the name of one of these jobs, once all jobs are known."""
        return f"{self.name} {self._numbers[id]}" if len(self.jobs) > 1 else self.name

    @cached_property
    def _numbers(self) -> dict[int, int]:
        return {id: number for number, id in enumerate(self.jobs)}

    @property
    def pattern(self) -> str:
        """Return the pattern that matches all these jobs."""
        return f"{self.name} *" if len(self.jobs) > 1 else self.name


class EntryWriter:
    """Makes a scenario of a trace."""

    def __init__(self, trace: Trace, rounded: Callable[[int], int], name: str, by_node: bool = True):
        self.by_node = by_node
        self.plans = plans_of(trace)
        self.history = History(trace)
        self.trace = trace
        self.rounded = rounded
        self.called = name
        self.groups: list[Alike] = []
        self.of: dict[tuple[int, int], Alike] = {}
        self.wanted: dict[tuple[str, str], str] = {}
        jobs = sum(len(pool.jobs) for pool in self.history.pools)
        if jobs > MOST_JOBS or self.history.ranks > MOST_RANKS:
            raise ReplayError(f"it has {jobs:,} jobs on {self.history.ranks:,} ranks: too many for a scenario")
        if not jobs:
            raise ReplayError("no job was queued, so there is nothing to make a scenario of")
        #: nanoseconds that it took.
        self.took = self.history.last - self.history.first
        if self.took > LONGEST_RUN:
            raise ReplayError(f"it took {written_duration(self.took)}: too long for a scenario")
        #: how the run ended, if it was killed.
        self.end = killed_run(self.history)
        self.killed = killed_with_ranks(self.history) | self.end.silent
        self._gather()
        self._name()

    # -- groups ------------------------------------------------------------------------------------

    def _gather(self) -> None:
        found: dict[Any, Alike] = {}
        for number, (plan, pool) in enumerate(zip(self.plans, self.history.pools, strict=True)):
            late = self._schedulers(plan)
            stops = False
            kinds = self._kinds(number)
            for job in pool.jobs.values():
                ends: tuple[str, Error | None] | None = None
                if (number, job.id) in self.killed:
                    ends = KILLS
                elif (error := plan.jobs[job.id].error) is not None:
                    ends = ("raises", error)
                groups = tuple(dict.fromkeys(self.of[number, dep] for dep in job.deps))
                alike = (number, _base(job.name), ends, tuple(job.cache), late.get(job.id), groups, stops)
                key = (*alike, plan.limits.get(job.id), kinds[job.id])
                if key not in found:
                    found[key] = Alike(*alike)
                    self.groups.append(found[key])
                found[key].jobs.append(job.id)
                self.of[number, job.id] = found[key]
                # Where that stops the pool, what was queued after it stays behind it.
                stops |= plan.recorded.fail_fast and job.id in plan.recorded.unhandled
        self._split()

    def _split(self) -> None:
        """Take groups apart whose jobs do not wait for others in the same way."""
        while apart := {group for group in self.groups if len(group.jobs) > 1 and not self._alike(group)}:
            groups: list[Alike] = []
            for group in self.groups:
                if group not in apart:
                    groups.append(group)
                    continue
                by_deps: dict[tuple[int, ...], Alike] = {}
                for id in group.jobs:
                    deps = tuple(sorted(self.history.pools[group.pool].jobs[id].deps))
                    if deps not in by_deps:
                        by_deps[deps] = replace(group, jobs=[], after=[])
                    by_deps[deps].jobs.append(id)
                    self.of[group.pool, id] = by_deps[deps]
                groups += by_deps.values()
            self.groups = groups

    def _alike(self, group: Alike) -> bool:
        """Whether all of its jobs wait for the same ones of another group, or each for its own one."""
        deps = [self.history.pools[group.pool].jobs[id].deps for id in group.jobs]
        for other in dict.fromkeys(self.of[group.pool, dep] for waits in deps for dep in waits):
            members = set(other.jobs)
            found = [[dep for dep in waits if dep in members] for waits in deps]
            if all({*mine} == {*found[0]} for mine in found):
                continue
            if found != [[each] for each in other.jobs]:
                return False
        return True

    def _kinds(self, number: int) -> dict[int, int]:
        """By job, what tells it from others: how it ends, and how those do that it waits for, and that wait for it."""
        plan, jobs = self.plans[number], self.history.pools[number].jobs
        dependents: dict[int, list[int]] = {id: [] for id in jobs}
        for job in jobs.values():
            for dep in job.deps:
                dependents[dep].append(job.id)
        known: dict[Any, int] = {(None, False): 0}
        kinds = {id: known.setdefault((plan.jobs[id].error, (number, id) in self.killed), len(known)) for id in jobs}
        for _ in range(2):
            none: frozenset[int] = frozenset()
            known = {(0, none, none): 0}
            kinds = {
                id: known.setdefault(
                    (
                        kinds[id],
                        frozenset(kinds[other] for other in job.deps) - {0},
                        frozenset(kinds[other] for other in dependents[id]) - {0},
                    ),
                    len(known),
                )
                for id, job in jobs.items()
            }
        return kinds

    def _name(self) -> None:
        by_name: dict[str, list[Alike]] = {}
        for group in self.groups:
            by_name.setdefault(group.base, []).append(group)
        taken: set[str] = set(by_name)
        for base, groups in by_name.items():
            plain = next((group for group in groups if group.ends is None and not group.later), None)
            for group in groups:
                what = {"kills": "deadly ", "raises": "failing "}[group.ends[0]] if group.ends else ""
                what = ("later " if group.later else "") + what
                name = base if group is plain else what + base
                count = 2
                stem = name
                while group is not plain and name in taken:
                    name = f"{stem}, {count}"
                    count += 1
                taken.add(name)
                group.name = name
        for group in self.groups:
            jobs = self.history.pools[group.pool].jobs
            deps = list(dict.fromkeys(dep for id in group.jobs for dep in jobs[id].deps))
            for other in dict.fromkeys(self.of[group.pool, dep] for dep in deps):
                mine = [dep for dep in jobs[group.jobs[0]].deps if self.of[group.pool, dep] is other]
                last = [dep for dep in jobs[group.jobs[-1]].deps if self.of[group.pool, dep] is other]
                if len(mine) == len(other.jobs):
                    group.after.append(other.pattern)
                elif {*mine} != {*last}:
                    group.after.append(f"{other.name} {{i}}")
                else:
                    group.after += [other.job(dep) for dep in mine]

    # -- schedulers --------------------------------------------------------------------------------

    def _schedulers(self, plan: PoolPlan) -> dict[int, int]:
        """By job that was queued while the pool executed: the number of the node that did so; -1: nobody knows."""
        self.nodes: dict[int, list[tuple[str, int, Error | None]]] = getattr(self, "nodes", {})
        number = plan.recorded.number
        nodes: list[tuple[str, int, Error | None]] = []
        active: dict[int, int] = {}
        found: dict[int, int] = {}
        label, executing, began = plan.recorded.label, False, 0
        for event in of_main(self.trace):
            if event.pool != label:
                continue
            if event.e == "pool_status" and event.status == "executing":
                executing, began = True, event.t
            elif event.e == "scheduling":
                active[event.scheduler] = len(nodes)
                nodes.append((event.node, event.t - began, None))
            elif event.e == "scheduled" and event.scheduler in active:
                place = active.pop(event.scheduler)
                nodes[place] = (*nodes[place][:2], event.error)
            elif event.e == "job" and executing:
                found[event.job] = [*active.values()][-1] if active and self.by_node else -1
        self.nodes[number] = nodes
        return found

    # -- the scenario ------------------------------------------------------------------------------

    def scenario(self) -> Data:
        """Return the scenario without its expectations."""
        data: Data = {"scenario": self._title(), "about": self._about(), "ranks": self.history.ranks}
        if 2 * self.took > HORIZON:
            data["horizon"] = f"{2 * self.took // (3600 * SECOND) + 1}h"
        pool: Data = {}
        if any(plan.recorded.fail_fast for plan in self.plans):
            pool["fail_fast"] = True
        if retries := max(plan.recorded.retries for plan in self.plans):
            pool["retries"] = retries
        handled = [g.pattern for g in self.groups if g.ends and all(id in self.plans[g.pool].handled for id in g.jobs)]
        handled += [
            g.pattern for g in self.groups
            if g.ends == KILLS and not any(
                id in self.plans[g.pool].recorded.unhandled or (g.pool, id) in self.end.silent for id in g.jobs
            )
        ]  # fmt: skip
        if handled or self._raised():
            pool["listeners"] = [{"name": "listener", **({"handles": handled} if handled else {})}]
        if pool:
            data["pool"] = pool
        self.phases = self._phases()
        if len(self.plans) > 1:
            data["workflow"] = self.phases
        items = list(dict.fromkeys(item for group in self.groups for item in group.cache))
        self.items = {item: f"item{number}" for number, item in enumerate(items, 1)}
        if items:
            data["strategies"] = {"cache": {"cached": list(self.items.values())}}
        data["jobs"] = [self._entry(group) for group in self.groups if group.scheduler is None]
        if not data["jobs"]:
            del data["jobs"]
        if schedulers := self._scheduler_entries():
            data["schedulers"] = schedulers
        if events := [*self._cancels(), *self._lost_tries(), *self._deaths(), *self._raised()]:
            data["events"] = events
        self._note_what_came()
        return data

    def _title(self) -> str:
        outcome: dict[str, int] = {}
        for pool in self.history.pools:
            for job in pool.jobs.values():
                outcome[job.status] = outcome.get(job.status, 0) + 1
        failed = next((g for g in self.groups if g.ends), None)
        jobs = sum(outcome.values())
        if failed is None:
            return f"{jobs} job{'s' * (jobs != 1)} on {self.history.ranks} ranks, as recorded"
        how = "kills its rank" if failed.ends == KILLS else "fails"
        cancelled = outcome.get("cancelled", 0)
        rest = f", and {cancelled} {'is' if cancelled == 1 else 'are'} cancelled" if cancelled else ""
        return f"One of {jobs} jobs, {failed.name[:100]}, {how}{rest}"

    def _about(self) -> str:
        return f"Made of {self.called}, which was recorded. {self.end.note}".rstrip()

    def _phases(self) -> list[str]:
        declared = [phase for plan in self.plans[:1] for phase in plan.recorded.phases]
        if len(declared) == len(self.plans) and len(set(declared)) == len(declared):
            return declared
        return [f"pool {number}" for number in range(1, len(self.plans) + 1)]

    def _entry(self, group: Alike) -> Data:
        many = len(group.jobs) > 1
        entry: Data = {"name": f"{group.name} {{i}}" if many else group.name}
        if many:
            entry["repeat"] = len(group.jobs)
        if len(self.plans) > 1 and group.pool:
            entry["phase"] = self.phases[group.pool]
        if group.after:
            entry["after"] = group.after[0] if len(group.after) == 1 else group.after
        if group.cache:
            entry["caches"] = [f"cache.{self.items[item]}" for item in group.cache]
        if (takes := self._takes(group)) is not None:
            entry["takes"] = takes
        if (limit := self.plans[group.pool].limits.get(group.jobs[0])) is not None:
            entry["timeout"] = written_duration(limit)
        if group.ends == KILLS:
            entry["kills"] = True
        elif group.ends is not None and group.ends[1] is not None:
            entry["raises"] = _raises(group.ends[1])
        return entry

    def _takes(self, group: Alike) -> Any:
        times = sorted(self.rounded(self.plans[group.pool].jobs[id].ns) for id in group.jobs)
        least, most = times[0], times[-1]
        if not most:
            return None
        if most <= 1.25 * least:
            return written_duration(times[len(times) // 2])
        return {"uniform": [written_duration(least), written_duration(most)]}

    def _scheduler_entries(self) -> list[Data]:
        entries = []
        names: set[str] = {group.name for group in self.groups}
        for number in range(len(self.plans)):
            late = [group for group in self.groups if group.pool == number and group.scheduler is not None]
            nodes = dict(enumerate(self.nodes[number]))
            if any(group.scheduler == -1 for group in late):
                first = min(job.created for g in late if g.scheduler == -1 for job in self._jobs(g))
                nodes[-1] = ("somebody", self.rounded(first - self._began(number)), None)
            for place in sorted(nodes, key=lambda each: nodes[each][1]):
                name, at, error = nodes[place]
                name = _unique(_base(name), names)
                entry: Data = {"name": name}
                if len(self.plans) > 1 and number:
                    entry["phase"] = self.phases[number]
                if rounded := self.rounded(at):
                    entry["at"] = written_duration(rounded)
                mine = [group for group in late if group.scheduler == place]
                if mine:
                    entry["jobs"] = [self._entry(group) for group in mine]
                if error is not None:
                    entry["raises"] = _raises(error)
                entries.append(entry)
        return entries

    def _jobs(self, group: Alike) -> Iterator[Any]:
        return (self.history.pools[group.pool].jobs[id] for id in group.jobs)

    def _began(self, number: int) -> int:
        label = self.plans[number].recorded.label
        return next(
            (e.t for e in self.trace.events if e.e == "pool_status" and e.pool == label and e.status == "executing"),
            self.history.pools[number].opened,
        )

    def _cancels(self) -> Iterator[Data]:
        for plan in self.plans:
            number = plan.recorded.number
            asked: dict[tuple[int, str | None], list[tuple[int, Any]]] = {}
            for after, event in [*((0, e) for e in plan.early), *plan.late]:
                if event.e == "cancel":
                    mine_and_its = event.job, self.of[number, event.job]
                    asked.setdefault((self.rounded(after), event.reason), []).append(mine_and_its)
            for (after, reason), jobs in asked.items():
                names = []
                for group in dict.fromkeys(group for _, group in jobs):
                    mine = [id for id, each in jobs if each is group]
                    names += [group.pattern] if len(mine) == len(group.jobs) else [group.job(id) for id in mine]
                entry: Data = {
                    "at": written_duration(after),
                    "cancel": names[0] if len(names) == 1 else names,
                }
                yield {**entry, **({"reason": reason[:200]} if reason else {})}

    def _tries(self) -> Iterator[tuple[int, int, int]]:
        """Jobs that were lost with their ranks and tried again, and did not kill each of them: pool, job and rank."""
        for pool in self.history.pools:
            for job in pool.jobs.values():
                if (pool.place, job.id) not in self.killed:
                    yield from ((pool.place, job.id, rank) for rank, _, _ in job.tries if rank)

    def _lost_tries(self) -> Iterator[Data]:
        """The deaths of ranks in jobs that were tried again: at the first try, since those that follow went on."""
        for place, id in dict.fromkeys((place, id) for place, id, _ in self._tries()):
            job = self.of[place, id].job(id)
            yield {"when": f"{job} starts", "kill_rank_of": job}

    def _deaths(self) -> Iterator[Data]:
        """Ranks that were lost while they ran nothing."""
        running = {(place, rank) for (place, _), rank in self.killed.items()}
        running |= {(place, rank) for place, _, rank in self._tries()}
        if self.end.main_died is not None:
            place, at = self.end.main_died
            yield {"at": written_duration(self.rounded(max(0, at - self._began(place)))), "kill": 0}
        for plan in self.plans:
            for rank, at in plan.recorded.deaths.items():
                if (plan.recorded.number, rank) not in running and 0 < rank < self.history.ranks:
                    began = self._began(plan.recorded.number) - self.history.first
                    after = self.rounded(max(0, at - began))
                    yield {"at": written_duration(after), "kill": rank}

    def _raised(self) -> list[Data]:
        """What a listener raised, or Ctrl-C."""
        found = []
        last: tuple[int, str] | None = None
        for event in self.trace.events:
            if event.e == "status":
                last = (event.job, event.status)
            elif event.e == "raised":
                number = next(p.recorded.number for p in self.plans if p.recorded.label == event.pool)
                if event.error.type == "KeyboardInterrupt":
                    after = self.rounded(event.t - self._began(number))
                    found.append({"at": written_duration(after), "interrupt": "main"})
                elif last is not None:
                    verb = {"queued": "is queued", "running": "starts", "success": "succeeds", "failed": "fails"}
                    verb |= {"cancelled": "is cancelled", "aborted": "is aborted"}
                    job = self.of[number, last[0]].job(last[0])
                    found.append({"when": f"{job} {verb[last[1]]}", "raise": _raises(event.error)})
                break
        return found

    def _note_what_came(self) -> None:
        for group in self.groups:
            for job in self._jobs(group):
                killed = (group.pool, job.id) in self.killed
                self.wanted["status", group.job(job.id)] = "aborted" if killed else job.status
                if job.id in self.plans[group.pool].recorded.unhandled:
                    self.wanted["error", group.job(job.id)] = in_words(job.error)


def _unique(name: str, taken: set[str]) -> str:
    stem, count = name, 2
    while name in taken:
        name = f"{stem}, {count}"
        count += 1
    taken.add(name)
    return name


def _base(name: str) -> str:
    """A name that means nothing else to a scenario."""
    if found := _FUNCTION.fullmatch(name):
        name = found[1]
    name = re.sub(r"[*?]", "_", name.removeprefix("{root}.").replace("{i}", "(i)")).strip()[:150]
    return re.sub(r" \d+$", "", name) or "job"  # entries have numbers of their own


def _raises(error: Error) -> str:
    """An error of the trace as a scenario can raise it: a type that Python has built in, and a message."""
    message, text = error.message.strip(), in_words(error).strip()
    try:
        raised = ErrorToRaise(error.type, message).make()
        if isinstance(raised, Exception) and str(raised) == message:
            return text
    except (AttributeError, TypeError):
        pass
    return f"RuntimeError: {text}"
