"""Exploring job pools: each order of what falls into one instant once, with faults, held against what always holds."""

import contextlib
import time
from pathlib import Path

import pytest
from launching import run

import bsbpool
from bsbpool.engine.dispatch import Dispatch
from bsbpool.engine.engine import Engine
from bsbpool.engine.failure import Failures
from bsbpool.exceptions import WorkflowError
from bsbpool.pool import PoolStatus, caching
from bsbpool.pool.coordinator import Coordinator
from bsbpool.pool.worker import Worker
from bsbpool.pool.worker_rank import WorkerRank
from bsbpool_sim import DeadlockError, Tape, TapeError, explore, simulate
from bsbpool_sim.default_strategies import InOrder
from bsbpool_sim.exploring.cutting import cut
from bsbpool_sim.exploring.exhaustive import Redundant
from bsbpool_sim.exploring.exploration import ExplorationError
from bsbpool_sim.exploring.findings import Finding
from bsbpool_sim.exploring.instants import Instants
from bsbpool_sim.exploring.scenarios import explore_scenario, run_tape
from bsbpool_sim.exploring.schedules import Function
from bsbpool_sim.scenario import Scenario, load, parse

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def pool_of(*lengths):
    """A program with a pool whose jobs take so many seconds each."""

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                for seconds in lengths:
                    pool.queue(lambda owner, seconds=seconds: time.sleep(seconds), submitter="a job")
            pool.execute()

    return program


def scenario(text):
    return parse(f"scenario: It\nranks: 3\n{text}", "it.yaml")


def ends(program, ranks, search, faults=0):
    """How the schedules of a program end: what each rank saw, as the trace and what was raised say; and how many."""
    run, found, count, more = Function(program, ranks, None, {"faults": faults}), set(), 0, True
    while more:
        try:
            schedule = run(search, None, late=False)
        except Redundant:
            pass
        else:
            count += 1
            events = [str(event) for event in schedule.simulation.trace.events]
            # Faults of other ranks have no order among the events of main.
            faulty = sorted(event for event in events if "fault" in event)
            main = [event for event in events if "fault" not in event]
            found.add((*main, *faulty, repr(schedule.raised), repr(schedule.stopped)))
        more = search.advance()
    return found, count


# -- what is left out ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ranks", "lengths", "faults"),
    [(2, (0, 0), 1), (2, (0, 1, 0), 1), (3, (0,), 0), (3, (0, 1), 0), (3, (0, 0), 0), (3, (1,), 1)],
)
def test_what_is_left_out_leads_to_no_other_end(ranks, lengths, faults):
    reduced, few = ends(pool_of(*lengths), ranks, Instants(), faults)
    every, many = ends(pool_of(*lengths), ranks, Instants(reduced=False), faults)
    assert reduced == every
    assert few < many


@pytest.mark.parametrize(("jobs", "ranks", "schedules"), [(2, 3, 26), (4, 3, 188)])
def test_a_pool_has_few_schedules(jobs, ranks, schedules):
    assert explore(pool_of(*[0] * jobs), ranks, strategy="exhaustive", seconds=None).schedules == schedules


@pytest.mark.parametrize(("jobs", "ranks", "schedules"), [(2, 3, 13), (4, 3, 94)])
def test_workers_that_are_alike_are_counted_once(jobs, ranks, schedules):
    assert ends(pool_of(*[0] * jobs), ranks, Instants(alike=range(1, ranks)))[1] == schedules


# -- faults --------------------------------------------------------------------------------------------


def test_without_a_choice_no_fault_strikes():
    assert simulate(pool_of(1, 1), 3, faults=2).died == {}
    assert simulate(pool_of(1, 1), 3, faults=2, tape="v1:").died == {}


def test_a_pool_survives_any_death_and_any_trouble_of_a_job():
    exploration = explore(pool_of(1, 1), 3, faults=1, strategy="exhaustive", seconds=None)
    assert exploration.findings == []
    assert exploration.schedules > 50


def test_each_fault_is_tried():
    struck = set()

    def limited(comm):
        with bsbpool.job_pool(comm, quiet=True, job_timeout=10) as pool:
            if pool.is_main():
                pool.queue(lambda owner: None, submitter="golgi")
            pool.execute()

    search, run, more = Instants(), Function(limited, 2, None, {"faults": 1}), True
    while more:
        with contextlib.suppress(Redundant):
            struck.update(run(search, None, late=False).struck)
        more = search.advance()
    assert struck == {
        "rank 0 dies before it sends to rank 1",
        "rank 1 dies before it sends to rank 0",
        "rank 1 dies when it has sent to rank 0",
        "job 0 (golgi) raises",
        "job 0 (golgi) takes an hour longer",
        "job 0 (golgi) takes an hour longer, and can't be interrupted",
    }


