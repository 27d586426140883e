"""The invariants of docs/design.md, checked on everything that a run left behind: each event of its trace, what each
listener heard, what the jobs' functions themselves wrote down, and how each rank came out.

A check goes by what happened only, and knows nothing of how the pool works. How a run is made is in `graphs`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from bsbpool_sim.invariants import broken

#: Which status may follow which, written down a second time on purpose.
MAY_FOLLOW = {
    "pending": ("queued", "cancelled"),
    "queued": ("running", "cancelled"),
    "running": ("success", "failed", "aborted", "queued"),
}
ENDED = ("success", "failed", "cancelled", "aborted")

BY_DEPENDENCY = "JobCancelledError: Job killed for dependency failure"
#: What aborts a job and is an error of its own.
COUNT_AS_ERRORS = ("RankLostError", "JobTimeoutError")
BY_STOP = ("The pool stopped", "Main left the pool without calling execute()")


@dataclass
class Run:
    """What a run left behind. Positions are numbers of events that the trace had by then.

    :ivar trace: the trace.
    :ivar events: the trace, event by event.
    :ivar lines: the lines of its file.
    :ivar heard: by listener: ``("pool", status)``, ``("added", job)``, ``("job", job, old, new)`` and ``("ping",)``.
    :ivar handled: jobs whose failure a listener said it had handled.
    :ivar started: ``(job, rank, position)`` for each call of a job's function.
    :ivar answers: by job: ``("returned", value)`` or ``("raised", type's name)``, from inside of its function.
    :ivar set_by_hand: jobs whose status the program set itself.
    :ivar on_main: jobs that it may have run on main's rank itself.
    :ivar untold: jobs whose call or result no pickler takes, so that they fail whatever their function did.
    :ivar requests: ``(job, reason, done)``: who asked for a job to be cancelled, and whether it was.
    :ivar thrown: what listeners, callbacks and main's own code raised on main, in order.
    :ivar failed_nodes: nodes whose schedulers raised, or that depend on one of these.
    :ivar left: how each rank left the pool: None or what was raised, as `described`; ranks that did not are not there.
    :ivar notes: the notes of what main raised.
    :ivar own_trouble: ranks that had an error of their own.
    :ivar died: ranks that died.
    :ivar executed: whether main came to call execute().
    :ivar returned: what execute() returned on main, by job; None if it raised.
    :ivar results: by job: what could be read of it before the pool closed.
    :ivar taken: ``(position, rank, item)`` for each item that a rank took into its cache.
    :ivar freed: the same for each that it freed.
    :ivar still_cached: by rank that left: what it still held.
    """

    ranks: int
    trace: Any = field(default=None, compare=False)  # `lines` are what it says
    events: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    heard: list[list[tuple[Any, ...]]] = field(default_factory=list)
    handled: set[int] = field(default_factory=set)
    started: list[tuple[int, int, int]] = field(default_factory=list)
    answers: dict[int, tuple[str, Any]] = field(default_factory=dict)
    set_by_hand: set[int] = field(default_factory=set)
    on_main: set[int] = field(default_factory=set)
    untold: set[int] = field(default_factory=set)
    requests: list[tuple[int, str, bool]] = field(default_factory=list)
    thrown: list[str] = field(default_factory=list)
    failed_nodes: list[str] = field(default_factory=list)
    left: dict[int, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    own_trouble: set[int] = field(default_factory=set)
    died: set[int] = field(default_factory=set)
    executed: bool = False
    returned: dict[int, Any] | None = None
    results: dict[int, Any] = field(default_factory=dict)
    taken: list[tuple[int, int, int]] = field(default_factory=list)
    freed: list[tuple[int, int, int]] = field(default_factory=list)
    still_cached: dict[int, list[int]] = field(default_factory=dict)

    # -- what follows from it -----------------------------------------------------------------------

    @property
    def main_lived(self) -> bool:
        """Whether main is there to tell the end."""
        return 0 not in self.died

    def jobs(self) -> dict[int, dict[str, Any]]:
        """The jobs as they were queued, by id."""
        return {e["job"]: e for e in self.events if e["e"] == "job"}

    def statuses(self) -> dict[int, list[tuple[int, dict[str, Any]]]]:
        """By job: its changes of status, with their positions."""
        found: dict[int, list[tuple[int, dict[str, Any]]]] = {job: [] for job in self.jobs()}
        for position, event in enumerate(self.events):
            if event["e"] == "status":
                found.setdefault(event["job"], []).append((position, event))
        return found

    def ends(self) -> dict[int, tuple[int, dict[str, Any]]]:
        """By job that ended: where in the trace, and the change."""
        return {job: s[-1] for job, s in self.statuses().items() if s and s[-1][1]["status"] in ENDED}

    def losses(self) -> dict[int, int]:
        """By rank that main lost: where in the trace."""
        return {e["rank"]: position for position, e in enumerate(self.events) if e["e"] == "lost"}

    def retries(self) -> int:
        """How many times a job that was lost with its rank runs again."""
        return next((e["times"] for e in self.events if e["e"] == "retries"), 0)

    def limits(self) -> dict[int, int]:
        """By job that has one: its time limit, in nanoseconds."""
        return {e["job"]: e["ns"] for e in self.events if e["e"] == "limit"}

    def nobody_left(self) -> bool:
        """Whether there may have been a moment in which no rank could run jobs."""
        stuck = {e["rank"] for e in self.events if e["e"] == "stuck"}
        return len({*self.losses(), *stuck}) == max(1, self.ranks - 1)

    def unhandled_jobs(self) -> list[int]:
        """Jobs that failed, lost their rank or were late, and that no listener handled."""
        return [
            job
            for job, (_, end) in self.ends().items()
            if (end["status"] == "failed" or (end["status"] == "aborted" and end["error"].startswith(COUNT_AS_ERRORS)))
            and job not in self.handled
        ]

    def stopped_early(self) -> bool:
        """Whether the pool was stopped before all was done."""
        return (
            bool(self.thrown)
            or not self.executed
            or any(end["error"] and any(why in end["error"] for why in BY_STOP) for _, end in self.ends().values())
        )


def require(holds: Any, what: str, *about: Any) -> None:
    """Say what is broken, if it is."""
    if not holds:
        raise AssertionError(what + "".join(f"\n  {each!r}" for each in about))


def each_job_ends_once(run: Run) -> None:
    """1. Each job ends exactly once, and never changes after."""
    times = [e["t"] for e in run.events]
    require(times == sorted(times), "time goes back in the trace")
    for job, changes in run.statuses().items():
        status = "pending"
        for _, event in changes:
            require(event["status"] in MAY_FOLLOW.get(status, ()), f"job {job} went from {status} to {event['status']}")
            status = event["status"]
        again = [position for position, event in changes[1:] if event["status"] == "queued"]
        require(len(again) <= run.retries(), f"job {job} was tried again {len(again)} times")
        for position in again:
            on = next(e["rank"] for at, e in reversed(changes) if at < position)
            require(run.losses().get(on, position) < position, f"job {job} was tried again, rank {on} was not lost")
        if run.main_lived:
            require(status in ENDED, f"job {job} was left {status}")


def each_job_runs_once_after_its_dependencies(run: Run) -> None:
    """2. A job runs at most once, on one rank, after all its dependencies succeeded; and again if it lost its rank."""
    jobs, statuses, ends = run.jobs(), run.statuses(), run.ends()
    # Ranks that a pool which stops early has asked, and whose word has not come in time: the trace says so.
    unheard = {e["rank"] for e in run.events if e["e"] == "unanswered"}
    times = Counter(job for job, _, _ in run.started)
    for job, count in times.items():
        tried = sum(e["status"] == "queued" for _, e in statuses[job])
        require(count <= max(1, tried), f"job {job} ran {count} times", statuses[job])
    for job, rank, position in run.started:
        if job in run.on_main:
            continue
        require(rank != 0 or run.ranks == 1, f"main ran job {job}, though it has workers")
        for dependency in jobs[job]["deps"]:
            end = ends.get(dependency)
            require(
                end is not None and end[1]["status"] == "success" and end[0] < position,
                f"job {job} ran before job {dependency} succeeded",
                end,
            )
        running = [e["rank"] for _, e in statuses[job] if e["status"] == "running"]
        if running:
            require(rank in running, f"job {job} ran on rank {rank}, and main thinks on {running}")
        elif run.main_lived and rank not in unheard:
            require(False, f"job {job} ran, and main says it did not", ends.get(job))
    started = dict.fromkeys(job for job, _, _ in run.started)
    for job, (_, last) in ends.items():
        if last["status"] == "success":
            require(job in started or job in run.set_by_hand, f"job {job} succeeded and never ran")


def only_what_must_be_is_cancelled(run: Run) -> None:
    """3. Dependents of a job that did not succeed are cancelled, and nothing else is, unless somebody cancels it or
    the pool stops early."""
    jobs, ends = run.jobs(), run.ends()
    asked: dict[int, list[str]] = {}
    for job, reason, done in run.requests:
        if done:
            asked.setdefault(job, []).append(f"JobCancelledError: {reason}")
            if run.main_lived:
                require(ends[job][1]["status"] == "cancelled", f"job {job} was said to be cancelled", ends[job])
    losses = run.losses()
    for job, (position, end) in ends.items():
        bad = [d for d in jobs[job]["deps"] if d in ends and ends[d][1]["status"] != "success"]
        if bad:
            require(end["status"] == "cancelled", f"job {job} depends on {bad}, and became {end['status']}")
        if end["status"] == "cancelled":
            if end["error"] == BY_DEPENDENCY:
                require(any(ends[d][0] < position for d in bad), f"job {job} was cancelled, no dependency had failed")
            elif end["error"] not in asked.get(job, ()):
                require(
                    _cancelled_by_stop(end) and _may_stop_early(run),
                    f"job {job} was cancelled for no reason",
                    end,
                )
        elif end["status"] == "aborted":
            if "RankLostError" in end["error"]:
                require(losses.get(end["rank"], position) < position, f"job {job} was aborted, its rank was not lost")
            elif "JobTimeoutError" in end["error"]:
                began = [e["t"] for _, e in run.statuses()[job] if e["status"] == "running"]
                limit = run.limits().get(job)
                require(limit and end["t"] - began[-1] >= limit, f"job {job} was aborted before its limit", began, end)
            else:
                require(
                    _may_stop_early(run) and any(why in end["error"] for why in BY_STOP), f"job {job} was aborted", end
                )
    for job in jobs:
        # A doomed job must be told so at once, not when somebody looks.
        if job in ends and ends[job][1]["status"] == "cancelled":
            continue
        bad = [d for d in jobs[job]["deps"] if d in ends and ends[d][1]["status"] != "success"]
        require(not bad or not run.main_lived, f"job {job} depends on {bad} and was not cancelled")


def _cancelled_by_stop(end: dict[str, Any]) -> bool:
    return end["status"] == "cancelled" and any(why in end["error"] for why in BY_STOP)


def _may_stop_early(run: Run) -> bool:
    """Whether anything happened that stops a pool: an error where it fails fast, a raise on main, no rank left."""
    pool = next(e for e in run.events if e["e"] == "pool")
    return bool(
        run.thrown
        or not run.executed
        or (pool["fail_fast"] and (run.unhandled_jobs() or run.failed_nodes or run.losses()))
        or run.nobody_left()
        or (run.ranks == 1 and 0 in run.own_trouble)
    )


def each_change_is_announced_once(run: Run) -> None:
    """4. Each status change is announced exactly once, in order, to every listener."""
    before: dict[int, str] = {}
    changes: list[tuple[Any, ...]] = []
    for event in run.events:
        if event["e"] == "status":
            changes.append(("job", event["job"], before.get(event["job"], "pending"), event["status"]))
            before[event["job"]] = event["status"]
        elif event["e"] == "pool_status":
            changes.append(("pool", event["status"]))
        elif event["e"] == "ping":
            changes.append(("ping",))
    added = [("added", e["job"]) for e in run.events if e["e"] == "job"]
    for number, heard in enumerate(run.heard):
        require(heard == run.heard[0], f"listener {number} heard something else than listener 0")
        told = [h for h in heard if h[0] != "added"]
        told_added = [h for h in heard if h[0] == "added"]
        if not run.main_lived:  # what it had no time to tell
            require(len(told) <= len(changes) and len(told_added) <= len(added), "told more than there was")
            changes_due, added_due = changes[: len(told)], added[: len(told_added)]
        else:
            changes_due, added_due = changes, added
        _same(told, changes_due, f"listener {number} heard other changes than there were")
        _same(told_added, added_due, f"listener {number} heard of other jobs than there were")
        known = set()
        for word in heard:
            if word[0] == "added":
                known.add(word[1])
            elif word[0] == "job":
                require(word[1] in known, f"listener {number} heard of job {word[1]} before it was added")


def _same(found: list[Any], right: list[Any], what: str) -> None:
    if found != right:
        both = list(zip(found, right, strict=False))
        at = next((i for i, (a, b) in enumerate(both) if a != b), len(both))
        require(False, f"{what}, from number {at} on", found[at : at + 3], right[at : at + 3])


def nothing_required_is_freed(run: Run) -> None:
    """5. No rank frees a cached item that an unfinished job requires; at the end every rank has freed all."""
    required: Counter[int] = Counter()
    needs: dict[int, Any] = {}
    orders: Counter[tuple[int, int]] = Counter()
    ordered: list[tuple[int, int, int]] = []
    for position, event in enumerate(run.events):
        if event["e"] == "job":
            needs[event["job"]] = event["cache"]
            required.update(event["cache"])
        elif event["e"] == "status" and event["status"] in ENDED:
            required.subtract(needs[event["job"]])
        elif event["e"] == "freed":
            # A job that was doomed when it was queued has ended, though its end may be told a little later.
            doomed = Counter(
                item
                for e in run.events[position:]
                if e["e"] == "status" and e["status"] == "cancelled" and e["t"] == event["t"] and e["job"] in needs
                for item in needs[e["job"]]
            )
            wrong = [item for item in event["items"] if required[item] > doomed[item]]
            require(not wrong, f"rank {event['rank']} frees {wrong}, which unfinished jobs require", event)
            ordered += [(position, event["rank"], item) for item in event["items"]]
    # What ranks did goes by what main ordered, but for those that were on their way out.
    events = iter(ordered)
    order = next(events, None)
    for position, rank, item in run.freed:
        while order is not None and order[0] < position:
            orders[order[1:]] += 1
            order = next(events, None)
        if orders[rank, item]:
            orders[rank, item] -= 1
            continue
        lost = rank in run.own_trouble or not run.main_lived
        over = any(e["e"] == "pool_status" and e["status"] == "closing" for e in run.events[:position])
        require(lost or over, f"rank {rank} freed {item} and nobody had told it to, at event {position}")
    # A job that is run by hand may outlive its pool. What it takes then goes with its owner.
    closed = len(run.events) if run.on_main else None
    kept = Counter((rank, item) for position, rank, item in run.taken if rank != 0 or position != closed)
    kept.subtract(Counter((rank, item) for _, rank, item in run.freed))
    for (rank, item), count in kept.items():
        require(count >= 0, f"rank {rank} freed {item} more often than it took it")
        require(count == 0 or rank in run.died, f"rank {rank} left and still holds {item}")
    for rank, items in run.still_cached.items():
        require(not items, f"rank {rank} left and still holds {items}")


def stale_items_are_freed_before_the_next_job(run: Run) -> None:
    """5, the other half: a job comes with the order to free what its rank holds and nobody requires."""
    required: Counter[int] = Counter()
    needs: dict[int, Any] = {}
    held: dict[int, dict[int, None]] = {}
    for position, event in enumerate(run.events):
        kind = event["e"]
        if kind == "job":
            needs[event["job"]] = event["cache"]
            required.update(event["cache"])
        elif kind == "cached":
            held.setdefault(event["rank"], {}).update(dict.fromkeys(event["items"]))
        elif kind == "freed":
            for item in event["items"]:
                held.get(event["rank"], {}).pop(item, None)
        elif kind == "status" and event["status"] in ENDED:
            required.subtract(needs[event["job"]])
        elif kind == "status" and event["status"] == "running" and event["rank"] is not None:
            stale = [item for item in held.get(event["rank"], ()) if required[item] <= 0]
            freed = next(
                (e["items"] for e in run.events[position + 1 :] if e["e"] == "freed" and e["job"] == event["job"]), []
            )
            require(
                set(stale) <= set(freed), f"rank {event['rank']} starts job {event['job']} and keeps {stale}", freed
            )


def every_rank_leaves(run: Run) -> None:
    """6. Every rank leaves `execute()`, whatever raises, wherever, whenever."""
    for rank in range(run.ranks):
        require(rank in run.left or rank in run.died, f"rank {rank} did not leave")
    if not run.main_lived:
        return
    main = run.left[0]
    for rank, how in run.left.items():
        if rank == 0 or rank in run.own_trouble:
            continue
        if main is None and run.executed:
            require(how is None, f"all went well on main, and rank {rank} raised", how)
        else:
            require(how is not None and how[0] == "WorkflowError", f"main raised, and rank {rank} does not know", how)


def exactly_the_unhandled_failures_are_raised(run: Run) -> None:
    """7. The `WorkflowError` holds exactly the unhandled failures."""
    if not run.main_lived or not run.executed:
        return
    main = run.left[0]
    jobs = [("job", job) for job in run.unhandled_jobs()]
    interrupted = run.ranks == 1 and 0 in run.own_trouble
    if run.thrown:
        require(main is not None and main[0] == "raised", "somebody raised on main, and it is gone", run.thrown, main)
        require(interrupted or main[1] == run.thrown[0], "main raised another thing than the first", main, run.thrown)
        for _, job in jobs:
            require(any(f"Job {job} " in n for n in run.notes), f"no note tells of job {job}", run.notes)
        return
    if interrupted:
        require(main is not None and main[0] == "raised", "an interrupt is gone", main)
        return
    due: Counter[tuple] = Counter(jobs)
    running: dict[int, set[int]] = {}
    for position, event in enumerate(run.events):
        if event["e"] == "status" and event["status"] == "running":
            running.setdefault(event["rank"], set()).add(event["job"])
        elif event["e"] == "status" and event["status"] in ENDED and event["rank"] in running:
            running[event["rank"]].discard(event["job"])
        elif event["e"] == "lost" and "left the pool" in event["error"]:
            # Unless it took a job with it that tells of it.
            tells = False
            for job in running.pop(event["rank"], ()):
                after = (e for e in run.events[position:] if e["e"] == "status" and e["job"] == job)
                tells = tells or next(after)["status"] == "aborted"
            if not tells:
                due["rank", event["rank"]] += 1
    nodes = Counter(("node", node) for node in run.failed_nodes)
    found = Counter(main[1]) if main is not None and main[0] == "WorkflowError" else Counter()
    require(main is None or main[0] == "WorkflowError", "main raised what nobody threw", main)
    if ("nobody",) in found:
        require(run.nobody_left(), "there were ranks left", run.losses())
        due["nobody",] += 1
    if run.stopped_early():  # what it had not heard of when it stopped
        found_nodes = Counter({k: n for k, n in found.items() if k[0] == "node"})
        require(found_nodes <= nodes, "nodes failed that did not", found_nodes, nodes)
        found -= found_nodes
    else:
        due += nodes
    require(found == due, "the error holds other failures than there were", dict(found - due), dict(due - found))


def results_are_what_the_jobs_returned(run: Run) -> None:
    """8. What `execute` returned is what the jobs returned."""
    ends = run.ends()
    if not run.main_lived:
        return
    succeeded = {job for job, (_, end) in ends.items() if end["status"] == "success"}
    right = {}
    for job, (_, end) in ends.items():
        answer = run.answers.get(job)
        if job in run.set_by_hand:
            if end["status"] == "success":
                right[job] = run.results.get(job)
        elif end["status"] == "success":
            require(answer is not None and answer[0] == "returned", f"job {job} succeeded", answer)
            require(
                job not in run.untold or run.ranks == 1 or (job in run.on_main and end["rank"] is None),
                f"job {job} can't have succeeded: nothing can carry it",
            )
            right[job] = answer[1]
        elif end["status"] == "failed":
            # One that is run by hand has no rank, unless its rank had begun it by then.
            if job in run.untold and run.ranks > 1 and (job not in run.on_main or end["rank"] is not None):
                require("can't be pickled" in end["error"], f"job {job} failed for another reason", end)
            else:
                require(answer is not None and answer[0] == "raised", f"job {job} failed, and it did not", answer, end)
                kind, _, message = end["error"].partition(":")
                if kind == "RemoteError":  # it could not travel, and another came in its place and names it
                    kind = message.partition(":")[0].rpartition(".")[2]
                require(kind == answer[1], f"job {job} failed for another reason", answer, end)
    require(set(run.results) == succeeded, "other results than of the jobs that succeeded", run.results, succeeded)
    require(run.results == right, "results are not what the jobs returned", run.results, right)
    if run.executed:
        require((run.returned is not None) == (run.left[0] is None), "execute() returned and raised, or neither")
    if run.returned is not None:
        require(run.returned == right, "execute() returned something else", run.returned, right)


def same_run(one: Run, other: Run) -> None:
    """9. Same program, script, seed: same trace, to the byte."""
    _same(one.lines, other.lines, "the same run again had another trace")
    require(one == other, "the same run again, with the same trace, left something else behind")


def every_rule_of_the_trace_holds(run: Run) -> None:
    """What the simulator holds against every trace, see `bsbpool_sim.invariants`."""
    events = [
        SimpleNamespace(**{**event, "error": None if event.get("error") is None else event.get("facts")})
        for event in run.events
    ]
    found = broken(cast(Any, events))
    require(not found, "the trace breaks a rule", *found[:6])


CHECKS = (
    every_rule_of_the_trace_holds,
    each_job_ends_once,
    each_job_runs_once_after_its_dependencies,
    only_what_must_be_is_cancelled,
    each_change_is_announced_once,
    nothing_required_is_freed,
    stale_items_are_freed_before_the_next_job,
    every_rank_leaves,
    exactly_the_unhandled_failures_are_raised,
    results_are_what_the_jobs_returned,
)


def check(run: Run) -> None:
    """Check all that one run can show.

    :raises AssertionError: an invariant does not hold.
    """
    for each in CHECKS:
        each(run)
