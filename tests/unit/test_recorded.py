"""Recorded runs: what a file comes to as program and script, and what is said of files that are none."""

import json
from pathlib import Path

import pytest

from bsbpool.exceptions import JobErroredError, RemoteError, WorkflowError
from bsbpool_sim import RankErrors, SimulationError, simulate
from bsbpool_sim.recorded import RecordingError, read_recording, recorded_exception

RECORDINGS = Path(__file__).parents[2] / "scenarios" / "recordings"
SERIAL = RECORDINGS / "bsb_reconstruction_1_rank.json"
FOUR = RECORDINGS / "bsb_reconstruction_4_ranks.json"
FAILING = RECORDINGS / "bsb_reconstruction_4_ranks_failing.json"


def job(id, kind="PlacementJob", name="{root}.placement.a", deps=(), took=1.0, start=0.0, **fields):
    row = {
        "id": id,
        "kind": kind,
        "name": name,
        "args": f"({id},)",
        "deps": list(deps),
        "cache_items": [],
        "status": "success",
        "error": None,
        "started": start,
        "ended": start + took,
    }
    if took is None:
        row.update(started=None, ended=None)
    return row | fields


def never(id, name, **fields):
    return job(id, name=name, took=0.0, **fields) | {"started": None, "ended": None}


def failed(id, error="ValueError: corrupt", **fields):
    return job(id, status="failed", error=error, **fields)


@pytest.fixture
def write(tmp_path):
    """Writes a recording, one job a line, and gives its path."""

    def write(*jobs, ranks=2, elapsed=1.0, error=None, **more):
        head = {"ranks": ranks, "elapsed": elapsed, "error": error, **more}
        rows = ",\n".join(json.dumps(row) for row in jobs)
        path = tmp_path / "run.json"
        path.write_text(json.dumps(head)[:-1] + ', "jobs": [\n' + rows + "\n]}\n")
        return path

    return write


def run(path, ranks, fail_fast=None):
    """The simulation, and what main raised."""
    recording = read_recording(path)
    try:
        return simulate(recording.program(fail_fast), ranks, script=recording.script()), None
    except RankErrors as errors:
        return errors.simulation, errors.by_rank[0]


def statuses(trace):
    return {(e["pool"], e["job"]): e["status"] for e in trace.of("status")}


# -- reading ---------------------------------------------------------------------------------------------


def test_a_pool_ends_where_the_kind_changes():
    recording = read_recording(FOUR)
    assert [len(pool) for pool in recording.pools] == [180, 216]
    assert [{job.kind for job in pool} for pool in recording.pools] == [{"PlacementJob"}, {"ConnectivityJob"}]
    assert (recording.ranks, recording.elapsed, recording.error) == (4, 119.636308, None)


def test_every_job_has_the_time_that_it_took():
    rows = json.loads(SERIAL.read_text())["jobs"]
    recording = read_recording(SERIAL)
    assert [job.takes for job in recording.jobs] == [row["ended"] - row["started"] for row in rows]
    assert recording.estimated == {}


def test_a_job_that_never_ran_has_the_median_of_its_strategy():
    rows = json.loads(FAILING.read_text())["jobs"]
    name = "{root}.connectivity.stellate_purkinje"
    ran = sorted(r["ended"] - r["started"] for r in rows if r["name"] == name and r["started"] is not None)
    recording = read_recording(FAILING)
    guessed = [job for job in recording.jobs if job.name == name and job.estimated]
    assert len(ran) == 9  # an odd number: the median is one of them
    assert {(job.takes, job.estimated) for job in guessed} == {(ran[4], "strategy")}
    assert len(guessed) == 63


def test_where_none_of_its_strategy_ran_it_has_the_median_of_its_pool_and_then_of_the_run(write):
    path = write(
        *[job(i, took=t) for i, t in enumerate([1, 2, 9])],
        never(3, "{root}.placement.b"),
        never(4, "{root}.connectivity.c", kind="ConnectivityJob"),
    )
    recording = read_recording(path)
    assert [(j.takes, j.estimated) for j in recording.jobs[3:]] == [(2, "pool"), (2, "run")]
    assert recording.estimated == {"pool": 1, "run": 1}


@pytest.mark.parametrize(
    ("error", "left", "fail_fast"),
    [("WorkflowError()", "queued", True), ("WorkflowError()", "success", False), (None, "queued", False)],
)
def test_the_recorded_main_stopped_early_if_it_raised_and_left_jobs_in_line(write, error, left, fail_fast):
    path = write(failed(0), job(1, status=left), error=error)
    assert read_recording(path).fail_fast is fail_fast


