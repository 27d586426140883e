"""What running a scenario does: each part of the language has its effect, and each expectation can fail."""

# ruff: noqa: E501 (messages and files stand here as they are)

import contextlib
import itertools
import json

import pytest
from click.testing import CliRunner

from bsbpool import WorkflowError
from bsbpool.cli import main
from bsbpool.facts import Raised
from bsbpool.trace.events import Frame, Traceback, TracedError, record_of
from bsbpool_sim.scenario import load, parse


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a scenario that is written so; gives the result."""
    monkeypatch.chdir(tmp_path)

    def run(text, ranks=3, seed=None):
        (tmp_path / "a.yaml").write_text(f"scenario: It runs\nranks: {ranks}\n{text}\n")
        return load("a.yaml").run(seed)

    return run


@pytest.fixture
def differs(run):
    """Runs a scenario; gives for each failure what, expected, happened and when (ms)."""

    def differs(text, **options):
        outcome = run(text, **options).failed
        assert outcome is not None
        return [(f.what, f.expected, f.happened, None if f.at is None else f.at // 10**6) for f in outcome.failures]

    return differs


JOBS = """
jobs:
  - {name: a, takes: 1s, returns: 5}
  - {name: b, after: a, takes: 1s, raises: 'ValueError: boom'}
  - {name: c, after: b}
"""
ERRORS = "errors: {b: 'ValueError: boom'}"


# -- expectations ------------------------------------------------------------------------------------------


def test_all_as_expected(run):
    result = run(JOBS + f"expect: {{{ERRORS}, statuses: {{a: success, b: failed, c: cancelled}}, others: none}}")
    assert result.ok, result.report()
    assert result.report() == "It runs: as expected"


SAID = {
    "outcome: ok": ("outcome", "ok", "error: b: ValueError: boom", 2000),
    "outcome: KeyError": ("outcome", "KeyError", "error: b: ValueError: boom", 2000),
    "errors: {b: 'KeyError: *'}": ("errors: b", "KeyError: *", "ValueError: boom", 2000),
    "errors: {b: '*', a: '*'}": ("errors: a", "*", "no error of a, which is success on rank 1", 1000),
    "errors: {pool: '*', b: '*'}": ("errors: pool", "*", "no error of pool", None),
    "outcome: error, errors: {}": ("errors", "no error of b", "ValueError: boom", 2000),
    f"{ERRORS}, statuses: {{a: failed}}": ("statuses: a", "failed", "success on rank 1", 1000),
    f"{ERRORS}, results: {{a: 6}}": ("results: a", "6", "5", 1000),
    f"{ERRORS}, results: {{b: 6}}": ("results: b", "6", "no result: it is failed on rank 1 (ValueError: boom)", 2000),
    f"{ERRORS}, order: [b starts, a starts]": (
        "order: a starts", "a starts after b starts", "it never happened after b starts (1 s); it happened before", 0
    ),
    f"{ERRORS}, order: [a ends, ping]": ("order: ping", "ping after a ends", "it never happened", None),
    f"{ERRORS}, pings: 2": ("pings", "2", "0", None),
    f"{ERRORS}, pings: {{at_least: 1}}": ("pings", "at least 1", "0", None),
    f"{ERRORS}, pings: [1s]": ("pings", "1 s", "none", None),
    f"{ERRORS}, elapsed: 3s": ("elapsed", "3 s", "2 s", 2000),
    f"{ERRORS}, elapsed: {{at_least: 3s, at_most: 4s}}": ("elapsed", "at least 3 s and at most 4 s", "2 s", 2000),
    f"{ERRORS}, elapsed: {{at_most: 1s}}": ("elapsed", "at most 1 s", "2 s", 2000),
    f"{ERRORS}, ran_on: {{a: 2}}": ("ran_on: a", "rank 2", "rank 1", 0),
    f"{ERRORS}, ran_on: {{c: [1, 2]}}": ("ran_on: c", "rank 1 or rank 2", "it never ran", None),
    f"{ERRORS}, cancels_refused: 1": ("cancels_refused", "1", "0", None),
    f"{ERRORS}, by_hand_refused: 1": ("by_hand_refused", "1", "0", None),
    f"{ERRORS}, peak_cached: 1": ("peak_cached", "1", "0", None),
    "deadlock: hangs": ("outcome", "deadlock", "error: b: ValueError: boom", 2000),
}  # fmt: skip


@pytest.mark.parametrize(("said", "failure"), SAID.items(), ids=SAID)
def test_each_expectation_can_fail(differs, said, failure):
    assert differs(JOBS + f"expect: {{{said}}}") == [failure]


def test_attempts_by_hand_that_are_refused_are_counted_where_that_is_expected(run, differs):
    text = JOBS.replace("jobs:", "events: [{at: 1500ms, run: a}, {at: 1600ms, set: {a: queued}}]\njobs:")
    assert run(text + f"expect: {{{ERRORS}, by_hand_refused: 2}}").ok
    assert differs(text + f"expect: {{{ERRORS}, by_hand_refused: 1}}") == [("by_hand_refused", "1", "2", 1600)]
    assert [what for what, *_ in differs(text + f"expect: {{{ERRORS}}}")] == ["events: number 1", "events: number 2"]


CACHED = """
strategies: {golgi: {cached: [load]}}
jobs:
  - {name: a, kind: connectivity, strategy: golgi, takes: 1s}
  - {name: b, takes: 1s}
