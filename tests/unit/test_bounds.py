"""What is read has a bound, and what it costs grows with its size: steps are counted here, not seconds."""

import contextlib
import gzip
import json
import os
import select
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from costs import assert_linear

import bsbpool
from bsbpool.cli import main
from bsbpool.exceptions import JobErroredError, TraceError
from bsbpool.trace import read_trace, reading
from bsbpool.trace.recorded_calls import read_calls
from bsbpool.worlds import opening
from bsbpool_sim import recorded, simulate
from bsbpool_sim.program import beginning
from bsbpool_sim.pytest_plugin import scenarios
from bsbpool_sim.recorded import RecordingError, read_recording
from bsbpool_sim.replay import export_entries
from bsbpool_sim.replay.export import to_scenario
from bsbpool_sim.scenario import ScenarioError, expanding, parse
from bsbpool_sim.scenario.blaming import owners_of_errors
from bsbpool_sim.scenario.expecting import Checker


def command(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="bsbpool")


# -- recorded runs -------------------------------------------------------------------------------------

JOB = {
    "id": 0, "kind": "place", "name": "granule", "args": "()", "deps": [], "cache_items": [], "status": "success",
    "error": None, "started": 0.0, "ended": 1.0,
}  # fmt: skip
RUN = {"ranks": 2, "elapsed": 1.0, "error": None, "jobs": [JOB]}


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
@pytest.mark.parametrize("name", ["run", "show", "replay"])
def test_a_file_without_end_is_refused(device, name):
    run = command(name, device)
    assert run.exit_code == 2
    assert run.stderr.startswith(f"bsbpool: {device}")


@pytest.mark.parametrize("name", ["run", "show"])
def test_a_pipe_without_end_is_refused(name, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write():
        with contextlib.suppress(BrokenPipeError), pipe.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(65536))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert command(name, pipe).exit_code == 2
    finally:
        writer.join()


@pytest.mark.parametrize(
    "arguments",
    ["run {}", "run {}.yaml", "show {}", "diff {} {}", "replay {}", "simulate -n 2 {}", "explore -n 2 {}",
     "simulate -n 2 --script {} -c pass"],
)  # fmt: skip
def test_a_pipe_that_nobody_writes_to_is_refused(arguments, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "PATIENCE_MS", 20)
    for name in ("pipe", "pipe.yaml"):
        os.mkfifo(tmp_path / name)
    run = command(*arguments.replace("{}", str(tmp_path / "pipe")).split())
    assert run.exit_code == 2
    assert "in 0.02 s nobody has opened this pipe to write to it" in run.stderr


def test_calls_are_not_waited_for_either(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "PATIENCE_MS", 20)
    os.mkfifo(tmp_path / "run.trace.calls")
    with pytest.raises(TraceError, match="nobody has opened this pipe"):
        read_calls(tmp_path / "run.trace.calls")


def test_a_pipe_that_nobody_reads_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "PATIENCE_MS", 20)
    os.mkfifo(tmp_path / "page")
    (tmp_path / "run.trace").write_text(HEADER + POOL)
    run = command("show", tmp_path / "run.trace", "--html", tmp_path / "page")
    assert run.exit_code == 2
    assert "in 0.02 s nobody has opened this pipe to read from it" in run.stderr


def test_a_page_goes_into_a_pipe_that_somebody_reads(tmp_path):
    pipe = tmp_path / "page"
    os.mkfifo(pipe)
    (tmp_path / "run.trace").write_text(HEADER + POOL)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert command("show", tmp_path / "run.trace", "--html", pipe).exit_code == 0
    reader.join()
    assert read[0].startswith(b"<!doctype html>")


