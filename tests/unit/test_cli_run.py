"""`bsbpool run`, as it is typed: what it prints, where, and with which status it ends."""

import importlib
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bsbpool import __version__
from bsbpool.cli import Commands, main
from bsbpool.cli.arguments import numbers_of_ranks, time_with_unit

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "scenarios" / "recordings"
SERIAL, FOUR, FAILING = (
    str(RECORDINGS / f"bsb_reconstruction_{name}.json") for name in ("1_rank", "4_ranks", "4_ranks_failing")
)


def bsbpool(*args, columns=100, **env):
    """What came of it: exit_code, stdout, stderr."""
    return CliRunner().invoke(main, args, prog_name="bsbpool", env={"COLUMNS": str(columns), **env})


def cells(output, first):
    """The cells of the table row that begins with these."""
    for line in output.splitlines():
        row = re.split(r" {2,}", line.strip(" ▶"))
        if row[: len(first)] == list(first):
            return row
    raise AssertionError(f"no row {first} in\n{output}")


def prose(output):
    """The output as one line, so that it doesn't matter where lines break."""
    return " ".join(output.split())


def jobs(path):
    return json.loads(Path(path).read_text())["jobs"]


@pytest.fixture
def write(tmp_path):
    """Writes a recording of jobs that take a second each, and gives its path."""

    def write(*jobs, ranks=3, error=None):
        rows = [
            {"id": i, "kind": "PlacementJob", "name": "a", "args": "()", "deps": [], "cache_items": []}
            | {"status": "success", "error": None, "started": 0.0, "ended": 1.0}
            | job
            for i, job in enumerate(jobs)
        ]
        path = tmp_path / "run.json"
        path.write_text(json.dumps({"ranks": ranks, "elapsed": 2.0, "error": error, "jobs": rows}))
        return str(path)

    return write


FAILED = {"status": "failed", "error": "ValueError: no"}
NEVER = {"started": None, "ended": None}

# -- one run ---------------------------------------------------------------------------------------------


def test_a_healthy_run_on_as_many_ranks_as_were_recorded():
    result = bsbpool("run", FOUR)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Recorded on 4 ranks, 119.6 s, 396 jobs in 2 pools: 396 succeeded." in result.output
    assert "On 4 simulated ranks (3 workers): 396 succeeded." in result.output
    assert "recorded on 4 ranks: 119.6 s." in result.output
    assert [line[:6] for line in result.output.splitlines() if "│" in line] == ["rank 1", "rank 2", "rank 3"]


@pytest.mark.parametrize("columns", [80, 200])
def test_each_strategy_has_its_jobs_and_its_seconds(columns):
    output = bsbpool("run", FOUR, columns=columns).output
    times = defaultdict(list)
    for row in jobs(FOUR):
        times[row["name"].removeprefix("{root}.")].append(row["ended"] - row["started"])
    assert len(times) == 8
    for letter, (name, took) in zip("ABCDEFGH", times.items(), strict=True):
        row = cells(output, [letter, name])
        assert row[2:4] == [str(len(took))] * 2
        assert float(row[4].split()[0]) == pytest.approx(sum(took), rel=0.01)
        assert row[4].endswith(" s")
    everything = cells(output, ["all"])
    assert everything[1:3] == ["396", "396"]
    assert everything[3] == f"{sum(map(sum, times.values())):.1f} s"
    assert max(map(len, output.splitlines())) <= columns


def test_on_one_rank_the_makespan_is_the_sum_of_the_jobs():
    result = bsbpool("run", SERIAL)
    total = sum(row["ended"] - row["started"] for row in jobs(SERIAL))
    assert result.exit_code == 0
    assert "On 1 simulated rank (1 worker): 396 succeeded." in result.output
    assert f"Makespan {total:.1f} s; recorded on 1 rank: 63.6 s." in result.output
    assert cells(result.output, ["0", "396"])[2:4] == [f"{total:.1f} s", "100.0%"]
    assert "no number of ranks is faster" in result.output
    assert "main: hands out jobs" not in result.output


def test_a_failing_run_names_the_job_and_its_error_and_ends_with_1():
    result = bsbpool("run", FAILING)
    assert result.exit_code == 1
    assert "185 succeeded, 1 failed, 36 cancelled, 174 left queued." in prose(result.output)
    assert "✗ ValueError: corrupt morphology in chunk (1, 1, 0)" in result.output
    assert "connectivity.stellate_purkinje, job 187, on rank 3" in result.output
    assert "('stellate_purkinje', [Chunk([1, 1, 0], dtype=int16)], None)" in result.output
    assert result.stderr == (
        "bsbpool: a pool failed: connectivity.stellate_purkinje on rank 3: ValueError: corrupt morphology in chunk "
        "(1, 1, 0)\n"
    )
    assert "✗" in next(line for line in result.stdout.splitlines() if line.startswith("rank 3"))