"""


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ("freed: {1: [golgi.load at the end]}",
         ("freed: rank 1", "golgi.load at the end", "golgi.load before b", 1000)),
        ("freed: {1: []}", ("freed: rank 1", "nothing", "golgi.load before b", 1000)),
        ("loaded: {golgi.load: 2}", ("loaded: golgi.load", "2 times", "1 times", None)),
        ("peak_cached: {at_most: 0}", ("peak_cached", "at most 0", "1", None)),
    ],
)  # fmt: skip
def test_expectations_about_caches_can_fail(differs, said, failure):
    assert differs(CACHED + f"expect: {{{said}}}", ranks=2) == [failure]


def test_what_else_happens_can_fail(differs):
    text = """
pool: {listeners: [{max_wait: 800ms}]}
jobs: [{name: a, takes: 1s}]
events: [{at: 500ms, cancel: a}, {at: 600ms, kill: 2}]
expect: {statuses: {a: success}, others: none}
"""
    assert differs(text) == [
        ("others", "nothing else happens", "somebody cancels a: too late", 500),
        ("others", "nothing else happens", "rank 2 is lost: Rank 2 on a simulated host died at 0.6 s", 600),
        ("others", "nothing else happens", "ping", 800),
    ]


@pytest.mark.parametrize(
    ("event", "trouble"),
    [
        ("{when: a fails, kill: 1}", "it never did; all was over at 1 s"),
        ("{at: 5s, kill: 1}", "it never did; all was over at 1 s"),
        ("{when: b starts, cancel: late}", None),
        ("{at: 500ms, cancel: late}", "it can't: no job that matches 'late' was queued by then"),
    ],
)
def test_an_event_that_does_not_happen_is_a_failure(run, event, trouble):
    text = f"""
workflow: [one, two]
jobs: [{{name: a, takes: 1s}}, {{name: b, phase: two}}, {{name: late, phase: two, after: b}}]
events: [{event}]
expect: {{}}
"""
    outcome = run(text).outcomes[0]
    assert [f.happened for f in outcome.failures] == ([trouble] if trouble else [])


def test_a_listener_that_never_raises_is_a_failure(differs):
    text = "pool: {listeners: [{raises: {a fails: KeyError}}]}\njobs: [{name: a}]\nexpect: {}"
    assert differs(text) == [("listener listener", "it raises when a fails", "it was never told of that", None)]


def test_counts_of_jobs_can_fail(differs):
    text = "jobs: [{name: 'a {i}', repeat: 3, takes: 1s}, {name: b, raises: KeyError}]\n"
    assert differs(
        text + "expect: {errors: {b: KeyError}, counts: {success: 4, failed: 1, cancelled: {at_least: 1}}}"
    ) == [
        ("counts: success", "4", "3", 2000),
        ("counts: cancelled", "at least 1", "0", None),
    ]


# -- what can be said ----------------------------------------------------------------------------------------


def good(result):
    assert result.ok, result.report()
    return result


def test_a_listener_raises_at_a_time(run):
    text = """
