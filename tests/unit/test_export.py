"""Scenario files made of traces: what they hold, and that they are as small as asked.

That those of any run come out as they expect is shown in tests/property/test_replays.py.
"""

import contextlib
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import bsbpool
from bsbpool.cli import main
from bsbpool.durations import written_duration
from bsbpool.trace import Trace, read_trace
from bsbpool_sim import RankErrors, Script, simulate
from bsbpool_sim.recorded import read_recording
from bsbpool_sim.replay import ReplayError, export_expected, export_minimal
from bsbpool_sim.replay.export import to_scenario
from bsbpool_sim.scenario import load

RECORDINGS = Path(__file__).parents[2] / "scenarios/recordings"


class CorruptMorphology(Exception):
    pass


def job(owner, seconds, error=None):
    time.sleep(seconds)
    if error is not None:
        raise error


def recorded(program, ranks=2, **options):
    try:
        return simulate(program, ranks, **options).trace
    except RankErrors as error:
        return error.simulation.trace


def failing(comm):
    with bsbpool.job_pool(comm, quiet=True) as pool:
        if pool.is_main():
            cells = [pool.queue(job, (1.0004 + i / 1e5,), submitter="{root}.placement.golgi") for i in range(4)]
            bad = pool.queue(job, (0.5, CorruptMorphology("of a cell")), submitter="{root}.placement.golgi", deps=cells)
            pool.queue(job, (2,), submitter="connect", deps=[bad])
            odd = [pool.queue(job, (0.003 * i,), submitter=f"chunk {i}", deps=[cells[i]]) for i in range(4)]
            pool.queue(job, (1,), submitter="last", deps=odd[1:3])
        pool.execute()


def limited(comm):
    with bsbpool.job_pool(comm, quiet=True) as pool:
        if pool.is_main():
            first = pool.queue(job, (1,), submitter="place")
            pool.queue(job, (1,), submitter="place", timeout=0.25)
            pool.queue(job, (2,), submitter="place", timeout=0.25, deps=[first])
            pool.queue(job, (3,), submitter="place", deps=[first])
        pool.execute()


def test_errors_are_folded_only_where_no_other_job_is_called_so(tmp_path):
    path = tmp_path / "made.yaml"
    path.write_text(to_scenario(recorded(limited)), encoding="utf-8")
    result = load(path).run()
    assert result.ok, result.report()


def test_a_failing_run_as_a_person_would_write_it():
    assert to_scenario(recorded(failing, 3), round_to=10_000_000, name="run.trace") == (
        """\
scenario: One of 11 jobs, failing placement.golgi, fails, and 1 is cancelled
about: Made of run.trace, which was recorded.
ranks: 3
jobs:
  - {name: "placement.golgi {i}", repeat: 4, takes: 1s}
  - name: failing placement.golgi
    after: placement.golgi *
    takes: 500ms
    raises: "RuntimeError: CorruptMorphology: of a cell"
  - {name: connect, after: failing placement.golgi, takes: 750ms}
  - {name: "chunk {i}", repeat: 4, after: "placement.golgi {i}", takes: {uniform: [0s, 10ms]}}
  - {name: last, after: [chunk 1, chunk 2], takes: 1s}
expect:
  errors: {failing placement.golgi: "RuntimeError: CorruptMorphology: of a cell"}
  statuses:
    placement.golgi *: success
    failing placement.golgi: failed
    connect: cancelled
    chunk *: success
    last: success
"""
    )


def test_as_little_as_fails_the_same_way():
    assert to_scenario(recorded(failing, 3), minimal=True, name="run.trace") == (
        """\
scenario: 'failing placement.golgi ends with RuntimeError: CorruptMorphology: of a cell'
about: All that it takes of run.trace for the same failure.
ranks: 1
jobs:
  - {name: failing placement.golgi, raises: "RuntimeError: CorruptMorphology: of a cell"}
expect:
  errors: {failing placement.golgi: "RuntimeError: CorruptMorphology: of a cell"}
  statuses: {"*": failed}
"""
    )


def test_jobs_that_wait_for_the_same_ones_are_one_entry():
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                placed = [pool.queue(job, (1,), submitter="place") for _ in range(5)]
                for start in (0, 2, 0, 2):  # as neighbours do
                    pool.queue(job, (2,), submitter="connect", deps=placed[start : start + 3])
            pool.execute()

    assert to_scenario(recorded(program, 3)).partition("expect:")[0].splitlines()[3:] == [
        "jobs:",
        '  - {name: "place {i}", repeat: 5, takes: 1s}',
        '  - {name: "connect {i}", repeat: 2, after: [place 0, place 1, place 2], takes: 2s}',
        '  - {name: "connect, 2 {i}", repeat: 2, after: [place 2, place 3, place 4], takes: 2s}',
    ]