def test_what_was_assumed_is_said():
    text = prose(bsbpool("run", FAILING, "--latency", "50us").output)
    never = [row for row in jobs(FAILING) if row["started"] is None]
    strategies = {row["name"] for row in jobs(FAILING) if row["started"] is not None}
    own = sum(row["name"] in strategies for row in never)
    assert f"{len(never)} jobs that never ran take the median of their strategy ({own})" in text
    assert f"the median of their pool ({len(never) - own})" in text
    assert "jobs take as long as they took on the 4 recorded ranks, on any number of ranks" in text
    assert "a pool stops at its first error, as it did" in text
    assert "a message takes 50.0 µs" in text


def test_keep_going_runs_all_but_what_depends_on_the_failure():
    result = bsbpool("run", FAILING, "--keep-going")
    assert result.exit_code == 1
    assert "a pool goes on after an error" in prose(result.output)
    assert "359 succeeded, 1 failed, 36 cancelled." in result.output


def test_fail_fast_stops_a_run_that_went_on(write):
    path = write(FAILED, *[{}] * 9, error="WorkflowError()", ranks=2)
    assert "9 succeeded, 1 failed." in bsbpool("run", path, "--keep-going").output
    stopped = bsbpool("run", path, "--fail-fast").output
    assert "9 succeeded" not in stopped.split("simulated", 1)[1]
    assert "a pool stops at its first error." in prose(stopped)


def test_one_job_that_never_ran_and_one_pool_that_does_not(write):
    path = write(FAILED, NEVER, {"kind": "ConnectivityJob"})
    text = prose(bsbpool("run", path).output)
    assert "1 job that never ran takes the median of their strategy (1)" in text
    assert "1 pool after the one that failed does not run" in text
    text = prose(bsbpool("run", write(FAILED, {"kind": "B"}, {"kind": "C"})).output)
    assert "2 pools after the one that failed do not run" in text


def test_many_workers_are_summed_up():
    output = bsbpool("run", FOUR, "--ranks", "128").output
    assert "127 workers, busy for 42.9% of the makespan: rank " in output
    assert "ranks 121-127 │" in output
    assert "utilisation" not in output


def test_workers_that_ran_nothing_are_counted(write):
    output = bsbpool("run", write({}, {}), "--ranks", "40").output
    assert "; 37 ran none." in output


def test_many_failures_are_shown_up_to_a_number(write):
    result = bsbpool("run", write(*[FAILED] * 20))
    assert result.output.count("✗ ValueError: no") == 16
    assert "and 4 failures more" in result.output
    assert result.stderr == "bsbpool: a pool failed: a on rank 1: ValueError: no, and 19 other jobs\n"


def test_jobs_that_take_no_time_are_no_trouble(write):
    result = bsbpool("run", write({"ended": 0.0}))
    assert result.exit_code == 0
    assert "Makespan 0 s; recorded" in result.output
    assert "There is no timeline" in result.output
    assert bsbpool("run", write({"ended": 0.0}), "--ranks", "2,3").exit_code == 0


def test_names_from_a_file_are_text_and_nothing_else(write):
    output = bsbpool("run", write({"name": "[red]\x1b[2J:boom:"})).output
    assert r"[red]\x1b[2J:boom:" in output
    assert "\x1b" not in output


def test_latency_makes_a_run_longer_by_what_its_messages_take(write):
    output = bsbpool("run", write({}, {}), "--ranks", "2", "--latency", "100ms").output
    # The worker's first word, then twice: a job to it, its outcome back; it never has the next one ahead,
    # or has it, and saves a message or two.
    makespan = float(re.search(r"Makespan ([\d.]+) s", output)[1])
    assert 2.2 <= makespan <= 2.6


def test_a_seed_shuffles_what_happens_at_once(write):
    path = write(*[{"name": f"s{i}"} for i in range(12)], ranks=13)
    lanes = {
        "".join(line for line in bsbpool("run", path, "--seed", seed).output.splitlines() if "│" in line)
        for seed in "0123"
    }
    assert len(lanes) > 1
    assert bsbpool("run", path, "--seed", "1").output == bsbpool("run", path, "--seed", "1").output


