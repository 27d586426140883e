"""All messages about events in a pool: errors, faults and events, for people.

Each message is made from facts; see `facts` and `bsbpool.trace.events`. No code reads these messages: rewording one
changes no trace, replay or outcome of a scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .durations import exact_duration

# -- errors ------------------------------------------------------------------------------------------------


def error(facts: Any) -> str:
    """An error in one line: its type and its message."""
    return ": ".join(filter(None, (facts.type, facts.message)))


def message(facts: Any) -> str:
    """The message of an error that the library itself made: by its kind."""
    said: str = globals()["of_" + facts.kind.replace(" ", "_")](facts)
    return said


def of_overdue(facts: Any) -> str:
    """A job ran past its limit."""
    return f"It ran for longer than its limit of {exact_duration(facts.limit)} on {whereabouts(facts)}, and " + (
        f"was interrupted{f' in {facts.place}' * bool(facts.place)}"
        if facts.ended == "interrupted"
        else (f"was in {facts.place}" if facts.ended == "running" else "its rank does not answer")
        + f", and can't be interrupted: rank {facts.rank} gets no more jobs until it has ended"
    )


def of_lost_rank(facts: Any) -> str:
    """A rank died."""
    when = "" if facts.died is None else f" at {exact_duration(facts.died)}"
    return f"Rank {facts.rank} on {facts.host} died{when}{times_lost(facts.times)}"


def of_left_rank(facts: Any) -> str:
    """A rank left the pool."""
    why = "it left the pool without calling execute()" if facts.error is None else facts.error
    return f"Rank {facts.rank} left the pool: {why}{times_lost(facts.times)}"


def of_not_scheduled(facts: Any) -> str:
    """A node depends on one that was not scheduled."""
    return f"{facts.node} was not scheduled: it depends on {facts.because}, which was not scheduled"


def of_scheduler_failed(facts: Any) -> str:
    """The scheduler of a node raised."""
    return f"{facts.node} was not scheduled: {facts.error}"


def of_job_failed(facts: Any) -> str:
    """A job failed, or was aborted with an error."""
    how = "failed" if facts.aborted is None else f"was aborted: {facts.aborted.message}"
    return f"<{facts.of} {facts.job} {facts.description}> {how}"


def of_cancelled(facts: Any) -> str:
    """Somebody cancelled a job."""
    return "Job was cancelled" if facts.reason is None else facts.reason


def of_dependency_failed(facts: Any) -> str:
    """A job was cancelled for another one."""
    return "Job killed for dependency failure"


def of_stopped(facts: Any) -> str:
    """A job ended with its pool."""
    said = {
        "failure": "The pool stopped at the first error, before this job had ended.",
        "raised": f"The pool stopped: {facts.error}",
        "unexecuted": "Main left the pool without calling execute(); every rank calls it.",
    }
    return said.get(facts.why, "The pool stopped.")


def of_nobody_left(facts: Any) -> str:
    """No rank is left to run jobs."""
    if facts.stuck:
        who = f"rank {facts.stuck[0]} is" if len(facts.stuck) == 1 else f"ranks {', '.join(map(str, facts.stuck))} are"
        why = f"{who} stuck in jobs that can't be interrupted{', the others are gone' if facts.gone else ''}"
    else:
        why = f"{'rank 1 is' if facts.gone == 1 else f'ranks 1 to {facts.gone} are all'} gone"
    have = "job has" if facts.unfinished == 1 else "jobs have"
    return f"No rank is left to run jobs, and {facts.unfinished} {have} not run: {why}."


def of_workflow_failed(facts: Any) -> str:
    """There were errors that nobody handled."""
    more = facts.count - len(facts.errors)
    return "; ".join([*map(str, facts.errors), *([f"and {more} more"] if more > 0 else [])])


def whereabouts(facts: Any) -> str:
    """A rank and its host."""
    return f"rank {facts.rank} on {facts.host}"


def times_lost(times: int) -> str:
    """Return what is added to a message if a job was lost with its rank more than once."""
    if times < 2:
        return ""
    words = {2: "second", 3: "third"}
    return f", and with it this job for the {words.get(times, f'{times}th')} time"


def main_lost(died: int | None, host: str | None) -> str:
    """Return what another rank says when main is gone."""
    when = "" if died is None else f" at {exact_duration(died)}"
    return f"main (rank 0) is gone: {host or 'it'} died{when}"


def stack_of(rank: int, host: str, stack: str) -> str:
    """The note of a job that ran past its limit: where it was then."""
    return f"\nAt its limit, on rank {rank} on {host}:\n\n{stack}"


# -- faults --------------------------------------------------------------------------------------------------


def fault(facts: Any) -> str:
    """Return what a script did to a rank, in words."""
    if facts.kind == "killed":
        return "killed" if facts.job is None else f"killed by job {facts.job}"
    if facts.kind == "paused":
        return f"paused for {exact_duration(facts.ns)}"
    if facts.kind == "slowed":
        return f"slower by a factor of {facts.factor:g}"
    if facts.kind == "delayed":
        return f"its messages to rank {facts.to} take {exact_duration(facts.ns)} longer"
    return str(facts.said if facts.kind == "other" else facts.kind)


def mark_of(facts: Any) -> str:
    """Return the mark in a picture for what happened to a rank: a fault, or the error with which it was lost."""
    return fault(facts) if not hasattr(facts, "message") else f"lost: {facts.message}"


# -- events of a trace ---------------------------------------------------------------------------------------

_EVENTS: Mapping[str, str] = {
    "pool": "pool {pool} opens",
    "announced": "pool {pool} is one of BSB's own, and this is what it announced",
    "one_at_a_time": "ranks get no job ahead of time",
    "idle_first": "idle ranks get what becomes ready at once",
    "in_turn": "there is one rank: schedulers and jobs take turns",
    "pool_status": "pool is {status}",
    "ping": "ping",
    "end": "execute() ends: {error}",
    "ready": "rank {rank} is ready",
    "returned": "rank {rank} gives back {jobs}",
    "call_back": "rank {rank} is asked for job {job}",
    "started": "rank {rank} has started job {job}",
    "unanswered": "rank {rank} does not say which of its jobs it has started",
    "resumed": "jobs are given out again",
    "by_hand": "job {job} is {status}, by hand: {error}",
    "schedule": "schedule() is called, nodes: {nodes}",
    "scheduling": "{node} is being scheduled",
    "scheduled": "{node} was scheduled: {error}",
    "lost": "rank {rank} is lost: {error.message}",
    "retries": "jobs that are lost run again, times: {times}",
    "limit": "{name} has {limit}",
    "stuck": "rank {rank} is stuck in job {job}, which can't be interrupted",
    "unhandled": "nobody handles it: {error}",
    "raised": "{error} is raised",
    "unexecuted": "main leaves without execute(): {error}",
    "memory": "rank {rank} has used {peak} bytes at the most",
    "fault": "rank {rank}: {what}",
    "job": "{name} is added{after}",
    "status": "{name}: {status}{on}{why}",
    "cancel": "somebody cancels {name}: {done}",
    "cached": "rank {rank} has cached {items}",
    "freed": "rank {rank} is told to free {items}",
    "traceback": "an error is raised, of which {of!r} tells next: {where}",
}


def of_limit(ns: int | None) -> str:
    """A job's time limit, in nanoseconds."""
    return "no time limit" if ns is None else f"a time limit of {exact_duration(ns)}"


def event(kind: str, facts: Mapping[str, Any]) -> str:
    """An event of a trace, of that kind, with its fields; names and places are texts already."""
    said = _EVENTS[kind]
    return (said if facts.get("error", said) is not None else said.removesuffix(": {error}")).format(**facts)