def test_the_shipped_failing_run_stopped_early():
    recording = read_recording(FAILING)
    assert recording.fail_fast
    assert recording.outcome == {"success": 185, "failed": 1, "cancelled": 36, "queued": 174}
    assert list(recording.outcome) == ["success", "failed", "cancelled", "queued"]


# -- running ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SERIAL, FOUR])
def test_on_one_rank_a_run_takes_the_sum_of_its_jobs(path):
    total = sum(row["ended"] - row["started"] for row in json.loads(path.read_text())["jobs"])
    simulation, error = run(path, 1)
    assert error is None
    assert simulation.elapsed == pytest.approx(total, abs=1e-6)


def test_jobs_keep_their_name_dependencies_cache_items_and_arguments():
    simulation, _ = run(SERIAL, 2)
    rows = json.loads(SERIAL.read_text())["jobs"]
    queued = simulation.trace.of("job")
    assert [e["name"] for e in queued] == [row["name"] for row in rows]
    assert [list(e["cache"]) for e in queued] == [row["cache_items"] for row in rows]
    assert [e["context"] for e in queued] == [{"chunk": r["args"], "recorded": r["id"]} for r in rows]
    assert [list(e["deps"]) for e in queued[180:]] == [[dep - 180 for dep in row["deps"]] for row in rows[180:]]


def test_the_second_pool_begins_when_the_first_has_ended(write):
    path = write(job(0), job(1, took=3), job(2, kind="ConnectivityJob"))
    simulation, _ = run(path, 3)
    assert [(e["pool"], e["t"] / 1e9) for e in simulation.trace.of("end")] == [(1, 3.0), (2, 4.0)]


def test_the_recorded_failure_comes_again_with_its_type_and_message():
    _, error = run(FAILING, 4)
    assert isinstance(error, WorkflowError)
    (failure,) = error.exceptions
    assert isinstance(failure, JobErroredError)
    assert type(failure.error) is ValueError
    assert str(failure.error) == "corrupt morphology in chunk (1, 1, 0)"


def test_fail_fast_is_as_recorded_unless_it_is_said():
    as_recorded, _ = run(FAILING, 4)
    going_on, _ = run(FAILING, 4, fail_fast=False)
    ended = list(statuses(going_on.trace).values())
    assert ended.count("cancelled") == 36  # what the real run cancelled for a dependency that failed
    assert (ended.count("success"), ended.count("failed")) == (359, 1)
    assert list(statuses(as_recorded.trace).values()).count("cancelled") > 36


def test_pools_after_one_that_failed_do_not_run(write):
    path = write(job(0), failed(1), job(2, kind="ConnectivityJob"), never(3, "b", kind="ConnectivityJob"))
    simulation, error = run(path, 2)
    assert isinstance(error, WorkflowError)
    assert [e["pool"] for e in simulation.trace.of("pool")] == [1]
    assert read_recording(path).estimated == {}


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("ValueError: two: parts", ValueError, "two: parts"),
        ("RuntimeError", RuntimeError, ""),
        ("MorphologyError: no such cell", RemoteError, "MorphologyError: no such cell"),
        ("KeyError: 'a'", RemoteError, "KeyError: 'a'"),  # KeyError("'a'") would quote it once more
        ("UnicodeDecodeError: what", RemoteError, "UnicodeDecodeError: what"),  # can't be made of a text
        ("KeyboardInterrupt: no", RemoteError, "KeyboardInterrupt: no"),  # would stop the simulation
        ("print: no", RemoteError, "print: no"),
        (None, RemoteError, "the recording does not say what it raised"),
    ],
)
def test_what_a_job_raised_is_raised_again_or_named(text, kind, message):
    error = recorded_exception(text)
    assert type(error) is kind
    assert str(error) == message


# -- files that are no recording -------------------------------------------------------------------------


def refusal(path):
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    assert isinstance(caught.value, SimulationError)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(path), "F")


def test_a_file_that_is_not_there(tmp_path):
    assert refusal(tmp_path / "no.json") == "F: can't be read: No such file or directory"