# -- several runs ----------------------------------------------------------------------------------------


def test_numbers_of_ranks_are_compared():
    result = bsbpool("run", FOUR, "--ranks", "16,2,4,128", columns=80)
    assert result.exit_code == 0
    total = sum(row["ended"] - row["started"] for row in jobs(FOUR))
    rows = {n: cells(result.output, [n]) for n in ("2", "4", "16", "128")}
    assert [row[1] for row in rows.values()] == ["1", "3", "15", "127"]
    assert rows["2"][2:5] == [f"{total:.1f} s", "1.00x", "100.0%"]
    for row in rows.values():
        makespan = float(row[2].split()[0])
        assert makespan >= total / int(row[1]) * 0.999
        assert float(row[3][:-1]) == pytest.approx(total / makespan, rel=0.01)
        assert row[-1] == "396"
    assert re.search(r"^▶ +128 ", result.output, re.M)
    assert "128 ranks are fastest, and more may be faster still: the critical path is" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_the_fewest_ranks_that_are_as_fast_are_best():
    output = bsbpool("run", SERIAL, "--ranks", "64,300,600").output
    assert re.search(r"^▶ +300 ", output, re.M)
    assert "Beyond 300 ranks nothing is gained: the critical path is 930.9 ms of its 930.9 ms." in output
    output = bsbpool("run", SERIAL, "--ranks", "64,300").output
    assert "300 ranks are fastest, and no number is faster" in output


def test_speed_up_is_against_one_worker_also_where_none_was_asked_for():
    total = sum(row["ended"] - row["started"] for row in jobs(FOUR))
    row = cells(bsbpool("run", FOUR, "--ranks", "4,5").output, ["4"])
    assert float(row[3][:-1]) == pytest.approx(total / float(row[2].split()[0]), rel=0.01)


def test_runs_that_stopped_early_are_not_compared():
    result = bsbpool("run", FAILING, "--ranks", "2,4,16")
    assert result.exit_code == 1
    assert cells(result.output, ["4", "3"])[3] == "·"
    assert "▶" not in result.output
    assert "The runs stopped early, each with other jobs done" in result.output
    assert result.stderr.startswith("bsbpool: a pool failed on 2, 4, 16 ranks: ")


def test_failing_runs_that_did_the_same_are_compared():
    result = bsbpool("run", FAILING, "--ranks", "2,4", "--keep-going")
    assert result.exit_code == 1
    assert cells(result.output, ["4", "3"])[3] == "2.98x"
    assert cells(result.output, ["4", "3"])[-3:] == ["359", "1", "36"]


# -- what can't be used ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "no.json"], "bsbpool: no.json: can't be read: No such file or directory (see: bsbpool run --help)"),
        (["run"], "bsbpool: Missing argument 'FILE'. (see: bsbpool run --help)"),
        (["run", FOUR, "--ranks", "0"], "bsbpool: Invalid value for '--ranks': '0' is no number of ranks: give one"),
        (["run", FOUR, "--ranks", "2,,4"], "bsbpool: Invalid value for '--ranks': '' is no number of ranks"),
        (["run", FOUR, "--latency", "5"], "bsbpool: Invalid value for '--latency': '5' is no duration: write a number"),
        (["run", FOUR, "--seed", "-1"], "bsbpool: Invalid value for '--seed'"),
        (["run", FOUR, "--bogus"], "bsbpool: No such option"),
        (["bogus"], "bsbpool: No such command 'bogus'"),
    ],
)
def test_what_can_not_be_used_is_one_line_and_status_2(args, message):
    result = bsbpool(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


def test_a_broken_file_is_told_with_its_line(tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"ranks": 1,\n "jobs" []}')
    result = bsbpool("run", str(path))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"bsbpool: {path}:2:9: is not JSON, so no recorded run")


def test_a_run_beyond_the_horizon_of_the_simulation_is_told(write):
    result = bsbpool("run", write({"ended": 1e9}))
    assert result.exit_code == 2
    assert result.stderr.startswith("bsbpool: on 3 ranks: ")
    assert result.stderr.count("\n") == 1


def test_an_error_that_is_no_failed_pool_is_not_hidden(monkeypatch):
    monkeypatch.setattr("bsbpool.owner.Owner.create_job_pool", lambda *a, **k: 1 / 0)
    result = bsbpool("run", FOUR)
    assert isinstance(result.exception, ExceptionGroup)