def test_a_program_that_waits_for_a_dead_rank_is_found_with_the_death_in_words():
    def program(comm):
        if comm.rank:
            return comm.send(comm.rank, 0)
        return [comm.recv() for _ in range(comm.size - 1)]

    assert explore(program, 3).findings == []
    (finding,) = explore(program, 3, faults=1).findings
    assert finding.kind == "deadlock"
    assert [choice.text for choice in finding.choices] == ["rank 2 dies before it sends to rank 0"]
    with pytest.raises(DeadlockError) as raised:
        simulate(program, 3, tape=finding.tape, faults=1, late_matching=True)
    assert [*raised.value.simulation.died] == [2]
    with pytest.raises(TapeError):
        simulate(program, 3, tape=finding.tape, late_matching=True)  # without faults there is no such choice


def test_an_error_of_the_program_s_own_is_found_with_faults_too():
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            job = pool.queue(lambda owner: 7) if pool.is_main() else None
            try:
                pool.execute()
            except bsbpool.WorkflowError:
                assert job is None or job.status.value == "failed", "it was not lost"
                raise

    finding = next(each for each in explore(program, 2, faults=1, seconds=None).findings if each.line)
    assert "it was not lost" in finding.message


# -- what always holds ---------------------------------------------------------------------------------


@pytest.mark.unwatched
def test_an_engine_that_is_not_of_a_piece_is_found_where_nothing_else_shows_it(monkeypatch):
    vacate = Dispatch.vacate

    def counts(self, rank, job):
        vacate(self, rank, job)
        self._supplied += 1

    monkeypatch.setattr(Dispatch, "vacate", counts)
    (finding,) = explore(pool_of(1, 1), 2, seconds=None, schedules=5).findings
    assert finding.kind == "invariant"
    assert finding.message.startswith("after finished, the engine is not of a piece")


@pytest.mark.unwatched
def test_jobs_that_come_back_from_a_rank_start_before_those_that_were_ready_later(monkeypatch):
    ahead = scenario(
        "pool: {retries: 1}\njobs: [{name: 'job {i}', repeat: 30, takes: 1ms}]\nevents: [{at: 4500us, kill: 1}]\n"
        "expect: {outcome: ok}\n"
    )
    assert explore_scenario(ahead, faults=0, schedules=2).findings == []
    queue_again = Dispatch.queue_again

    def at_the_end(self, job):
        queue_again(self, job)
        self._ready.rotate(-1)

    monkeypatch.setattr(Dispatch, "queue_again", at_the_end)
    (finding,) = explore_scenario(ahead, faults=0, quick=True).findings
    assert finding.kind == "invariant"
    assert (
        "after lost, the engine is not of a piece: job 15 stands before job 5, which was ready before it"
        in finding.message
    )


@pytest.mark.unwatched
def test_a_trace_that_breaks_a_rule_is_a_finding_once(monkeypatch):
    monkeypatch.setattr(Failures, "runs_again", lambda self, *args: True)
    exploration = explore(pool_of(1, 1), 3, faults=1, strategy="exhaustive", seconds=None)
    assert [finding.kind for finding in exploration.findings] == ["invariant"] * 2
    lost, failed = exploration.findings
    assert "becomes queued, and not aborted: it was lost with rank 2" in lost.message
    assert [choice.text for choice in lost.choices] == ["rank 2 dies before it sends to rank 0"]
    assert [choice.text for choice in failed.choices] == ["job 1 (a job) raises"]


# -- scenarios -----------------------------------------------------------------------------------------

FAILS_LATE = """\
seeds: [0, 1]
jobs:
  - {name: a, takes: 1s}
  - {name: b, takes: 1s}
expect:
  statuses: {a: success, b: success}
  order: [a ends, b ends]
"""


def test_what_a_scenario_expects_is_held_against_each_order_if_it_has_several_seeds():
    (finding,) = explore_scenario(scenario(FAILS_LATE), faults=0).findings
    assert (finding.kind, finding.file, finding.line) == ("expectation", "it.yaml", 9)
    one_seed = scenario(FAILS_LATE.replace("seeds: [0, 1]\n", ""))
    exploration = explore_scenario(one_seed, faults=0)
    assert exploration.findings == []
    assert exploration.complete


