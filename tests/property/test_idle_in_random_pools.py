"""Random job graphs on simulated ranks: each nanosecond in which a worker idles has one cause, and that holds.

What each cause says is looked up in the trace at one moment, by rules of this file; the library goes by stretches.
"""

from bisect import bisect_right
from collections import Counter
from itertools import pairwise

import pytest
from graphs import cases, crowds, run
from hypothesis import given
from hypothesis import strategies as st
from test_invariants import examples

from bsbpool.trace.history import History
from bsbpool.trace.idle import Cause, idle_times

pytestmark = pytest.mark.unmeasured


def busy_spans(history, rank):
    """When a rank ran jobs: spans that neither overlap nor touch, in order."""
    spans = []
    for pool in history.pools:
        for job in pool.jobs.values():
            spans += [(sent, lost) for where, sent, lost in job.tries if where == rank]
            interval = job.interval(history.last)
            if interval is not None and job.rank == rank:
                spans.append(interval)
    made = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1]:
            made[-1] = made[-1][0], max(end, made[-1][1])
        else:
            made.append((start, end))
    return made


def idle_spans(history, rank):
    times = [history.first, *(t for span in busy_spans(history, rank) for t in span), history.last]
    return [(start, end) for start, end in zip(times[::2], times[1::2], strict=True) if end > start]


def at(stretches, t):
    place = bisect_right([stretch.start for stretch in stretches], t) - 1
    return stretches[place] if place >= 0 and stretches[place].end > t else None


def ready_at(history, rank, t):
    """Jobs that were ready, and not sent, halfway between t and the next nanosecond."""
    found = []
    for pool in history.pools:
        if pool.ranks <= rank or not pool.opened <= t < pool.end(history.last):
            continue
        for job in pool.jobs.values():
            ends = [sent for _, sent, _ in job.tries]
            ends.append(job.running if job.running is not None else job.finished)
            for ready, end in zip(job.ready, ends, strict=False):
                if ready <= t < (history.last if end is None else end):
                    found.append((pool, job))
    return found


def check(history):
    idle = idle_times(history)
    assert [rank.rank for rank in idle.ranks] == (list(range(1, history.ranks)) or [0])
    for phases in idle.phases:
        assert all(before.end <= after.start for before, after in pairwise(phases))
    seen = Counter()
    waited = Counter()
    for rank in idle.ranks:
        spans = idle_spans(history, rank.rank)
        assert rank.total == sum(end - start for start, end in spans)
        assert all(ns > 0 for ns in rank.by_cause.values())
        phases = idle.phases[rank.group]
        by_cause = Counter()
        cuts = sorted({t for s in (*phases, *rank.stretches) for t in (s.start, s.end)})
        for start, end in spans:
            times = [start, *(t for t in cuts if start < t < end), end]
            for a, b in pairwise(times):
                own = at(rank.stretches, a)
                stretch = own or at(phases, a)
                by_cause[stretch.cause] += b - a
                if own is None and stretch.job >= 0:
                    waited[stretch.pool, stretch.job, stretch.rank] += b - a
                holds(history, rank.rank, a, b, stretch)
                seen[stretch.cause] += 1
        assert by_cause == rank.by_cause
        for stretch in rank.stretches:  # none where it was busy
            assert any(start <= stretch.start < stretch.end <= end for start, end in spans)
    assert Counter({wait[:3]: wait.idle for wait in idle.waits}) == waited
    assert idle.total == sum(idle.by_cause.values())
    return seen


def holds(history, rank, a, b, stretch):
    """What a cause says is true from a to b."""
    cause = stretch.cause
    pools = [p for p in history.pools if p.ranks > rank and p.opened <= a and b <= p.end(history.last)]
    job = history.pools[stretch.pool].jobs[stretch.job] if stretch.job >= 0 else None
    if cause is Cause.NO_POOL:
        assert not pools
        return
    assert pools
    if cause is Cause.MAIN:
        assert ready_at(history, rank, a)
    elif cause in (Cause.NOT_READY, Cause.NOT_QUEUED, Cause.TAIL):
        assert not ready_at(history, rank, a)
        later = [r for p in pools for j in p.jobs.values() for r in j.ready if r >= b]
        if cause is Cause.TAIL:
            assert not later
        if cause is Cause.NOT_QUEUED and later and len(pools) == 1:
            # Nothing that has not ended makes the next one ready.
            following = [j for j in pools[0].jobs.values() if min(later) in j.ready]
            deps = [[pools[0].jobs[dep].finished for dep in j.deps] for j in following]
            assert any(all(finished is not None and finished <= a for finished in ends) for ends in deps)
        if cause is Cause.NOT_READY and any(p.ended is not None for p in pools):
            assert later
        if job is not None:  # it ran all the time, or main had not heard that it had ended
            runs = [(sent, lost, where) for where, sent, lost in job.tries]
            runs.append((job.running, history.last if job.finished is None else job.finished, job.rank))
            assert any(
                sent is not None and sent <= a and b <= end and where == stretch.rank for sent, end, where in runs
            )
    elif cause is Cause.LOST:
        assert any(t <= a and who == rank and not there for p in history.pools for t, who, there in p.presence)
    elif cause is Cause.ABSENT:
        assert not any(who == rank and t <= a for p in pools for t, who, _ in p.presence)
    elif cause is Cause.MESSAGE:
        assert job.rank == rank or any(where == rank for where, _, _ in job.tries)
        started, ended = job.interval(history.last)
        assert (job.outcome and ended <= a and b <= job.outcome[2]) or (job.running <= a and b <= started)
    else:
        assert cause is Cause.BETWEEN
        assert job.rank == rank and job.interval(history.last)[0] == b


def test_each_idle_nanosecond_has_a_cause_that_holds_and_all_of_them_are_the_idle_time():
    seen = Counter()

    @examples(200)
    @given(st.one_of(cases(), crowds()))
    def hold(case):
        left = run(case)
        if left.events:
            seen.update(check(History(left.trace)))

    hold()
    untested = {Cause.UNTOLD, Cause.NO_POOL}  # a case has one pool, of this library
    assert set(Cause) - untested <= set(seen), seen