class Node:
    def __init__(self, name):
        self.name = name

    def get_node_name(self):
        return self.name

    def queue(self, pool):
        for chunk in range(4):
            error = CorruptMorphology("of a cell") if self.name == "golgi" and chunk == 2 else None
            pool.queue(job, (1, error), submitter=self.name)


def test_as_little_as_fails_the_same_way_takes_no_scheduler_and_no_repetition():
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.schedule([Node("granule"), Node("golgi")])
            pool.execute()

    assert to_scenario(recorded(program, 3), minimal=True).splitlines()[2:5] == [
        "ranks: 1",
        "jobs:",
        '  - {name: failing golgi, raises: "RuntimeError: CorruptMorphology: of a cell"}',
    ]


@pytest.mark.unmeasured
def test_of_hundreds_of_jobs_and_cancellations_the_failing_one_is_soon_found(monkeypatch):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                jobs = []
                for i in range(400):  # each waits for others of its own, so that little can be folded
                    deps = [jobs[i * i % (i + 1) - 1], jobs[i // 2]] if i > 3 else []
                    error = CorruptMorphology("of a cell") if i == 300 else None
                    jobs.append(pool.queue(job, (0.01 * (i % 7), error), submitter=f"type{'abc'[i % 3]}", deps=deps))
                jobs[299].on_completion(lambda _: jobs[399].cancel())
            pool.execute()

    trace = recorded(program, 3)
    tried, run = [], export_expected.run_scenario
    monkeypatch.setattr(
        export_minimal, "run_scenario", lambda data, *rest: tried.append(len(data["jobs"])) or run(data, *rest)
    )
    assert "jobs:\n  - {name: failing typea, raises: " in to_scenario(trace, minimal=True)
    assert len(tried) <= 20 and sum(tried) <= 2_000  # runs, and the jobs of all of them


def test_jobs_without_which_nothing_fails_stay_and_those_of_one_are_not_repeated():
    def late(pool, node):
        for _ in range(3):
            pool.queue(job, (1,), submitter="cells", timeout=0.5)

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.schedule([Node("late")], lambda node: late(pool, node))
            pool.execute()

    text = to_scenario(recorded(program, 3), minimal=True)
    assert "  - {name: cells, takes: 5s, timeout: 500ms}" in text.splitlines()
    assert "repeat" not in text and "schedulers" not in text


@pytest.mark.parametrize("hours", [11, 40, 4_000])
def test_a_run_of_days_has_a_horizon_beyond_it(hours):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.queue(job, (hours * 3600, CorruptMorphology("at last")), submitter="slow")
            pool.execute()

    trace = recorded(program, horizon=1e9)
    text = to_scenario(trace)
    assert ("horizon" in text) == (hours > 12)
    assert 'statuses: {"*": failed}' in text
    assert "horizon" not in to_scenario(trace, minimal=True)


def test_a_run_of_years_is_too_long():
    trace = Trace({"ranks": 2})
    for event in (
        ("pool", 0, 1, 2, False, ["main"]),
        ("job", 0, 1, 0, "FunctionJob", "a", {}, [], []),
        ("ping", 2**63 - 1, 1),
    ):
        trace.append(event)
    with pytest.raises(ReplayError, match="it took 9223372037s: too long for a scenario"):
        to_scenario(trace)


def test_two_digits_are_left_of_times_unless_asked_otherwise():
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.queue(job, (1.23456,), submitter="cell")
            pool.execute()

    assert "{name: cell, takes: 1.2s}" in to_scenario(recorded(program))
    assert "{name: cell, takes: 1.235s}" in to_scenario(recorded(program), round_to=1_000_000)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0s"),
        (-5, "0s"),
        (17, "17ns"),
        (1500, "1.5us"),
        (2_000_000, "2ms"),
        (90 * 10**9, "1.5min"),
        (10**9 + 1, "1000000001ns"),
        (2**63 - 1, "9223372037s"),
    ],
)
def test_durations(ns, text):
    assert written_duration(ns) == text