def test_a_schedule_of_a_scenario_can_be_run_again():
    explored = scenario(FAILS_LATE)
    (finding,) = explore_scenario(explored, faults=0).findings
    result = run_tape(explored, finding.tape)
    assert not result.ok
    assert result.report().endswith(f"again: bsbpool run it.yaml --seed 0 --tape {finding.tape}")
    assert run_tape(explored, Tape()).ok
    with pytest.raises(TapeError):
        run_tape(explored, "v1:0.77")


def test_a_scenario_says_how_it_is_explored():
    text = "explore: {faults: 0, for: 5s, schedules: 2}\njobs: [{name: 'j {i}', repeat: 6}]\nexpect: {outcome: ok}\n"
    assert explore_scenario(scenario(text)).schedules == 2
    assert explore_scenario(scenario(text), schedules=7).schedules == 7


def test_what_happens_by_default_is_what_happens_where_nothing_is_a_choice(monkeypatch):
    text = "jobs: [{name: a}, {name: b}]\nexpect: {outcome: ok}\n"
    explored, other, usual = scenario(text), scenario(text.replace("name: b", "name: c")), Scenario.run_seed

    def run_seed(self, seed, *, policy=None, **options):
        return usual(other if type(policy) is InOrder else self, seed, policy=policy, **options)

    monkeypatch.setattr(Scenario, "run_seed", run_seed)
    with pytest.raises(
        ExplorationError, match=r"not what happens without choices: as event [0-9]+ there is .*'b'.*'c'"
    ):
        explore_scenario(explored)
    assert explore_scenario(explored, expectations=False).complete


@pytest.mark.parametrize(
    ("path", "schedules"),
    [
        ("lost-ranks/main-dies", 30),
        ("caching/a-lost-rank-takes-its-items-along", 161),
        ("crossings/a-scheduler-ends-with-the-last-job", 85),
        ("errors/a-listener-raises-at-a-ping", None),
        ("time-limits/a-job-past-its-limit-is-aborted", None),
    ],
)
def test_a_scenario_is_exhausted_with_one_fault(path, schedules):
    exploration = explore_scenario(load(SCENARIOS / f"{path}.yaml"), faults=1, seconds=3600)
    assert exploration.complete
    assert exploration.findings == []
    assert schedules is None or exploration.schedules == schedules


# -- main dies -----------------------------------------------------------------------------------------

MAIN_DIES = """
jobs: [{name: "job {i}", repeat: 3, takes: 1s}]
expect: {}
"""


def test_a_worker_that_takes_the_death_of_main_for_a_good_end_is_found_also_while_the_pool_closes(monkeypatch):
    usual, mains = WorkerRank.execute, []
    opened = Coordinator.__init__

    def execute(self):
        try:
            usual(self)
        except WorkflowError:
            if mains[-1].status is not PoolStatus.CLOSING:
                raise

    monkeypatch.setattr(Coordinator, "__init__", lambda self, *args: (opened(self, *args), mains.append(self))[0])
    monkeypatch.setattr(WorkerRank, "execute", execute)
    exploration = explore_scenario(scenario(MAIN_DIES), seconds=60, strategy="exhaustive")
    found = [each.message for each in exploration.findings]
    assert found == [
        "always: expected rank 2 leaves execute() with an error, as main, happened it left without an error"
    ]


def test_a_worker_that_main_let_go_before_it_died_leaves_without_an_error():
    exploration = explore_scenario(scenario(MAIN_DIES), seconds=60, strategy="exhaustive")
    assert exploration.complete
    assert exploration.findings == []


DIES_LATE = """
strategies: {golgi: {cached: [load]}}
jobs: [{name: first, takes: 1s, caches: golgi.load}, {name: "last {i}", repeat: 2, takes: 10s, caches: golgi.load}]
events: [{at: 8s, kill: 0}]
expect: {outcome: died}
"""


def test_what_a_rank_frees_too_early_is_found_also_where_main_dies_later(monkeypatch):
    usual = Worker._run

    def run(self, job, *rest):
        try:
            return usual(self, job, *rest)
        finally:
            caching.free_items(self._owner, [*self._owner._pool_cache])

    whole = scenario(DIES_LATE)
    assert whole.run().ok
    monkeypatch.setattr(Worker, "_run", run)
    assert "expected rank 1 keeps golgi.load while last 0 requires it" in " ".join(whole.run().report().split())


# -- cutting -------------------------------------------------------------------------------------------