pool: {listeners: [{name: quiet}, {name: loud, max_wait: 1s}]}
jobs: [{name: a, takes: 5s}]
events: [{at: 1500ms, raise: 'OSError: disk full', by: loud}]
expect: {outcome: OSError, statuses: {a: aborted}, pings: [1s, 2s], elapsed: 5s}
"""
    good(run(text))


def test_an_event_happens_when_a_rank_is_lost_a_ping_comes_or_a_phase_begins(run):
    text = """
workflow: [one, two]
pool: {listeners: [{name: log, max_wait: 1500ms}]}
jobs: [{name: a, takes: 2s}, {name: b, takes: 4s}, {name: c, takes: 1s, after: b}, {name: d, phase: two, takes: 1s}]
events:
  - {at: 1s, kill: 3}
  - {when: rank 3 is lost, slow: {rank: 1, by: 2}}
  - {when: ping, cancel: c}
  - {when: phase two begins, kill: 2}
expect:
  outcome: ok
  order: [rank 3 is lost, ping, c is cancelled, phase two begins, rank 2 is lost]
  statuses: {a: success, b: success, c: cancelled, d: success}
  ran_on: {d: 1}
  elapsed: 6s
"""
    good(run(text, ranks=4))


def test_a_listener_raises_and_cancels_when_a_ping_comes(run):
    text = """
pool: {listeners: [{name: log, max_wait: 1s, raises: {ping: 'OSError: disk full'}}]}
jobs: [{name: a, takes: 5s}, {name: b, after: a}]
events: [{when: ping, cancel: b, by: log}]
expect: {outcome: OSError, order: [ping, b is cancelled]}
"""
    outcome = run(text, ranks=2).outcomes[0]
    assert [f.what for f in outcome.failures] == ["events: number 1"]  # the listener had raised before it came to that
    good(run(text.replace(", raises: {ping: 'OSError: disk full'}", "").replace("OSError", "ok"), ranks=2))


def test_what_is_freed_at_the_end_of_a_phase_is_not_freed_before_a_job_of_the_next(run):
    text = """
workflow: [one, two]
strategies: {golgi: {cached: [load]}}
jobs: [{name: a, strategy: golgi}, {name: b, phase: two}, {name: c, phase: two, strategy: golgi}]
expect: {freed: {1: [golgi.load at the end, golgi.load at the end]}, loaded: {golgi.load: 2}}
"""
    good(run(text, ranks=2))


# -- recordings ----------------------------------------------------------------------------------------------


@pytest.fixture
def recording(tmp_path):
    """Writes the recording of two pools, with a job that failed and one that waits for it."""
    rows = [
        {"id": 0, "kind": "PlacementJob", "name": "{root}.golgi", "status": "success", "ended": 1.5},
        {"id": 1, "kind": "PlacementJob", "name": "{root}.golgi", "status": "success", "ended": 1.0, "deps": [0]},
        {
            "id": 2,
            "kind": "ConnectivityJob",
            "name": "c",
            "status": "failed",
            "ended": 1.0,
            "error": "ReconError: no cell",
        },
        {"id": 3, "kind": "ConnectivityJob", "name": "c", "status": "cancelled", "ended": None, "deps": [2]},
    ]
    for n, row in enumerate(rows):
        started = 0.0 if row["ended"] else None
        rows[n] = {"args": f"({n},)", "cache_items": [71, 72], "deps": [], "error": None, "started": started, **row}
    (tmp_path / "run.json").write_text(json.dumps({"ranks": 2, "elapsed": 3, "error": "E", "jobs": rows}))
    return "workflow: [placement, connectivity]\nrecording: run.json\n"


def test_a_recording_gives_jobs_with_their_times_dependencies_items_and_errors(run, recording):
    text = """
