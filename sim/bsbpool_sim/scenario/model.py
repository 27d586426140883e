"""The language of scenario files: every key, its meaning, and its allowed values.

This is the only place that defines the language. `schema.json` is made from it, for editors, and the reference in the
docs is checked against it. Reading YAML belongs in `loading`; checks of several parts of a scenario together belong in
`planning`.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bsbpool.sizes import MOST_RANKS

from .wanted_errors import Wanted
from .written_values import (
    Count,
    Duration,
    Elapsed,
    Factor,
    Frees,
    Happens,
    ListenerRaises,
    Name,
    Patterns,
    Pings,
    Raises,
    RankNumber,
    Rate,
    Seeds,
    StatusName,
    Takes,
    Time,
    Where,
)

#: Jobs of one scenario, at the most.
MOST_JOBS = 200_000
#: Virtual nanoseconds after which a run is given up, unless it says otherwise.
HORIZON = 24 * 3600 * 10**9


# -- the parts -----------------------------------------------------------------------------------------


class Entry(BaseModel):
    """A mapping of the language."""

    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=False)


class Listener(Entry):
    """Somebody on main who is told of all that happens."""

    name: Name = Field("listener", description="What it is called, for events that are about it.")
    max_wait: Duration | None = Field(None, description="It wants a ping when nothing happened for so long.")
    handles: Patterns = Field([], description="Jobs whose failures it handles: those are no errors of the pool.")
    raises: ListenerRaises = Field(
        {}, description="What it raises, and when it is told of what: {b starts: 'ValueError: no'}."
    )


class Pool(Entry):
    """Options of the pool."""

    fail_fast: bool = Field(False, description="Stop at the first error that no listener handles.")
    job_timeout: Duration | None = Field(None, description="How long each job may run, if nothing else is said of it.")
    retries: int = Field(
        0, ge=0, le=1000, description="So many times a job that is lost with its rank runs again, elsewhere."
    )
    executes: bool = Field(True, description="false: main leaves the pool and has not executed it.")
    listeners: list[Listener] = Field([], description="Who is told of all that happens, on main.")


class StrategyEntry(Entry):
    """A node of the program: what placement and connectivity jobs belong to."""

    cached: list[Name] = Field(
        [], description="Its pool-cached methods. Each job of the strategy requires and calls all of them."
    )
    cleanup_raises: Raises | None = Field(None, description="What is raised each time one of these items is freed.")


class JobEntry(Entry):
    """A job, or several of them with an index."""

    name: Name = Field(description="Its name; with repeat it holds {i}, which is the index, from 0.")
    repeat: int | None = Field(None, ge=1, le=MOST_JOBS, description="So many of them.")
    kind: Literal["function", "placement", "connectivity"] = Field("function", description="What kind of job.")
    strategy: Name | None = Field(
        None, description="Whose job it is: needed by placement and connectivity jobs, possible for function jobs."
    )
    context: dict[str, Any] = Field(
        {}, description="What is worth saying of it; texts may hold {i}. Function jobs only."
    )
    after: Patterns = Field([], description="Jobs that must succeed first: names, patterns; they may hold {i}.")
    caches: Patterns = Field(
        [],
        description="Cached items that it requires and calls: 'golgi.load', or 'golgi' for all of them. "
        "A job with a strategy has those of the strategy anyway.",
    )
    calls: Patterns = Field(
        [],
        description="Cached items that it calls and does not require, as code does that forgets to name them: "
        "'golgi.load', or 'golgi' for all of them.",
    )
    takes: Time = Field(Takes("fixed", (0,)), description="How long it takes; 0s by default.")
    timeout: Duration | None = Field(None, description="How long it may run; then it is interrupted.")
    phase: Name | None = Field(
        None, description="The phase of the workflow in which it is queued; the first by default."
    )
    returns: Any = Field(None, description="What it returns; a text may hold {i}.")
    raises: Raises | None = Field(None, description="What it raises when its time is over: 'ValueError: text'.")
    hangs: bool = Field(False, description="It never ends.")
    uninterruptible: bool = Field(
        False, description="It runs on when it is interrupted, as code that is not Python may."
    )
    kills: bool = Field(False, description="It ends its rank when its time is over, as kill -9 would.")
    unpicklable: bool = Field(False, description="It returns what can't be pickled.")
    unloadable: bool = Field(
        False,
        description="What it raises can be pickled, and not unpickled, as many exceptions with several arguments.",
    )
    unsendable: bool = Field(
        False, description="It is queued with an argument that can't be pickled, so that no other rank can get it."
    )
    returns_bytes: int | None = Field(
        None, ge=0, le=100_000_000, description="It returns so many bytes; large ones travel beside its message."
    )


class Scheduler(Entry):
    """A node that queues jobs while the pool executes. Nodes are scheduled one after the other."""

    name: Name = Field(description="Its name.")
    depends_on: list[Name] = Field([], description="Nodes that must have been scheduled, or it isn't.")
    phase: Name | None = Field(None, description="The phase of the workflow; the first by default.")
    at: Duration | None = Field(None, description="It begins at this time, if it isn't later already.")
    takes: Duration = Field(0, description="It computes for so long, then queues its jobs.")
    jobs: list[JobEntry] = Field([], description="The jobs that it queues.")
    every: Duration = Field(0, description="The time between one of its jobs and the next.")
    cancels: Patterns = Field([], description="Jobs that it cancels after that.")
    raises: Raises | None = Field(None, description="What it raises in the end.")


class Pause(Entry):
    """A rank on which nothing goes on for a while."""

    rank: RankNumber = Field(description="Which rank.")
    length: Duration = Field(alias="for", description="For how long.")


class Slow(Entry):
    """A rank that becomes slower."""

    rank: RankNumber = Field(description="Which rank.")
    by: Factor = Field(description="By which factor its jobs take longer; 1 is its normal speed.")


class Delay(Entry):
    """A link that becomes slower."""

    source: RankNumber = Field(alias="from", description="Messages from this rank,")
    to: RankNumber = Field(description="to that one,")
    by: Duration = Field(description="take so much longer.")


class EventEntry(Entry):
    """Something that goes wrong, or that somebody does. It happens once."""

    at: Duration | None = Field(None, description="At this time,")
    when: Happens | None = Field(
        None,
        description="or when main learns this for the first time: 'b starts', 'ping', 'rank 2 is lost', "
        "'phase b begins'. A listener is told of jobs and pings only.",
    )
    cancel: Patterns | None = Field(None, description="Cancel these jobs.")
    reason: Name | None = Field(None, description="The reason that cancel gives.")
    by: Name | None = Field(
        None,
        description="The listener that does it: raises, cancels, queues, sets, limits or runs. By default a task of "
        "main's own does it, and the first listener raises.",
    )
    interrupt: Literal["main"] | None = Field(None, description="Interrupt main, as Ctrl-C would.")
    raises: Raises | None = Field(
        None, alias="raise", description="Raise this in a listener, when it is told of the next thing."
    )
    queue: list[JobEntry] | None = Field(None, description="Queue these jobs.")
    set_status: dict[Name, Literal["queued", "running", "success", "failed", "cancelled", "aborted"]] | None = Field(
        None, alias="set", description="Set the status of jobs by hand: {b: success}."
    )
    limit: dict[Name, Duration] | None = Field(
        None, description="Set the time limits of jobs that have not started: {b: 2s}."
    )
    run: Name | None = Field(None, description="Run this job by hand, on main's rank.")
    kill: RankNumber | None = Field(None, description="End this rank, as kill -9 would.")
    kill_rank_of: Name | None = Field(None, description="End the rank that runs this job, as kill -9 would.")
    pause: Pause | None = Field(None, description="Nothing goes on on a rank for a while; messages to it still arrive.")
    slow: Slow | None = Field(None, description="Make a rank slower, from its next job on.")
    delay: Delay | None = Field(None, description="Make a link slower, from the next message on.")


class Explore(Entry):
    """How `bsbpool explore` and `pytest --explore` go through the orders of what falls into one instant."""

    faults: int = Field(1, ge=0, le=10, description="How many faults may strike in one run, beside those of events.")
    length: Duration = Field(60 * 10**9, alias="for", description="Budget of real time; 60s by default.")
    schedules: int | None = Field(None, ge=1, description="Budget in schedules; unlimited by default.")


class Expect(Entry):
    """What must come of it. That no rank is left waiting, and what the invariants say, is expected anyway."""

    outcome: Name | None = Field(
        None,
        description="How main leaves execute(): ok, error (a WorkflowError), or the name of what it raised; or "
        "deadlock, horizon, died. By default what errors and deadlock say, else ok.",
    )
    raised: dict[RankNumber, Name] = Field(
        {},
        description="What ranks leave execute() with: ok, or a pattern of what they raise, 'ExceptionGroup: *'.",
    )
    errors: dict[Name, Wanted] | None = Field(
        None,
        description="All errors of the WorkflowErrors, no more and no less: by job (a pattern: all those jobs), "
        "scheduler, or 'pool', a pattern of 'ValueError: text', or facts: {kind: overdue, limit: 2s}.",
    )
    statuses: dict[Name, StatusName] = Field({}, description="What jobs are in the end, by name or pattern.")
    counts: dict[StatusName, Count] = Field({}, description="How many jobs are what in the end.")
    results: dict[Name, Any] = Field({}, description="What jobs returned, by name or pattern.")
    order: list[Happens] = Field([], description="Events in the order in which main must learn of them.")
    pings: Pings | None = Field(None, description="How many pings, exactly or within bounds; or when.")
    elapsed: Elapsed | None = Field(None, description="Virtual time until the last rank has left.")
    ran_on: dict[Name, Where] = Field({}, description="Which rank ran which job; a list: one of these.")
    freed: dict[RankNumber, list[Frees]] = Field(
        {},
        description="What a rank frees, and before which job, in order: [golgi.load before b, golgi.tree at the end]; "
        "the end is that of a pool.",
    )
    loaded: dict[Name, Count] = Field({}, description="How often a cached method computed, on all ranks together.")
    peak_cached: Count | None = Field(None, description="The most cached items that any one rank held at a time.")
    cancels_refused: Count | None = Field(None, description="How many attempts to cancel came too late.")
    by_hand_refused: Count | None = Field(
        None, description="How many attempts to run jobs by hand, or to set their status or time limit, were refused."
    )
    others: Literal["none"] | None = Field(
        None,
        description="none: nothing else happened. Each job must be among the statuses; there are no pings, lost "
        "ranks or refused cancellations but those that are expected.",
    )
    deadlock: str | None = Field(None, description="Ranks wait for ever, and the report holds this (a pattern).")


class Model(Entry):
    """A scenario: what a cluster, a pool and its jobs are, what goes wrong when, and what must come of it."""

    scenario: Name = Field(description="What it shows, in a sentence.")
    about: str | None = Field(None, description="More about it, for readers.")
    ranks: int = Field(ge=1, le=MOST_RANKS, description="How many ranks; rank 0 is main. 1: main runs the jobs itself.")
    latency: Duration = Field(0, description="What each message takes.")
    bandwidth: Rate | None = Field(None, description="Of each link, such as 100MB/s; unlimited by default.")
    seeds: Seeds = Field(
        [0],
        description="Of all chance. With several all must hold, and what happens at one instant happens in an "
        "order drawn from the seed: 7, [1, 5] or 0..9.",
    )
    policy: Literal["in order"] | None = Field(
        None,
        description="in order: it is about the default order, and what happens at one instant happens in the order "
        "in which it was scheduled, with every seed.",
    )
    slow: dict[RankNumber, Factor] = Field({}, description="Factors by which the jobs of ranks take longer.")
    horizon: Duration = Field(HORIZON, description="Virtual time after which it is given up; 24h by default.")
    pool: Pool = Field(
        default_factory=lambda: Pool.model_validate({}), description="Its options, and who listens to it."
    )
    workflow: list[Name] = Field(
        [], description="Phases. Each has a pool of its own; the first that fails is the last."
    )
    strategies: dict[Name, StrategyEntry] = Field({}, description="The nodes that jobs belong to, by name.")
    recording: Name | None = Field(
        None,
        description="The recording of a real run, by its path from this file: its jobs, named such as "
        "'{root}.placement.golgi 7', with the times that they took and the errors that they raised. Each of its "
        "pools is a phase of the workflow.",
    )
    holds: dict[RankNumber, Patterns] = Field(
        {}, description="Cached items that ranks hold before the pool opens: {1: golgi.load}, or golgi for all of them."
    )
    jobs: list[JobEntry] = Field([], description="The jobs that main queues before it executes the pool.")
    schedulers: list[Scheduler] = Field([], description="Nodes that queue jobs while the pool executes.")
    events: list[EventEntry] = Field([], description="What goes wrong, and what somebody does.")
    explore: Explore = Field(
        default_factory=lambda: Explore.model_validate({}), description="How its orders are gone through, if they are."
    )
    expect: Expect = Field(description="What must come of it.")


#: What an event may do; one of them.
ACTIONS = (
    "cancel", "interrupt", "raises", "queue", "set_status", "limit", "run", "kill", "kill_rank_of", "pause", "slow",
    "delay",
)  # fmt: skip
#: Those that a listener can do, or a task of main's.
BY_SOMEBODY = ("cancel", "queue", "set_status", "limit", "run")


def schema() -> dict[str, Any]:
    """Make the JSON Schema of scenario files.

    :returns: the schema, as data for `json`.

    >>> from bsbpool_sim.scenario import schema
    >>> schema()["title"]
    'A bsbpool scenario'
    """
    made = Model.model_json_schema(by_alias=True)
    _tidy(made)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "A bsbpool scenario",
    }


def _tidy(node: Any) -> None:
    """Leave out titles, which repeat names."""
    if isinstance(node, dict):
        for key, value in list(node.items()):
            if key == "title" and isinstance(value, str):
                del node[key]
            else:
                _tidy(value)
    elif isinstance(node, list):
        for each in node:
            _tidy(each)


def schema_text() -> str:
    """Make the text of `schema.json`.

    :returns: the schema as JSON, with a line end.

    >>> from bsbpool_sim.scenario import schema_text
    >>> schema_text().startswith("{")
    True
    """
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