@pytest.mark.parametrize(
    ("text", "numbers"), [("4", (4,)), ("16, 2,4", (2, 4, 16)), ("2,2", (2,)), ("10000", (10000,))]
)
def test_numbers_of_ranks(text, numbers):
    assert numbers_of_ranks(text) == numbers


@pytest.mark.parametrize("text", ["", "-1", "x", "10001", "1.5", "²", "9" * 5000])
def test_what_is_no_number_of_ranks(text):
    with pytest.raises(click.BadParameter, match="is no number of ranks"):
        numbers_of_ranks(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("50us", 5e-5), ("50µs", 5e-5), ("1.5 ms", 1.5e-3), ("2s", 2), ("7ns", 7e-9), ("0", 0)]
)
def test_times(text, seconds):
    assert time_with_unit(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "us", "-5us", "5 fortnights", "inf", "nan", "1e999s"])
def test_what_is_no_time(text):
    with pytest.raises(click.BadParameter, match=r"is no duration|is no unit of time"):
        time_with_unit(text)


# -- the command itself ----------------------------------------------------------------------------------


def test_version():
    assert bsbpool("--version").output == f"bsbpool {__version__}\n"


def test_help_teaches_with_examples():
    assert "bsbpool run recording.json --ranks 2,4,16,128" in bsbpool("--help").output
    text = bsbpool("run", "-h").output
    examples = re.findall(r"bsbpool run (scenarios/\S+.*)", text)
    assert len(examples) == 3
    assert all((ROOT / example.split()[0]).exists() for example in examples)


def test_no_command_shows_the_help():
    result = bsbpool()
    assert result.exit_code == 2
    assert "Usage: bsbpool" in result.stderr
    assert "\n" in result.stderr.strip()


def test_an_interrupt_is_a_line_and_status_130(monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("bsbpool_sim.recorded.read_recording", interrupt)
    result = bsbpool("run", FOUR)
    assert (result.exit_code, result.stderr.strip()) == (130, "bsbpool: interrupted")


def test_a_program_that_calls_the_command_gets_the_errors():
    with pytest.raises(click.UsageError):
        main.main(["run"], prog_name="bsbpool", standalone_mode=False)
    assert isinstance(main, Commands)


def test_the_library_is_not_slowed_down_by_the_simulator():
    code = "import bsbpool.cli, bsbpool.cli.run, sys; print([m for m in sys.modules if m.startswith('bsbpool_sim')])"
    assert python("-c", code).stdout == "[]\n"


def python(*args, **env):
    path = os.pathsep.join([str(ROOT), str(ROOT / "sim")])
    return subprocess.run(
        [sys.executable, *args],
        capture_output=True,
        encoding="utf-8",
        env={"PYTHONPATH": path, "COLUMNS": "80", **env},
        check=False,
    )


MAIN = "from bsbpool.cli import main; main(prog_name='bsbpool')"


def test_in_a_process_of_its_own():
    result = python("-c", MAIN, "run", FAILING, PYTHONUTF8="1")
    assert result.returncode == 1
    assert result.stderr.startswith("bsbpool: a pool failed: ")
    assert result.stdout == bsbpool("run", FAILING, columns=80).stdout
    assert "\x1b" not in result.stdout


def test_into_a_file_that_takes_ascii_only():
    result = python("-c", MAIN, "run", FOUR, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert result.returncode == 0, result.stderr
    assert result.stdout.isascii()
    assert "rank 1 |" in result.stdout


@pytest.mark.parametrize("command", ["simulate", "explore"])
def test_an_interrupt_where_no_rank_runs_names_no_line(command, monkeypatch, tmp_path):
    (tmp_path / "program.py").write_text("from mpi4py import MPI\n")
    within_click: dict = {"__name__": click.core.__name__, "__file__": click.core.__file__}
    exec(compile("def interrupt(*args, **kwargs): raise KeyboardInterrupt", click.core.__file__, "exec"), within_click)
    # What imports this one by its name is imported before, or would keep what stands for it here.
    importlib.import_module("bsbpool_sim.exploring.whole_programs")
    name = "program.program_run.run_program" if command == "simulate" else "exploring.whole_programs.explore_program"
    monkeypatch.setattr(f"bsbpool_sim.{name}", within_click["interrupt"])
    result = bsbpool(command, "-n", "2", str(tmp_path / "program.py"))
    assert (result.exit_code, result.stderr.strip()) == (130, "bsbpool: interrupted")