@pytest.mark.parametrize("early", [b"", b"{"])
def test_who_writes_to_a_pipe_late_is_waited_for(early, tmp_path, monkeypatch):
    """Somebody holds the pipe, and writes when patience is over."""
    monkeypatch.setattr(opening, "PATIENCE_MS", 1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    holds = os.open(pipe, os.O_RDWR)  # so that the reader finds a writer
    os.write(holds, early)
    ready = threading.Event()

    def write():
        ready.wait()
        with pipe.open("wb") as file:
            os.close(holds)
            file.write(json.dumps(RUN).encode()[len(early) :])

    writer = threading.Thread(target=write)
    writer.start()
    with opening.open_to_read(pipe) as file:
        ready.set()
        assert json.loads(file.read()) == RUN
    writer.join()


def test_what_came_of_a_pipe_while_it_was_looked_at_is_not_lost(tmp_path, monkeypatch):
    """Between the last look at an empty pipe and the read that tells whether somebody writes, something comes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    os.write(writer, b"first\n")

    class Late:
        def register(self, file, events):
            pass

        def poll(self, timeout):
            return []

    monkeypatch.setattr(select, "poll", Late)
    with opening.open_to_read(pipe) as file:
        monkeypatch.undo()
        os.write(writer, b"second\n")
        os.close(writer)
        assert file.peek(2)[:2] == b"fi"
        assert file.read() == b"first\nsecond\n"


def test_a_script_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(beginning, "LARGEST_SCRIPT", 1000)
    for name in ("simulate", "explore"):
        run = command(name, "-n", "2", "/dev/zero")
        assert run.exit_code == 2
        assert "the most that a script has" in run.stderr


def test_a_pipe_among_scenarios_does_not_keep_pytest_waiting(tmp_path):
    folder = tmp_path / "scenarios"
    folder.mkdir()
    os.mkfifo(folder / "pipe.yaml")
    parent: Any = SimpleNamespace(session=SimpleNamespace(isinitpath=lambda path: True))
    assert scenarios.pytest_collect_file(folder / "pipe.yaml", parent) is None


def test_a_recorded_run_comes_through_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(json.dumps(RUN)))
    writer.start()
    assert command("run", pipe).exit_code == 0
    writer.join()


def test_a_folder_runs_files_only(tmp_path):
    (tmp_path / "good.yaml").write_text("scenario: good\nranks: 1\njobs: [{name: a}]\nexpect: {}\n")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    run = command("run", tmp_path)
    assert (run.exit_code, run.stdout.count("\n")) == (0, 1)


def test_the_size_of_a_recorded_run_is_bounded(tmp_path, monkeypatch):
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    monkeypatch.setattr(recorded, "MOST_BYTES", 100)
    with pytest.raises(RecordingError, match="the most that are read"):
        read_recording(tmp_path / "run.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ranks", "1000000000"), ("ranks", "1" * 5000), ("ranks", "1" * 4000), ("elapsed", "1e400"),
        ("elapsed", "1" * 400), ("elapsed", "1e300"), ("elapsed", "NaN"), ("elapsed", "-Infinity"),
        ("ended", "1e300"), ("ended", "1" * 5000), ("ended", "1e10"), ("id", "1" * 4000), ("deps", f"[{10**4000}]"),
        ("name", "[" * 3000 + "]" * 3000), ("args", "{" + '"a":{' * 500 + "}" * 501),
    ],
)  # fmt: skip
def test_absurd_numbers_and_depths_are_refused_in_one_short_line(key, value, tmp_path):
    data = {**RUN, "jobs": [{**JOB, key: "?"}]} if key in JOB else {**RUN, key: "?"}
    (tmp_path / "run.json").write_text(json.dumps(data).replace('"?"', value))
    run = command("run", tmp_path / "run.json")
    assert run.exit_code == 2, run.exception
    assert run.stderr.count("\n") == 1
    assert len(run.stderr) < 400


def test_a_run_on_more_ranks_than_can_be_simulated_takes_a_number_of_them(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({**RUN, "ranks": 100_000}))
    run = command("run", tmp_path / "run.json")
    assert run.exit_code == 2
    assert "say --ranks" in run.stderr
    assert command("run", tmp_path / "run.json", "--ranks", "2").exit_code == 0


# -- traces --------------------------------------------------------------------------------------------


def line(t, e, **fields):
    return json.dumps({"t": t, "e": e, "pool": 0, **fields}) + "\n"


HEADER = json.dumps({"trace": "bsbpool", "version": 1, "ranks": 2, "hosts": []}) + "\n"
POOL = line(0, "pool", ranks=2, fail_fast=False, phases=[])


def job(id, **other):
    return line(
        1, "job", job=id, **{"kind": "FunctionJob", "name": "f", "context": {}, "deps": [], "cache": [], **other}
    )


#: Made in the test: together they are so large that making them takes seconds.
BOMBS = {
    "queued": lambda: job(0) + line(2, "queued", jobs=[0] * 4_000_000),
    "deps": lambda: job(0) + job(1, deps=[0] * 4_000_000),
    "cache": lambda: job(0, cache=[7] * 4_000_000),
    "items": lambda: job(0) + line(2, "cached", rank=1, job=0, items=[7] * 4_000_000),
    "lines": lambda: job(0) + line(2, "ping") * 500_000,
    "name": lambda: job(0, name="x" * 8_000_000),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=[*BOMBS])
def test_a_small_file_does_not_unpack_to_a_large_one(bomb, tmp_path):
    path = tmp_path / "bomb.trace.gz"
    path.write_bytes(gzip.compress((HEADER + POOL + bomb()).encode()))
    with pytest.raises(TraceError, match="unpacks to more than 200 times its size"):
        read_trace(path)


def test_a_large_trace_of_a_run_is_read_compressed(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "ANYWAY", 0)

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            for _ in range(2000 if pool.is_main() else 0):
                pool.queue(print)
            pool.execute()

    from bsbpool_sim import simulate

    trace = simulate(program, 3, script=None).trace
    trace.write(tmp_path / "run.trace.gz")
    assert len(read_trace(tmp_path / "run.trace.gz")) == len(trace)


@pytest.mark.parametrize("rows", [1, 2, 1000])
@pytest.mark.parametrize("lines", [1, 2])
def test_a_row_stands_for_each_job_once(rows, lines, tmp_path):
    path = tmp_path / "run.trace"
    path.write_text(HEADER + POOL + job(0) + line(2, "queued", jobs=[0] * rows) * lines)
    if rows == lines == 1:
        assert len(read_trace(path)) == 3
    else:
        with pytest.raises(TraceError, match="a job is queued a second time"):
            read_trace(path)


def test_a_job_succeeds_in_one_row(tmp_path):
    path = tmp_path / "run.trace"
    path.write_text(HEADER + POOL + job(0) + line(2, "succeeded", rows=[[3, 1, 0, 0, 1, None]] * 2))
    with pytest.raises(TraceError, match="a job is succeeded a second time"):
        read_trace(path)


def test_a_trace_of_more_ranks_than_can_be_simulated_is_shown_and_not_replayed(tmp_path):
    path = tmp_path / "run.trace"
    path.write_text(HEADER.replace('"ranks": 2', '"ranks": 50000') + POOL + job(0))
    assert command("show", path).exit_code == 0
    run = command("replay", path)
    assert run.exit_code == 2
    assert "10,000 can be simulated" in run.stderr


# -- scenarios -----------------------------------------------------------------------------------------


def failing(count, expect):
    """A scenario of so many failing jobs, run."""
    text = f"scenario: all fail\nranks: 4\njobs: [{{name: 'j{{i}}', repeat: {count}, raises: 'ValueError: no'}}]\n"
    scenario = parse(f"{text}expect: {expect}\n", "made.yaml")
    return scenario, scenario.run()


@pytest.mark.parametrize("expect", ["{errors: {'j*': 'ValueError: no'}}", "{}", "{errors: {j0: 'ValueError: no'}}"])
def test_comparing_failed_jobs_takes_steps_as_they_are_many(expect):
    def made(count):
        scenario, result = failing(count, expect)
        (outcome,) = result.outcomes
        return Checker(scenario.plan, outcome).check

    assert_linear(made)


def test_blaming_failed_jobs_takes_steps_as_they_are_many():
    def made(count):
        (outcome,) = failing(count, "{errors: {'j*': 'ValueError: no'}}")[1].outcomes
        errors = [JobErroredError("failed", job.error) for job in outcome.stage.jobs.values()]
        return lambda: owners_of_errors(errors, outcome.stage.jobs, ())

    assert_linear(made)


@pytest.mark.parametrize(
    "what",
    [
        "jobs: [{name: 'a{i}', repeat: 5000}, {name: 'b{i}', repeat: 5000, after: 'a*'}]",
        "jobs: [{name: 'a{i}', repeat: 5000}, {name: 'b{i}', repeat: 5000, after: 'a{i}*'}]",
    ],
)
def test_dependencies_of_a_scenario_are_bounded(what):
    with pytest.raises(ScenarioError, match="too much is to be looked up") as error:
        parse(f"scenario: many\nranks: 2\n{what}\nexpect: {{}}\n", "made.yaml")
    assert error.value.line == 3


def test_jobs_of_schedulers_are_found_without_looking_at_all():
    def made(count):
        nodes = "".join(f"  - {{name: n{i}, jobs: [{{name: j{i}}}]}}\n" for i in range(count))
        plan = parse(f"scenario: nodes\nranks: 2\nschedulers:\n{nodes}expect: {{}}\n", "made.yaml").plan
        return lambda: [list(plan.of_scheduler(number)) for number in range(count)]

    assert_linear(made)
    assert expanding.MOST_WAITS


def test_a_scenario_of_a_run_takes_steps_as_its_jobs_are_many():
    """Jobs of which no two have the same name, so that each becomes an entry of its own."""

    def made(count):
        def program(comm):
            with bsbpool.job_pool(comm, quiet=True) as pool:
                if pool.is_main():
                    jobs = []
                    for number in range(count):
                        name = "".join(chr(ord("a") + int(digit)) for digit in str(number))
                        jobs.append(pool.queue(type, submitter=name, deps=jobs[-1:] if number % 3 else ()))
                pool.execute()

        trace = simulate(program, 2).trace
        return lambda: to_scenario(trace)

    assert_linear(made, module=export_entries)


def test_callbacks_take_steps_as_they_are_many():
    with bsbpool.job_pool(quiet=True) as pool:
        first = pool.queue(print)

        def sizes(count):
            before = first._callbacks
            for _ in range(count):
                first.on_completion(lambda job: None)
            return before is None or first._callbacks is before

        sizes(1)
        assert sizes(100)  # the same list: nothing was copied
        first.cancel()
        pool.execute()