def test_all_that_can_happen(tmp_path):
    class Node:
        def __init__(self, name):
            self.name = name

        def get_node_name(self):
            return self.name

        def queue(self, pool):
            time.sleep(1)
            if self.name == "broken":
                raise ValueError("no file")
            for _ in range(3):
                pool.queue(job, (1,), submitter="late")

    def handles(progress):
        failed = getattr(progress, "status", None) is bsbpool.pool.JobStatus.FAILED
        return failed and progress.job.name == "optional"

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.add_listener(handles)
                pool.schedule([Node("good"), Node("broken")])
                pool.queue(job, (1, OSError("full")), submitter="optional", cache_items=[7])
                pool.queue(job, (9,), submitter="deadly")
                waiting = [pool.queue(job, (5,), submitter="waiting") for _ in range(2)]
                pool.queue(job, (5,), submitter="gone").cancel("not needed")
                waiting[0].on_completion(lambda _: pool.queue(job, (1,), submitter="more"))
            pool.execute()

    trace = recorded(program, 4, script=Script().rank(2, dies=4))
    path = tmp_path / "made.yaml"
    path.write_text(to_scenario(trace))
    text = path.read_text()
    assert load(path).run().ok
    for part in (
        "pool:\n  listeners:\n    - {name: listener, handles: [failing optional]}\n",
        "{name: deadly deadly, takes: 4s, kills: true}",
        "{at: 0s, cancel: gone, reason: not needed}",
        '      - {name: "late {i}", repeat: 3, takes: 1s}',
        'raises: "ValueError: no file"',
        "caches: [cache.item1]",
        "  statuses:\n    failing optional: failed\n    deadly deadly: aborted\n",
    ):
        assert part in text, text


@pytest.mark.parametrize("failing", ["", "_failing"])
def test_a_real_reconstruction_is_a_page(failing, tmp_path):
    recording = read_recording(RECORDINGS / f"bsb_reconstruction_4_ranks{failing}.json")
    text = to_scenario(recorded(recording.program(), 4, script=recording.script()), round_to=10_000_000)
    assert text.count("\n") < 80
    path = tmp_path / "made.yaml"
    path.write_text(text)
    made = load(path)
    assert len(made.plan.jobs) == 396
    assert made.run().ok
    if failing:
        assert 'failing connectivity.stellate_purkinje: "ValueError: corrupt morphology in chunk (1, 1, 0)"' in text


def test_what_cannot_be_kept():
    def nothing(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            pool.execute()

    with pytest.raises(ReplayError, match="no job was queued"):
        to_scenario(recorded(nothing))
    with pytest.raises(ReplayError, match="has no pool"):
        to_scenario(Trace({"ranks": 1, "hosts": []}))


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded(failing, 3).write("run.trace")

    def run(*args):
        return CliRunner().invoke(main, ["replay", "run.trace", *args])

    result = run("--to-scenario", "made.yaml", "--round", "10ms")
    assert (result.exit_code, result.output) == (0, "made.yaml: 11 jobs on 3 ranks, comes out as it expects\n")
    result = run("--to-scenario", "made.yaml", "--minimal")
    assert (result.exit_code, result.output) == (0, "made.yaml: 1 job on 1 rank, comes out as it expects\n")
    assert "about: All that it takes of run.trace" in Path("made.yaml").read_text()
    result = run("--minimal")
    assert result.exit_code == 2
    assert "--round and --minimal are about the file that --to-scenario writes" in result.output
    result = run("--to-scenario", "no/such/made.yaml")
    assert result.exit_code == 2
    assert "no/such/made.yaml can't be written" in result.output


# -- runs that were killed -----------------------------------------------------------------------------

TRACES = Path(__file__).parents[1] / "property" / "traces"


def made_of(trace, tmp_path, **options):
    """The scenario of a trace, which comes out as it expects, and its text."""
    path = tmp_path / "made.yaml"
    path.write_text(to_scenario(trace, **options), encoding="utf-8")
    made = load(path)
    assert made.run().ok
    return made.model, path.read_text(encoding="utf-8")


def queueing(*seconds, **options):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True, **options) as pool:
            if pool.is_main():
                for n, each in enumerate(seconds):
                    pool.queue(job, (each,), submitter="f", i=n)
            pool.execute()

    return program


def until(trace, seconds):
    cut = Trace(trace.header)
    for event in trace.events:
        if event[1] <= seconds * 1e9:
            cut.append(event)
    return cut


