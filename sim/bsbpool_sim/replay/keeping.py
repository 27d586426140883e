"""A recorded run as a scenario file, such as a person would have written it; or as little of it as fails the same way.

Jobs that are alike become one entry with a number in its name, what they wait for becomes a pattern, and what they
take is rounded. What happened becomes what is expected. The scenario is run before it is handed out: what does not
come out the same when nothing is forced any more (which job was running when a pool stopped, say) is not expected.

What the words of a scenario mean belongs to `bsbpool_sim.scenario`.
"""

from __future__ import annotations

import copy
import operator
import re
import textwrap
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

import yaml

from bsbpool.durations import written_duration
from bsbpool.errors import in_words
from bsbpool.facts import Died, Error, Killed, LeftRank, LostRank, SchedulerFailed
from bsbpool.facts import Raised as RaisedError
from bsbpool.trace import Trace
from bsbpool.trace.history import History

from ..kernel import SECOND
from ..scenario import ScenarioError
from ..scenario.document import plain, read
from ..scenario.expecting import Checker, Outcome
from ..scenario.loading import validate
from ..scenario.model import HORIZON, MOST_JOBS, MOST_RANKS, Raised
from ..scenario.planning import Plan
from ..scenario.running import Scenario
from .ending import ReplayError, ending_at_ctrl_c, of_main
from .whatif import PoolPlan, plans_of

#: How long a line is, at the most, where it can be broken.
WIDTH = 110

#: Nanoseconds that a run may have taken: more than a year.
LONGEST_RUN = 10_000 * 3600 * SECOND

#: How many scenarios are run, at the most, to find one that is smaller.
MOST_RUNS = 2_000

_FUNCTION = re.compile(r"<function (?:.*\.)?([^.>]+)>")

#: How a job ends that kills its rank; others raise an error.
KILLS: tuple[str, Error | None] = ("kills", None)

Data = dict[str, Any]


def to_scenario(trace: Trace, *, round_to: int | None = None, minimal: bool = False, name: str = "the trace") -> str:
    """The text of a scenario file that comes out as the recorded run did.

    :param round_to: nanoseconds to a multiple of which times are rounded; None: two digits are left.
    :param minimal: only what is needed for the first error.
    :param name: what the run is called in the file.
    :raises ReplayError: there is nothing to make a scenario of.
    """
    with ending_at_ctrl_c():
        return _to_scenario(trace, round_to, minimal, name)


def _to_scenario(trace: Trace, round_to: int | None, minimal: bool, name: str) -> str:
    written = _Writer(trace, _rounding(round_to), name)
    data = written.scenario()
    try:
        _run(data)
    except ScenarioError:
        # Nodes whose jobs wait for each other's can't be written as nodes that come one after the other.
        written = _Writer(trace, _rounding(round_to), name, by_node=False)
        data = written.scenario()
    try:
        if minimal:
            data = _minimal(data, name)
        _expect(data, written.wanted if not minimal else None)
    except ScenarioError as error:  # of a trace that no pool has written
        raise ReplayError(f"there is no scenario for it: {error.message}") from None
    return dump(data)


def _rounding(to: int | None) -> Callable[[int], int]:
    if to is not None:
        return lambda ns: round(ns / to) * to
    return lambda ns: int(Decimal(f"{ns:.1e}")) if ns else 0


# -- jobs that are alike -----------------------------------------------------------------------------------