jobs: [{name: mine, after: '*golgi 1', takes: 1s}]
expect:
  errors: {c 2: 'RemoteError: ReconError: no cell'}
  statuses: {'{root}.golgi ?': success, c 2: failed, c 3: cancelled, mine: success}
  order: ['{root}.golgi 0 succeeds', '*golgi 1 starts', mine starts, phase connectivity begins, c 2 fails]
  loaded: {recorded.71: 2, recorded.72: 2}
  freed: {1: [recorded.71 before mine, recorded.72 before mine, recorded.71 at the end, recorded.72 at the end]}
  elapsed: 4.5s
  others: none
"""
    trace = good(run(recording + text, ranks=2)).outcomes[0].trace
    assert [(j["name"], j["context"]) for j in trace.of("job")][:2] == [
        ("{root}.golgi", {"chunk": "(0,)", "recorded": 0}), ("{root}.golgi", {"chunk": "(1,)", "recorded": 1})
    ]  # fmt: skip


def test_a_recording_is_found_beside_the_scenario_wherever_that_is_run(run, recording, tmp_path, monkeypatch):
    run(recording + "expect: {outcome: error}")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    good(load("../a.yaml").run())


def test_ranks_can_become_slow_and_pause(run):
    text = """
jobs: [{name: a, takes: 1s}, {name: b, after: a, takes: 1s}]
events: [{when: a starts, slow: {rank: 1, by: 4}}, {when: b starts, pause: {rank: 1, for: 1s}}]
expect: {elapsed: 9s, ran_on: {'*': 1}}
"""
    good(run(text, ranks=2))


def test_context_and_kinds_are_in_the_trace(run):
    text = """
strategies: {golgi: {}}
jobs:
  - {name: a, context: {chunk: 3}}
  - {name: b, kind: placement, strategy: golgi}
  - {name: c, strategy: golgi}
expect: {}
"""
    jobs = good(run(text)).outcomes[0].trace.of("job")
    assert [(j["kind"], j["name"], j["context"]) for j in jobs] == [
        ("FunctionJob", "a", {"chunk": 3}), ("PlacementJob", "golgi", {"chunks": [0]}), ("FunctionJob", "golgi", {})
    ]  # fmt: skip


def test_schedulers_take_their_time(run):
    text = """
jobs: [{name: unwanted, after: first}, {name: first, takes: 10s}]
schedulers:
  - {name: s, at: 1s, takes: 1s, every: 500ms, jobs: [{name: 'j {i}', repeat: 3}], cancels: [unwanted]}
expect: {order: [j 0 is queued, j 1 is queued, j 2 is queued, unwanted is cancelled]}
"""
    trace = good(run(text)).outcomes[0].trace
    assert [e["t"] / 1e9 for e in trace.of("job")][2:] == [2, 2.5, 3]


def test_a_job_that_waits_for_one_that_was_never_queued_fails_its_scheduler(run):
    text = """
schedulers:
  - {name: s, raises: KeyError}
  - {name: t, depends_on: [s], jobs: [{name: a}]}
  - {name: u, jobs: [{name: b, after: a}]}
expect: {errors: {s: '*', t: '*', u: '*b can''t be queued: a, which it waits for, never was'}, statuses: {'*': not queued}}
"""
    good(run(text))


def test_a_job_may_interrupt_its_worker(run):
    text = """
jobs: [{name: a, raises: KeyboardInterrupt}, {name: b, takes: 1s}]
expect: {errors: {a: 'RankLostError: Rank 1 left *'}, statuses: {a: aborted, b: success}}
"""
    good(run(text))


def test_a_scenario_that_goes_on_for_ever_ends_at_its_horizon(run):
    text = """
