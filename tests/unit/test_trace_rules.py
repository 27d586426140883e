"""What holds in every trace holds in a real one, and no longer when a little of it is changed."""

import copy
import re
from types import SimpleNamespace

import pytest

from bsbpool.facts import Cancelled, LostRank
from bsbpool.trace.format import fields_of
from bsbpool_sim.invariants import broken
from bsbpool_sim.scenario import load

SCENARIO = """
scenario: Something of everything
ranks: 4
latency: 1ms
pool:
  retries: 1
  listeners: [{name: listener, max_wait: 500ms}]
strategies: {golgi: {cached: [load]}}
jobs:
  - {name: bad, takes: 1s, raises: 'ValueError: bad'}
  - {name: after bad, after: bad}
  - {name: lost, takes: 2s}
  - {name: after lost, after: lost, takes: 100ms}
  - {name: late, takes: 2s, timeout: 1s}
  - {name: in C, takes: 4s, timeout: 1s, uninterruptible: true}
  - {name: "cached {i}", repeat: 2, caches: golgi, takes: 100ms}
  - {name: plain, after: "cached *", takes: 1s}
  - {name: unwanted, after: plain}
events:
  - {at: 500ms, kill_rank_of: lost}
  - {at: 600ms, cancel: unwanted}
expect: {}
"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    path = tmp_path_factory.mktemp("invariants") / "a.yaml"
    path.write_text(SCENARIO)
    return [SimpleNamespace(**fields_of(event)) for event in load(path).run_seed(0).trace.events]


@pytest.fixture
def events(trace):
    return copy.deepcopy(trace)


def test_a_trace_as_it_was_holds_to_all(events):
    kinds = {e.e for e in events}
    assert {"message", "lost", "stuck", "cached", "freed", "ping", "unhandled", "cancel", "end"} <= kinds
    assert broken(events) == []


def status(events, job, status, nth=0):
    return [e for e in events if e.e == "status" and (e.job, e.status) == (job, status)][nth]


def of(events, kind, nth=0):
    return [e for e in events if e.e == kind][nth]


def before(events, event, **other):
    events.insert(events.index(event), SimpleNamespace(**{**vars(event), **other}))


def changed(event, **fields):
    vars(event).update(fields)


LIES = [
    ("time goes back", lambda es: changed(es[-1], t=0)),
    ("goes from", lambda es: es.remove(status(es, 2, "queued", 1))),
    ("said to be cancelled", lambda es: es.remove(status(es, 9, "cancelled"))),
    ("no reason", lambda es: es.remove(of(es, "cancel"))),
    ("which it waits for", lambda es: es.remove(status(es, 1, "cancelled"))),
    ("no rank said so", lambda es: es.remove(next(e for e in es if e.e == "message" and e.job == 8))),
    ("rank 1 has told|rank 2 has told|rank 3 has told", lambda es: es.remove(status(es, 0, "failed"))),
    ("is lost, and its word", lambda es: before(es, of(es, "message"), e="lost", error="")),
    ("is not there|is lost", lambda es: es.remove(of(es, "ready"))),
    ("a second time", lambda es: before(es, of(es, "ready"))),
    ("was not lost", lambda es: es.remove(of(es, "lost"))),
    ("with 0 retries", lambda es: es.remove(of(es, "retries"))),
    ("lost again", lambda es: before(es, of(es, "lost"))),
    ("given back|gives back", lambda es: es.insert(
        es.index(status(es, 2, "running")) + 1,
        SimpleNamespace(t=status(es, 2, "running").t, e="returned", pool="pool", rank=1, jobs=[2]))),
    ("not past its limit for long", lambda es: changed(of(es, "limit", 1), ns=10**12)),
    ("aborted, and not|not success or failed", lambda es: changed(of(es, "limit", 0), ns=10**12)),
    ("does not hold", lambda es: es.remove(of(es, "cached"))),
    ("still holds|and keeps", lambda es: es.remove(of(es, "freed"))),
    ("unfinished jobs require", lambda es: es.insert(
        es.index(of(es, "cached")) + 1, SimpleNamespace(**{**vars(of(es, "cached")), "e": "freed"}))),
    ("after its end", lambda es: es.append(es[-1])),
    ("after the pool has closed|after its end", lambda es: es.append(es.pop(es.index(status(es, 8, "success"))))),
    ("counts as an error", lambda es: before(es, of(es, "unhandled"), job=8)),
    ("ends well", lambda es: changed(of(es, "end"), error=None)),
    ("was free at", lambda es: changed(of(es, "message"), started=10**12)),
    ("nothing says why", lambda es: changed(status(es, 1, "cancelled"), error=None)),
    ("it has an error", lambda es: changed(status(es, 8, "success"), error=status(es, 0, "failed").error)),
    ("nothing that it waits for has failed", lambda es: changed(
        status(es, 9, "cancelled"), error=status(es, 1, "cancelled").error)),
    ("the reason is 'no longer'", lambda es: changed(status(es, 9, "cancelled"), error=Cancelled("no longer"))),
    ("its limit is", lambda es: changed(of(es, "limit"), ns=10)),
    ("its error is", lambda es: changed(status(es, 4, "aborted"), error=Cancelled(None))),
    ("is told|are told", lambda es: changed(
        status(es, 4, "aborted"), error=LostRank(1, "host", None, 2))),
    ("has not given it back", lambda es: before(es, status(es, 9, "cancelled"), e="call_back", rank=2, reason=None)),
    ("is added as number", lambda es: es.remove(of(es, "job"))),
]  # fmt: skip


@pytest.mark.parametrize(("says", "lie"), LIES, ids=[says for says, _ in LIES])
def test_a_lie_is_found(events, says, lie):
    lie(events)
    found = broken(events)
    assert any(re.search(says, each.what) for each in found), found