def test_a_folder(tmp_path):
    assert refusal(tmp_path) == "F: can't be read: Is a directory"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"ranks": 1,\n  oops}', "F:2:3: is not JSON, so no recorded run: Expecting property name"),
        (b"", "F:1:1: is not JSON, so no recorded run: Expecting value"),
        (b"\x89PNG", "F: is not text in UTF-8, so no recorded run: that is a JSON file"),
        (b"[" * 200_000, "F: is nested too deeply for a recorded run"),
        (b"[]", "F: holds a list; a recorded run is an object with 'ranks' and 'jobs'"),
        (b"null", "F: holds null; a"),
        (b"{}", "F: has no 'ranks'; it is an integer, from 1 to 1,000,000"),
        (b'{"ranks": 0}', "F: 'ranks' is 0; it must be an integer, from 1 to 1,000,000"),
        (b'{"ranks": true}', "F: 'ranks' is True; it must be an integer, from 1 to 1,000,000"),
        (b'{"ranks": 1}', "F: has no 'elapsed'; it is a number of seconds, 0 or more"),
        (b'{"ranks": 1, "elapsed": -1}', "F: 'elapsed' is -1; it must be a number of seconds, 0 or more"),
        (b'{"ranks": 1, "elapsed": NaN}', "F: 'elapsed' is nan; it must be a number"),
        (b'{"ranks": 1, "elapsed": 1e999}', "F: 'elapsed' is inf; it must be a number"),
        (b'{"ranks": 1, "elapsed": 1, "error": 7}', "F: 'error' is 7; it must be a text, or null"),
        (b'{"ranks": 1, "elapsed": 1, "error": null}', "F: has no 'jobs'; it is a list of jobs"),
        (
            b'{"ranks": 1, "elapsed": 1, "error": null, "jobs": {}}',
            "F: 'jobs' is an object; it must be a list of jobs",
        ),
        (
            b'{"ranks": 1, "elapsed": 1, "error": null, "jobs": []}',
            "F: 'jobs' is empty: a recorded run has at least one job",
        ),
        (b'{"ranks": "%s"}' % (b"x" * 100), "F: 'ranks' is '" + "x" * 58 + "…; it must be an integer"),
    ],
)
def test_a_file_that_holds_something_else(tmp_path, content, message):
    path = tmp_path / "run.json"
    path.write_bytes(content)
    assert refusal(path).startswith(message)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("text", "is a text, where a job is an object with 'id', 'kind' and 'name'"),
        (None, "is null, where"),
        (1, "is a number, where"),
        ({}, "has no 'id'; it is an integer"),
        (job("x"), "'id' is 'x'; it must be an integer"),
        (job(1, kind=None), "'kind' is None; it must be a text"),
        (job(1, name=3), "'name' is 3; it must be a text"),
        (job(1, args=[]), "'args' is a list; it must be a text"),
        (job(1) | {"deps": 0}, "'deps' is 0; it must be a list of integers"),
        (job(1, deps=["0"]), "'deps' holds '0'; it must be a list of integers"),
        (job(1, cache_items=[1.5]), "'cache_items' holds 1.5; it must be a list of integers"),
        (job(1, deps=[0, [0]]), "'deps' holds a list; it must be a list of integers"),
        (job(1, status="done"), "'status' is 'done'; it must be one of success, failed, cancelled, aborted, "),
        (job(1, status=[]), "'status' is a list; it must be one of success"),
        (job(1, error=[]), "'error' is a list; it must be a text, or null"),
        (job(1, started="0"), "'started' is '0'; it must be a number of seconds, or null"),
        (job(1) | {"ended": float("inf")}, "'ended' is inf; it must be a number of seconds, or null"),
        (job(1, took=-2, start=5), "ended at 3 s, before it started at 5 s; time goes forward"),
        (job(0), "has id 0, as job 0 has; ids are unique"),
        (job(1, deps=[7]), "depends on 7, and no job has that id"),
        (job(1, deps=[1]), "depends on 1, which does not come before it; dependencies are queued first"),
        (job(1, deps=[2]), "depends on 2, which does not come before it; dependencies are queued first"),
        (
            job(1, kind="ConnectivityJob", deps=[0]),
            "of pool 2 (ConnectivityJob) depends on 0 of pool 1; dependencies lie in the same pool, and a new pool "
            "begins where 'kind' changes",
        ),
    ],
)
def test_a_job_that_is_none_is_named_by_its_line_and_place(write, row, message):
    path = write(job(0), row, job(2), note={"jobs": [1]})
    assert refusal(path).startswith(f"F:3: job 1: {message}")


def test_the_line_of_a_job_is_found_in_any_layout(tmp_path):
    data = {"jobs": [job(0), job(1, deps=[5])], "ranks": 1, "elapsed": 1, "error": None}
    path = tmp_path / "run.json"
    path.write_text("\n" + json.dumps(data, indent=1))
    line = 1 + next(n for n, text in enumerate(path.read_text().splitlines()) if '"id": 1' in text)
    assert refusal(path).startswith(f"F:{line - 1}: job 1: depends on 5")


def test_a_recording_of_which_no_job_ran(write):
    assert refusal(write(never(0, "a"))) == "F: no job of it ever ran, so there are no times to go by"