horizon: 10s
pool: {listeners: [{max_wait: 1s}]}
jobs: [{name: a, hangs: true}]
expect: {outcome: horizon, pings: 10, statuses: {a: running}}
"""
    good(run(text))


def test_a_deadlock_says_what_it_is(differs):
    text = "jobs: [{name: a, hangs: true}]\nexpect: {deadlock: something else}"
    ((what, expected, happened, _),) = differs(text)
    assert (what, expected) == ("deadlock", "something else")
    assert "rank 1 waits for job 'a' to end, which hangs" in happened


def test_main_that_has_left_can_not_be_interrupted(differs):
    text = "jobs: [{name: a, takes: 2s}]\nevents: [{at: 1s, kill: 0}, {at: 1500ms, interrupt: main}]\nexpect: {outcome: died}"
    assert differs(text) == [("events: number 2", "it happens", "it can't: main was gone by then", 1500)]


def test_two_phases_that_fail_leave_the_rest(run):
    text = """
workflow: [one, two]
jobs: [{name: a, raises: KeyError}, {name: b, phase: two}]
schedulers: [{name: s, phase: two, jobs: [{name: c}]}]
expect: {errors: {a: KeyError}, order: [phase one begins], statuses: {b: not queued, c: not queued}}
"""
    good(run(text))


# -- seeds -----------------------------------------------------------------------------------------------------

RANDOM = """
seeds: 0..4
jobs: [{name: a, takes: {uniform: [1s, 2s]}}]
"""


def test_all_seeds_are_run(run):
    result = good(run(RANDOM + "expect: {elapsed: {at_least: 1s, at_most: 2s}}"))
    assert [outcome.seed for outcome in result.outcomes] == [0, 1, 2, 3, 4]
    assert len({outcome.elapsed for outcome in result.outcomes}) == 5


def test_one_seed_that_fails_is_named_and_comes_again(run):
    first = run(RANDOM + "expect: {elapsed: {at_most: 1500ms}}")
    seed = first.failed.seed
    assert f"\nwith seed {seed}, one of 5\n" in first.report()
    assert first.report().endswith(f"\nagain: bsbpool run a.yaml --seed {seed}")
    again = run(RANDOM + "expect: {elapsed: {at_most: 1500ms}}", seed=seed)
    assert again.report() == first.report()
    assert again.failed.trace.digest() == first.failed.trace.digest()


def test_the_same_seed_is_the_same_trace(run):
    one, other = (run(JOBS + "expect: {outcome: error}").outcomes[0].trace.digest() for _ in range(2))
    assert one == other


# -- reports -----------------------------------------------------------------------------------------------------


def test_a_report_says_it_all(run):
    assert run(JOBS + f"expect:\n  {ERRORS}\n  statuses:\n    c: success\n").report() == (
        """It runs
with seed 0

a.yaml:11: statuses: c
  expected  success
  happened  cancelled (JobCancelledError: Job killed for dependency failure), at 2 s
  around it:
    1 s  a: success on rank 1
    1 s  b: queued
    1 s  b: running on rank 1
    2 s  b: failed on rank 1 (ValueError: boom)
  > 2 s  c: cancelled (JobCancelledError: Job killed for dependency failure)
    2 s  nobody handles it: JobErroredError: <FunctionJob 1 b> failed
    2 s  pool is closing
    2 s  execute() ends: WorkflowError: JobErroredError: <FunctionJob 1 b> failed

again: bsbpool run a.yaml --seed 0"""
    )


def test_a_report_can_tell_every_event_of_a_trace(run):
    from bsbpool.trace import EVENTS
    from bsbpool_sim.scenario.expecting import Checker

    result = run("jobs: [{name: a}]\nexpect: {}")
    checker = Checker(result.scenario.plan, result.outcomes[0])
    error = Raised("ValueError", "no")
    raised = TracedError("raised", error, (Frame("jobs.py", 7, "outer"), Frame("jobs.py", 9, "inner")))
    for kind, fields in EVENTS.items():
        if kind not in ("message", "receive"):
            values = dict.fromkeys(fields, 1) | {
                "pool": "pool",
                "job": 0,
                "deps": [],
                "items": [],
                "error": error,
                "errors": [raised],
            }
            event = record_of((kind, 0, *(values[field] for field in fields)))
            assert checker.told(event), kind
    assert "jobs.py:9, in inner" in checker.told(Traceback("traceback", 0, "pool", 0, "status", [raised]))
    nowhere = [raised._replace(frames=())]
    assert "nobody knows where" in checker.told(Traceback("traceback", 0, "pool", 0, "status", nowhere))


def test_a_slow_rank_reaches_its_limit_sooner_and_what_cannot_be_interrupted_takes_its_time(run):
    text = """