@pytest.mark.parametrize("minimal", [False, True])
def test_a_run_that_was_killed_with_its_main_stays_a_rank_that_dies_in_its_job(tmp_path, minimal):
    trace = read_trace(TRACES / "killed_only.trace")
    model, text = made_of(trace, tmp_path, minimal=minimal)
    assert "outcome: ok" not in text
    deadly = [each for each in model.jobs if each.kills]
    assert [each.name for each in deadly] == ["deadly f"]
    if minimal:
        assert len(model.jobs) == 1
    assert model.expect.errors and "RankLostError" in model.expect.errors["deadly f"].text
    if not minimal:
        assert model.expect.statuses["deadly f"] == "aborted"
        assert "rank 1 (job 11)" in " ".join(text.split())


def test_of_a_run_that_was_killed_while_jobs_ran_the_one_that_ran_for_longest_killed_its_rank(tmp_path):
    trace = until(recorded(queueing(1, 3, 1, 1), 3), 1.5)
    model, text = made_of(trace, tmp_path)
    assert "rank 2 (job 1)" in text
    assert [each.kills for each in model.jobs].count(True) == 1


def test_several_ranks_that_were_silent_were_killed(tmp_path):
    trace = until(recorded(queueing(1, 9, 9, 1, 1, 1, 1), 4), 4)
    _, text = made_of(trace, tmp_path)
    assert "ranks 2 (job 1), 3 (job 2)" in " ".join(text.split())
    assert "repeat: 2" in text and "kills: true" in text


def test_main_that_died_dies(tmp_path):
    trace = recorded(queueing(1, 1, 1, 1), 3, script=Script().rank(0, dies=1.5))
    for minimal in (False, True):
        model, text = made_of(trace, tmp_path, minimal=minimal)
        assert model.expect.outcome == "died"
        assert "kill: 0" in text


def test_a_run_that_was_killed_between_jobs(tmp_path):
    trace = until(recorded(queueing(1, 1), 3), 0)
    before = Trace(trace.header)
    for event in trace.events:
        if event[0] != "status" and event[0] != "ready":
            before.append(event)
    model, text = made_of(before, tmp_path)
    assert (model.expect.outcome, "main died" in text) == ("died", True)


def test_ranks_that_were_killed_while_main_lived_on(tmp_path):
    trace = recorded(queueing(1, 1, 2, 2), 4, script=Script().rank(1, dies=0.5).rank(3, dies=2))
    model, _ = made_of(trace, tmp_path)
    assert sum((each.repeat or 1) for each in model.jobs if each.kills) == 2
    idle = recorded(queueing(1, 1), 4, script=Script().rank(3, dies=0.5))
    _, text = made_of(idle, tmp_path)
    assert "{at: 500ms, kill: 3}" in text


def test_a_rank_that_was_killed_while_it_held_jobs_ahead(tmp_path):
    trace = recorded(queueing(*[0.001] * 30), 2, script=Script().rank(1, dies=0.0105))
    assert [e["job"] for e in trace.of("status") if e["status"] == "aborted" and e["error"]["kind"] == "lost rank"]
    model, _ = made_of(trace, tmp_path)
    assert sum((each.repeat or 1) for each in model.jobs if each.kills) == 1
    cut = Trace(trace.header)
    for event in trace.events:
        if event[0] in ("fault", "lost"):
            break
        cut.append(event)
    model, text = made_of(cut, tmp_path)
    assert sum((each.repeat or 1) for each in model.jobs if each.kills) == 1
    assert "outcome: ok" not in text


def test_a_job_that_was_tried_again_lost_its_rank_then(tmp_path):
    trace = recorded(queueing(1, 1, 1, retries=1), 4, script=Script().rank(2, dies=0.5))
    model, text = made_of(trace, tmp_path)
    assert "kill_rank_of: f" in text
    assert model.expect.statuses == {"*": "success"}
    twice = recorded(
        queueing(1, 1, 1, retries=1), 4, script=Script().rank(2, dies=0.5).rank(1, dies=1.2).rank(3, dies=1.4)
    )
    made_of(twice, tmp_path)


def test_a_rank_that_left_in_its_job(tmp_path):
    class Leaves(BaseException):
        pass

    def leaves(owner):
        time.sleep(1)
        raise Leaves

    def program(comm):
        with contextlib.suppress(Leaves), bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.queue(leaves, submitter="leaves")
                pool.queue(job, (1,), submitter="other")
            pool.execute()

    trace = recorded(program, 3)
    assert trace.of("lost")[0]["error"]["kind"] == "left rank"
    model, _ = made_of(trace, tmp_path)
    assert [each.kills for each in model.jobs] == [True, False]