@dataclass(eq=False)
class Alike:
    """Jobs that become one entry. Each is told from the others by which object it is.

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
        """The name of one of them, once all are known."""
        return f"{self.name} {self._numbers[id]}" if len(self.jobs) > 1 else self.name

    @cached_property
    def _numbers(self) -> dict[int, int]:
        return {id: number for number, id in enumerate(self.jobs)}

    @property
    def pattern(self) -> str:
        """What stands for all of them."""
        return f"{self.name} *" if len(self.jobs) > 1 else self.name


class _Writer:
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
        #: what is said of a run that was killed; and when main died with it, with the number of the pool then.
        self.note = ""
        self.main_died: tuple[int, int] | None = None
        self.silent = self._cut_off()
        self.killed = self._killed() | self.silent
        self._gather()
        self._name()

    # -- groups ------------------------------------------------------------------------------------

    def _killed(self) -> dict[tuple[int, int], int]:
        """The jobs whose ranks were lost, with these."""
        return {
            (pool.place, job.id): job.rank
            for pool in self.history.pools
            for job in pool.jobs.values()
            if job.status == "aborted" and isinstance(job.error, LostRank | LeftRank) and job.rank
        }

    def _cut_off(self) -> dict[tuple[int, int], int]:
        """Of a trace without its end, the jobs that are taken to have killed their ranks, with these.

        On real ranks a rank that is killed takes along main, which has not heard of it. Its job is the one that was
        silent for longer than any of its name had been; where there is none such, the one that ran for longest.
        """
        history = self.history
        deaths = [mark for mark in history.marks if mark.rank == 0 and isinstance(mark.what, Died | Killed)]
        cut = [pool for pool in history.pools if pool.ended is None]
        if not cut and not deaths:
            return {}
        pool = cut[-1] if cut else history.pools[-1]
        running = [job for job in pool.jobs.values() if job.cut and job.finished is None]
        if deaths or not running:
            self.main_died = pool.place, deaths[0].t if deaths else history.last
            self.note = (
                "Main died." if deaths else "The trace ends in the midst of the run, while no job ran: main died."
            )
            return {}
        longest: dict[str, int] = {}
        for each in history.pools:
            for job in each.jobs.values():
                if job.outcome is not None:
                    longest[job.name] = max(longest.get(job.name, 0), job.outcome[1] - job.outcome[0])
        silent = {job.id: history.last - (job.running or 0) for job in running}
        overdue = [job for job in running if job.name in longest and silent[job.id] > 1.5 * longest[job.name]]
        found = overdue or [max(running, key=lambda job: (silent[job.id], -job.id))]
        ranks = ", ".join(f"{job.rank} (job {job.id})" for job in found[:10])
        one = len(found) == 1
        self.note = (
            f"The trace ends in the midst of the run, while {len(running)} job{'s' * (len(running) != 1)} ran. "
            f"Taken to have been killed: rank{'' if one else 's'} {ranks}, of which main had not heard for longest."
        )
        return {(pool.place, job.id): job.rank for job in found}

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
        """All of it but what is expected."""
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
                id in self.plans[g.pool].recorded.unhandled or (g.pool, id) in self.silent for id in g.jobs
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
        return f"Made of {self.called}, which was recorded. {self.note}".rstrip()

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
        if self.main_died is not None:
            place, at = self.main_died
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
        raised = Raised(error.type, message).make()
        if isinstance(raised, Exception) and str(raised) == message:
            return text
    except (AttributeError, TypeError):
        pass
    return f"RuntimeError: {text}"


# -- what is expected --------------------------------------------------------------------------------------


def _whoever(error: Error) -> str:
    """An error as a pattern for the same one in another run.

    Of an error that the library itself has made only the type is expected, since its words may change, and which rank
    ran a job, and when it died, may differ.
    """
    if isinstance(error, SchedulerFailed):
        return f"{error.type}: *{in_words(error.error)}"
    return in_words(error) if isinstance(error, RaisedError) else f"{error.type}: *"


def _run(data: Data, expect: Data | None = None) -> tuple[Checker, Outcome]:
    """What comes of a scenario that expects that.

    :raises ScenarioError: it can't be used.
    """
    document = read(dump({**data, "expect": expect or {}}), "made.yaml")
    model = validate(document)
    scenario = Scenario("made.yaml", model, Plan(model, document))
    outcome = scenario.run_seed(scenario.seeds[0])
    return Checker(scenario.plan, outcome), outcome


def _expect(data: Data, wanted: Mapping[tuple[str, str], str] | None) -> None:
    """Put in what is expected: what came of the scenario, as far as it is what came of the recorded run too."""
    checker, outcome = _run(data)
    _leave_out_what_never_comes(data, outcome)
    expect: Data = {}
    came = {who for who, _ in outcome.stage.errors}
    missing = [name for (what, name) in wanted or () if what == "error" and name not in came]
    if missing:
        data["about"] += f" Errors of {len(missing)} do not come when nothing is forced: {', '.join(missing[:3])}."
    errors = _folded_errors(outcome.stage.errors, checker.plan)
    if outcome.kind not in ("ok", "error"):
        expect["outcome"] = outcome.kind
    elif not errors:
        expect["outcome"] = "ok"
    if errors:
        expect["errors"] = errors
    statuses = {name: checker.status(name) for name in checker.plan.jobs}
    names = list(statuses)
    same = {
        name: status
        for name, status in statuses.items()
        if wanted is None or wanted.get(("status", name), status) == status
    }
    if len(set(statuses.values())) == 1 and len(same) == len(statuses):
        expect["statuses"] = {"*": next(iter(statuses.values()))}
    else:
        folded = _folded_statuses(data, names, same)
        if folded:
            expect["statuses"] = folded
    if len(same) < len(statuses):
        counts = len(statuses) - len(same)
        data["about"] = (
            f"{data['about']} When nothing is forced, {counts} of its jobs end{'s' * (counts == 1)} otherwise than "
            "then, since the run stopped early: nothing is expected of those."
        )
    data["expect"] = expect


def _leave_out_what_never_comes(data: Data, outcome: Outcome) -> None:
    """Events for which there is no time, now that nothing is forced: the run was over before."""
    late = {failure.path[1] for failure in outcome.failures if len(failure.path) == 2 and failure.path[0] == "events"}
    if not late:
        return
    data["events"] = [event for number, event in enumerate(data["events"]) if number not in late]
    if not data["events"]:
        del data["events"]
    data["about"] += f" {len(late)} of its events {'is' if len(late) == 1 else 'are'} left out: all was over before."


def _folded_errors(errors: Iterable[tuple[str, Error]], plan: Plan) -> Data:
    """What is expected of these errors: those that are alike in one line, if no other job goes by its pattern."""
    by_base: dict[tuple[str, str], list[str]] = {}
    for who, error in errors:
        kept = _whoever(error)
        base = re.sub(r" \d+$", " *", who)
        by_base.setdefault((base, kept), []).append(who)
    folded: Data = {}
    for (base, text), names in by_base.items():
        pattern = text if len(text) < 200 else text[:199].rstrip("…") + "*"
        if len(names) > 1 and sorted(plan.match(base)) == sorted(names):
            folded[base] = pattern
        else:
            folded.update(dict.fromkeys(names, pattern))
    return folded


def _folded_statuses(data: Data, names: Sequence[str], same: Mapping[str, str]) -> Data:
    folded: Data = {}
    entries = [*data.get("jobs", ()), *(job for s in data.get("schedulers", ()) for job in s.get("jobs", ()))]
    ordered = sorted(names)
    for entry in entries:
        if "repeat" not in entry:
            if entry["name"] in same:
                folded[entry["name"]] = same[entry["name"]]
            continue
        mine = [entry["name"].replace("{i}", str(number)) for number in range(entry["repeat"])]
        found = {same.get(each) for each in mine}
        pattern = entry["name"].replace("{i}", "*")
        stem = entry["name"].removesuffix("{i}")
        begins: Callable[[str], str] = operator.itemgetter(slice(len(stem)))
        alone = bisect_right(ordered, stem, key=begins) - bisect_left(ordered, stem, key=begins) == len(mine)
        if len(found) == 1 and alone:
            if (status := found.pop()) is not None:
                folded[pattern] = status
        elif len(mine) <= 50:
            folded.update({each: same[each] for each in mine if each in same})
    return folded


# -- as little as possible -----------------------------------------------------------------------------


def _minimal(data: Data, name: str) -> Data:
    """As little of the scenario as still has the same first error."""
    target = _first_error(data)
    if target is None:
        raise ReplayError("nothing failed, so that there is no smaller scenario with the same failure")
    runs = 0

    def still(candidate: Data) -> bool:
        nonlocal runs
        # Large ones count for more: it is to take seconds, and then to hand out the smallest that there is.
        runs += 1 + sum(_at(candidate, path).get("repeat", 1) for path in _entries(candidate)) // 20
        return runs <= MOST_RUNS and target in _errors_of(candidate)

    for candidate in (_only(data, target[0], False), _only(data, target[0], True)):
        if still(candidate):
            data = candidate
            break
    changed = True
    while changed and runs < MOST_RUNS:
        changed = False
        for candidate in _smaller(data):
            if still(candidate):
                data, changed = candidate, True
                break
    data["about"] = f"All that it takes of {name} for the same failure."
    data["scenario"] = f"{target[0]} ends with {target[1]}"[:200]
    return data


def _errors_of(data: Data) -> set[tuple[str, str]]:
    try:
        _, outcome = _run(data)
    except ScenarioError:
        return set()
    found = {(re.sub(r" \d+$", "", who), _whoever(error)) for who, error in outcome.stage.errors}
    if outcome.kind not in ("ok", "error"):
        found.add(("execute()", outcome.kind))
    return found


def _first_error(data: Data) -> tuple[str, str] | None:
    _, outcome = _run(data)
    if outcome.kind == "ok":
        return None
    if outcome.kind != "error":
        return "execute()", outcome.kind
    who, error = outcome.stage.errors[0]
    return re.sub(r" \d+$", "", who), _whoever(error)


def _smaller(data: Data) -> Iterator[Data]:
    """Scenarios with a little less, those with much less first."""
    for key in ("events", "jobs", "schedulers"):  # events first: they may name jobs that could go
        entries = data.get(key, [])
        size = len(entries)
        while size >= 1:
            for start in range(0, len(entries), size):
                if size < len(entries) or key != "jobs" or data.get("schedulers"):
                    yield _without(data, (key,), entries[start : start + size])
            size //= 2
    for place, scheduler in enumerate(data.get("schedulers", ())):
        for entry in scheduler.get("jobs", ()):
            yield _without(data, ("schedulers", place, "jobs"), [entry])
        if "raises" not in scheduler:
            yield _queued_before(data, place)
    for key in ("pool", "workflow", "strategies", "horizon"):
        if key in data:
            candidate = copy.deepcopy(data)
            del candidate[key]
            if key == "workflow":
                _drop(candidate, "phase")
            if key == "strategies":
                _drop(candidate, "caches")
            yield candidate
    for ranks in (1, 2, 3):
        if ranks < data["ranks"]:
            yield {**copy.deepcopy(data), "ranks": ranks}
    for key in ("after", "caches", "takes", "phase", "at"):
        for path in [*_entries(data)]:
            if key in _at(data, path):
                candidate = copy.deepcopy(data)
                del _at(candidate, path)[key]
                yield candidate
    for path in [*_entries(data)]:
        entry = _at(data, path)
        if entry.get("repeat") == 1:
            yield _once(data, path)
        elif "repeat" in entry:
            for repeat in (2, entry["repeat"] // 2):
                if repeat < entry["repeat"]:
                    candidate = copy.deepcopy(data)
                    _at(candidate, path)["repeat"] = repeat
                    yield candidate


def _entries(data: Data) -> Iterator[tuple[Any, ...]]:
    for number, _ in enumerate(data.get("jobs", ())):
        yield "jobs", number
    for place, scheduler in enumerate(data.get("schedulers", ())):
        yield "schedulers", place
        for number, _ in enumerate(scheduler.get("jobs", ())):
            yield "schedulers", place, "jobs", number


def _at(data: Data, path: Sequence[Any]) -> Data:
    found: Any = data
    for key in path:
        found = found[key]
    entry: Data = found
    return entry


def _drop(data: Data, key: str) -> None:
    for path in _entries(data):
        _at(data, path).pop(key, None)


def _only(data: Data, name: str, and_before: bool) -> Data:
    """A scenario with the jobs of one name, with all that they wait for if that is asked, and with no others."""
    by_stem = {_stem(entry["name"]): entry for entry in (_at(data, path) for path in _entries(data))}
    needed, found = {name}, [name] if and_before else []
    while found:
        patterns = by_stem.get(found.pop(), {}).get("after", [])
        new = {_stem(each) for each in ([patterns] if isinstance(patterns, str) else patterns)} - needed
        needed |= new
        found += sorted(new)
    candidate = {key: each for key, each in data.items() if key != "events"}  # they may name jobs that go
    lists: list[tuple[Any, ...]] = [("jobs",)] if data.get("jobs") else []
    lists += [("schedulers", place, "jobs") for place, each in enumerate(data.get("schedulers", ())) if "jobs" in each]
    for path in lists:
        above, key = path[:-1], path[-1]
        others = [entry for entry in _at(candidate, above)[key] if _stem(entry["name"]) not in needed]
        candidate = _without(candidate, path, others)
    return candidate


def _stem(name: str) -> str:
    """A name without the number, or the pattern, of one of several."""
    return re.sub(r"(?<!,) (\*|\{i\}|\d+)$", "", name)  # "golgi, 2" is a name of its own


def _queued_before(data: Data, place: int) -> Data:
    """A scenario whose jobs of a scheduler are queued before the pool executes."""
    candidate = copy.deepcopy(data)
    scheduler = candidate["schedulers"].pop(place)
    if not candidate["schedulers"]:
        del candidate["schedulers"]
    candidate["jobs"] = candidate.get("jobs", []) + scheduler.get("jobs", [])
    return candidate


def _once(data: Data, path: Sequence[Any]) -> Data:
    """A scenario in which an entry that is repeated once is not repeated, and what refers to it says so."""
    candidate = copy.deepcopy(data)
    entry = _at(candidate, path)
    del entry["repeat"]
    stem = entry["name"] = entry["name"].removesuffix("{i}").strip()
    named = {f"{stem} *", f"{stem} {{i}}", f"{stem} 0"}

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(each) for each in value]
        if isinstance(value, dict):
            return {key: renamed(each) for key, each in value.items()}
        return stem if value in named else value

    return {key: renamed(value) for key, value in candidate.items()}


def _without(data: Data, path: Sequence[Any], entries: Sequence[Data]) -> Data:
    """A scenario without these entries of a list in it, and without what refers to them."""
    candidate = copy.deepcopy(data)
    *above, key = path
    holder = _at(candidate, above)
    holder[key] = [entry for entry in holder[key] if entry not in entries]
    if not holder[key]:
        del holder[key]
    gone = [entry["name"].removesuffix("{i}").strip() for entry in entries if "name" in entry]
    here = [_at(candidate, path)["name"].removesuffix("{i}").strip() for path in _entries(candidate)]
    lost = [name for name in gone if name not in here]

    def kept(patterns: Any) -> list[str]:
        listed = patterns if isinstance(patterns, list) else [patterns]
        return [p for p in listed if _stem(p) not in lost]

    for path in [*_entries(candidate)]:
        entry = _at(candidate, path)
        if "after" in entry:
            entry["after"] = kept(entry["after"])
            if not entry["after"]:
                del entry["after"]
    for listener in candidate.get("pool", {}).get("listeners", ()):
        if "handles" in listener:
            listener["handles"] = kept(listener["handles"])
            if not listener["handles"]:
                del listener["handles"]
    return candidate


# -- text ----------------------------------------------------------------------------------------------


def dump(data: Data) -> str:
    """The text of a scenario: an entry a line, as far as it fits."""
    return "".join(_lines(data, ("jobs", "schedulers", "events", "listeners"), ""))


def _lines(data: Data, lists: Sequence[str], margin: str) -> Iterator[str]:
    for key, value in data.items():
        if key in lists and isinstance(value, list):
            yield f"{margin}{key}:\n"
            for entry in value:
                line = f"{margin}  - {_flow(entry)}\n"
                if len(line) <= WIDTH and "jobs" not in entry:
                    yield line
                else:
                    first, *more = _lines(entry, lists, margin + "    ")
                    yield f"{margin}  - {first[len(margin) + 4 :]}"
                    yield from more
        elif isinstance(value, dict) and value and (key in ("pool", "expect") or len(_flow(value)) > WIDTH - 20):
            yield f"{margin}{_flow(key)}:\n"
            yield from _lines(value, lists, margin + "  ")
        elif not margin and isinstance(value, str):
            text = yaml.safe_dump(value, width=10**9, allow_unicode=True).removesuffix("\n").removesuffix("\n...")
            if plain(text) is not text:
                text = _flow(value)
            if key == "about" and len(text) > WIDTH - 10:
                yield "about: >\n" + textwrap.indent(textwrap.fill(value, WIDTH - 2), "  ") + "\n"
            else:
                yield f"{key}: {text}\n"
        elif isinstance(value, list) and len(_flow(value)) > WIDTH - 20:
            yield f"{margin}{_flow(key)}:\n"
            yield from (f"{margin}  - {_flow(each)}\n" for each in value)
        else:
            yield f"{margin}{_flow(key)}: {_flow(value)}\n"


def _flow(value: Any) -> str:
    """A value on one line."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")


class _Dumper(yaml.SafeDumper):
    """Writes texts that need quotes in double ones."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    needs = not reads_as_itself(value)
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if needs else None)


#: What may stand in a text without quotes wherever it is, and what it may begin with.
_PLAIN = re.compile(r"[^\s\x00-\x1f\x7f-\xa0\u2028\u2029#:,\[\]{}\"']([^\x00-\x1f\x7f-\xa0\u2028\u2029#:,\[\]{}]*\S)?")


def reads_as_itself(text: str) -> bool:
    """Whether a text can stand in a scenario without quotes: neither YAML nor a scenario takes it for anything else."""
    dumped = yaml.safe_dump([text], default_flow_style=True, width=10**9, allow_unicode=True)
    return dumped[1] not in "'\"" and plain(text) is text and _PLAIN.fullmatch(text) is not None


_Dumper.add_representer(str, _text)