slow: {1: 2}
jobs: [{name: a, takes: 4s, timeout: 5s}, {name: b, takes: 4s, timeout: 5s, uninterruptible: true}]
expect: {errors: {'?': '*limit of 5 s*'}, elapsed: 13s}
"""
    good(run(text, ranks=2))


def test_a_report_of_many_failures_is_cut(run):
    text = "jobs: [{name: 'a {i}', repeat: 30}, {name: 'b {i}', repeat: 30}]\nexpect: {statuses: {'a *': failed, 'b *': failed}}"
    report = run(text).report()
    assert report.count("expected  failed") == 8
    assert "and 8 more that are not as expected" in report


def test_a_task_of_the_pool_that_raises_is_told(run, monkeypatch):
    from bsbpool.pool.worker import Worker

    def broken(self, *_):
        raise RuntimeError("a bug in the pool")

    monkeypatch.setattr(Worker, "_give_back", broken)
    text = "jobs:\n- {name: 'a {i}', repeat: 40}\n- {name: b, takes: 1s}\n- {name: 'c {i}', repeat: 40}\nexpect: {}"
    result = run(text, ranks=2)
    assert "a bug in the pool" in result.report()


# -- what always holds ---------------------------------------------------------------------------------------------


def always(run, text, **options):
    outcome = run(text, **options).failed
    assert outcome is not None
    return [f"{f.expected} | {f.happened}" for f in outcome.failures if f.what == "always"]


def test_a_rank_that_leaves_without_mains_error_is_found(run, monkeypatch):
    from bsbpool.pool import JobPool

    real = JobPool.execute

    def quiet(self, **options):
        with contextlib.suppress(*[] if self.is_main() else [WorkflowError]):
            return real(self, **options)

    monkeypatch.setattr(JobPool, "execute", quiet)
    found = always(run, "jobs: [{name: a, raises: KeyError}]\nexpect: {outcome: error}", ranks=2)
    assert found == ["rank 1 leaves execute() with an error, as main | it left without an error"]


def test_a_worker_that_raises_what_it_should_not_is_found(run, monkeypatch):
    from bsbpool.pool import JobPool

    real = JobPool.execute

    def broken(self, **options):
        try:
            return real(self, **options)
        except Exception:
            if self.is_main():
                raise
            raise TypeError("no") from None

    monkeypatch.setattr(JobPool, "execute", broken)
    found = always(run, "jobs: [{name: a, raises: KeyError}]\nexpect: {outcome: error}")
    assert "rank 1 raises a WorkflowError | TypeError: no" in found


def test_a_dependency_that_is_not_waited_for_is_found(run, monkeypatch):
    from bsbpool.engine.engine import Engine

    real = Engine.add
    monkeypatch.setattr(Engine, "add", lambda self, job, deps: real(self, job, ()))
    text = "jobs: [{name: a, takes: 1s}, {name: b, after: a}, {name: c, takes: 1s, raises: KeyError}, {name: d, after: c}]\n"
    found = always(run, text + "expect: {outcome: error}")
    assert any(f.startswith("b starts after a has succeeded |") for f in found)
    assert any(f.startswith("d starts after c has succeeded |") for f in found)


def test_a_listener_that_is_told_twice_is_found(run, monkeypatch):
    from bsbpool.pool import PoolJobUpdateProgress
    from bsbpool.pool.notifier import Notifier

    real = Notifier.deliver

    def twice(self, notification):
        for listener in self.listeners if isinstance(notification, tuple) else ():
            listener(PoolJobUpdateProgress(self._pool, *notification))
        return real(self, notification)

    monkeypatch.setattr(Notifier, "deliver", twice)
    found = always(run, "pool: {listeners: [{name: log}]}\njobs: [{name: a}]\nexpect: {}")
    assert found == [
        "listener log is told, as number 2: a running | a queued",
        *["listener log has the context variables with which it was handed in | those of nobody"] * 3,
    ]


def test_what_stays_cached_is_found(run, monkeypatch):

    monkeypatch.setattr("bsbpool.pool.member.free_stale_pool_cache", lambda owner, required: [])
    text = "strategies: {g: {cached: [x]}}\njobs: [{name: a, strategy: g}]\nexpect: {}"
    assert always(run, text) == ["rank 1 has freed all cached items in the end | it still has g.x"]


def test_what_is_freed_too_early_is_found(run, monkeypatch):
    import bsbpool.pool.worker

    monkeypatch.setattr(
        bsbpool.pool.worker,
        "free_items",
        lambda owner, items: bsbpool.pool.caching.free_items(owner, list(owner._pool_cache)),
    )
    real = bsbpool.pool.worker.Worker._run
    monkeypatch.setattr(
        bsbpool.pool.worker.Worker, "_run", lambda self, *a: setattr(self, "_free", [0]) or real(self, *a)
    )
    text = "strategies: {g: {cached: [x]}}\njobs: [{name: 'a {i}', repeat: 3, strategy: g, takes: 1s}]\nexpect: {}"
    assert "rank 1 keeps g.x while a 1 requires it | it frees it" in always(run, text, ranks=2)


def test_what_a_rank_is_told_to_free_and_keeps_is_found(run, monkeypatch):
    text = "strategies: {g: {cached: [x]}}\njobs: [{name: a, strategy: g}, {name: b}, {name: c}]\nexpect: {}"
    assert run(text, ranks=2).ok
    monkeypatch.setattr("bsbpool.pool.worker.free_items", lambda owner, items: [])
    assert always(run, text, ranks=2) == ["rank 1 frees g.x before b, as it was told | it keeps it"]


def test_a_job_that_can_not_be_sent_runs_on_one_rank_and_on_no_other(run, monkeypatch):
    text = "jobs: [{name: a, unsendable: true, returns: 1}]\nexpect: "
    assert run(text + "{results: {a: 1}}", ranks=1).ok
    assert run(text + "{errors: {a: 'JobPoolError: its arguments can*'}}", ranks=2).ok
    monkeypatch.setattr("bsbpool_sim.scenario.program.Unpicklable", object)
    assert always(run, text + "{outcome: ok}", ranks=2) == ["a runs nowhere | it ran on rank 1"]


@pytest.mark.unwatched
def test_a_change_that_may_not_be_is_found(run, monkeypatch):
    from bsbpool.pool.event_log import EventLog

    real = EventLog.record

    def twice(self, kind, *fields):
        real(self, kind, *fields)
        if kind == "end":
            self.sink.record(("status", self.sink.now(), self._label, 0, "queued", None, None))

    monkeypatch.setattr(EventLog, "record", twice)
    found = always(run, "jobs: [{name: a}]\nexpect: {}")
    assert found[:2] == ["a does not go from success to queued | queued", "a ends | it is queued when main has left"]
    assert found[2] == "what every pool holds to | pool pool: status comes after its end"


# -- the command -----------------------------------------------------------------------------------------------------


def bsbpool(*args):
    return CliRunner().invoke(main, ["run", *args], prog_name="bsbpool")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text("scenario: All is well\nranks: 2\njobs: [{name: a}]\nexpect: {}\n")
    (tmp_path / "many.yaml").write_text("scenario: With seeds\nranks: 2\nseeds: 0..3\njobs: [{name: a}]\nexpect: {}\n")
    (tmp_path / "wrong.yaml").write_text("scenario: It fails\nranks: 2\njobs: [{name: a}]\nexpect: {pings: 1}\n")
    (tmp_path / "bad.yaml").write_text("scenario: It is bad\nranks: 2\n")
    (tmp_path / "none").mkdir()


def test_scenarios_that_come_out_as_expected(files):
    result = bsbpool("good.yaml", "many.yaml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "✓ All is well  good.yaml\n✓ With seeds (4 seeds)  many.yaml\n"


def test_a_scenario_that_does_not(files):
    result = bsbpool("wrong.yaml", "good.yaml")
    assert result.exit_code == 1
    assert result.stdout.startswith("✗ It fails  wrong.yaml\n\n  It fails\n  with seed 0\n\n  wrong.yaml:4: pings\n")
    assert "  again: bsbpool run wrong.yaml --seed 0\n\n✓ All is well  good.yaml\n" in result.stdout
    assert result.stderr == "bsbpool: 1 scenario of 2 did not come out as expected\n"


def test_a_scenario_that_can_not_be_used_does_not_keep_others_from_running(files):
    result = bsbpool("bad.yaml", "good.yaml")
    assert (result.exit_code, result.stdout) == (2, "✓ All is well  good.yaml\n")
    assert result.stderr.startswith("bsbpool: bad.yaml:1:1: 'expect' is missing: what must come of it\n")
    assert "1 scenario of 2 can't be used" in result.stderr


def test_a_folder_and_a_seed(files):
    result = bsbpool(".", "--seed", "3")
    assert result.stdout.count("✓") == 2
    assert "with seed 3" in result.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["good.yaml", "--ranks", "2"], "--ranks is for recorded runs: a scenario says this itself"),
        (["good.yaml", "--keep-going"], "--keep-going is for recorded runs: a scenario says this itself"),
        (["good.yaml", "run.json"], "run.json is no scenario (.yaml), while others are: run it on its own"),
        (["a.json", "b.json"], "one recorded run at a time, please: only scenarios (.yaml) can be several"),
        (["none"], "none has no scenario in it: those are files that end in .yaml"),
    ],
)
def test_what_can_not_be_meant(files, args, message):
    result = bsbpool(*args)
    assert result.exit_code == 2
    assert message in result.stderr


# -- what somebody does by hand ----------------------------------------------------------------------------------


def test_an_event_that_sets_what_cannot_be_set_is_told(differs):
    text = "jobs: [{name: a}]\nevents: [{when: a succeeds, set: {a: failed}}]\nexpect: {}"
    (what, expected, happened, _), *_ = differs(text)
    assert (what, expected) == ("events: number 1", "it happens")
    assert "it can't: JobPoolError" in happened


def test_the_rank_of_a_job_that_does_not_run_is_not_killed(differs):
    text = "jobs: [{name: a, takes: 1s}, {name: b, after: a}]\nevents: [{at: 500ms, kill_rank_of: b}]\nexpect: {}"
    (_, _, happened, _), *_ = differs(text)
    assert happened == "it can't: b is pending then"


def test_with_the_policy_in_order_no_seed_draws_another_order(run):
    text = "policy: in order\njobs: [{name: a, takes: 1s}, {name: b, takes: 1s}]\nexpect: {ran_on: {a: 1, b: 2}}"
    for seed in range(20):
        assert run(text, seed=seed).ok


def test_the_causes_of_cancelled_jobs_are_found_however_many_ways_lead_to_them():
    """6 jobs in each of 12 layers, each after all of the layer before: 6 to the power of 12 ways."""
    layers = [[f"job {layer} {number}" for number in range(6)] for layer in range(12)]
    jobs: list[dict[str, object]] = [{"name": name, "takes": "1s", "raises": "ValueError: boom"} for name in layers[0]]
    jobs += [{"name": name, "after": before} for before, layer in itertools.pairwise(layers) for name in layer]
    scenario = {"scenario": "Layers", "ranks": 3, "jobs": jobs, "expect": {"elapsed": "2s"}}
    (outcome,) = parse(json.dumps(scenario), "layers.yaml").run().outcomes
    assert not any("the cause is the first error" in failure.expected for failure in outcome.failures)
    ends = [event["status"] for event in outcome.trace.of("status")]
    assert (ends.count("failed"), ends.count("cancelled")) == (6, 66)


def test_a_report_tells_of_time_limits_by_names_and_with_units():
    text = """scenario: b is limited
ranks: 2
jobs: [{name: a, takes: 1s}, {name: b, takes: 1s}]
events: [{at: 500ms, limit: {b: 5ms}}]
expect: {statuses: {b: success}}
"""
    assert "b has a time limit of 0.005 s" in parse(text, "limited.yaml").run().report()