LARGE = """\
scenario: All run
ranks: 4
latency: 1ms
pool: {job_timeout: 100s}
jobs:
  - {name: "first {i}", repeat: 6, takes: 2s}
  - {name: "then {i}", repeat: 6, takes: 1s, after: ["first {i}"]}
events: [{at: 1s, pause: {rank: 2, for: 1s}}]
expect: {statuses: {"*": success}}
"""


@pytest.mark.unwatched
def test_a_scenario_is_cut_to_what_shows_that_something_is_wrong(monkeypatch):
    explored = parse(LARGE, "it.yaml")
    assert cut(explored, finding_of("invariant"), faults=1, seconds=1) is None
    monkeypatch.setattr(Failures, "runs_again", lambda self, *args: True)
    exploration = explore_scenario(explored, schedules=100, strategy="exhaustive", quick=True)
    smaller = cut(explored, exploration.findings[0], faults=1, seconds=60)
    assert (smaller.scenario.model.ranks, len(smaller.scenario.plan.jobs)) == (2, 1)
    assert smaller.finding.kind == "invariant"
    assert len(smaller.finding.choices) == 1
    assert not run_tape(parse(smaller.text, "it.yaml"), smaller.finding.tape, faults=1).ok
    monkeypatch.undo()
    assert run_tape(parse(smaller.text, "it.yaml"), smaller.finding.tape, faults=1).ok


MANY = """\
scenario: Jobs are sent ahead, and give way to a long one
ranks: 2
jobs:
  - {name: "short {i}", repeat: 40, takes: 300us}
  - {name: long, takes: 1s}
  - {name: "job {i}", repeat: 10, takes: 300us}
expect: {elapsed: {at_most: 1020ms}}
"""


@pytest.mark.unwatched
def test_of_many_jobs_those_are_left_that_show_it_also_where_the_scenario_expects_something_else(monkeypatch):
    explored = parse(MANY, "it.yaml")
    monkeypatch.setattr(Worker, "_return_line", _returns_all_and_keeps_one)
    exploration = explore_scenario(explored, schedules=2, strategy="exhaustive", quick=True)
    smaller = cut(explored, exploration.findings[0], faults=1, seconds=60)
    assert (smaller.scenario.model.ranks, len(smaller.scenario.plan.jobs)) == (2, 3)
    assert len(smaller.finding.tape.departures) <= 1
    monkeypatch.undo()
    assert explore_scenario(smaller.scenario, strategy="exhaustive").findings == []


def _returns_all_and_keeps_one(self):
    line = [*self._line]
    RETURN_LINE(self)
    self._line.extend(line[-1:])


RETURN_LINE = Worker._return_line


def test_a_job_that_hangs_is_left_with_what_ends_it(monkeypatch):
    explored = parse(HANGS, "it.yaml")
    monkeypatch.setattr(Engine, "ready", lambda self, rank, items: None)
    exploration = explore_scenario(explored, faults=0, strategy="exhaustive", quick=True, expectations=False)
    assert exploration.findings[0].kind == "deadlock"
    smaller = cut(explored, exploration.findings[0], faults=0, seconds=60)
    assert len(smaller.scenario.plan.jobs) == 1
    monkeypatch.undo()
    assert explore_scenario(smaller.scenario, faults=0, strategy="exhaustive", expectations=False).findings == []


HANGS = """\
scenario: A job that hangs is ended at its limit
ranks: 3
jobs: [{name: stuck, hangs: true, timeout: 5s}, {name: other, takes: 1s}, {name: then, after: other}]
expect: {}
"""


def finding_of(kind):
    return Finding(kind, "it is wrong", "it.yaml", 1, (), Tape(), 1, False)


def test_what_a_scenario_expects_is_not_cut():
    assert cut(parse(LARGE, "it.yaml"), finding_of("expectation"), faults=0) is None


def test_a_scenario_with_a_finding_is_written_with_the_finding_on_top(tmp_path):
    (tmp_path / "it.yaml").write_text("scenario: It\nranks: 3\n" + FAILS_LATE, encoding="utf-8")
    status, out, _ = run(program=["-m", "bsbpool", "explore", "--to-scenario", "new.yaml", "it.yaml"], cwd=tmp_path)
    assert status == 1
    assert "expectation at it.yaml:9" in out
    text = (tmp_path / "new.yaml").read_text(encoding="utf-8")
    assert text.startswith("# expectation: order: b ends: expected b ends after a ends")
    assert FAILS_LATE in text
