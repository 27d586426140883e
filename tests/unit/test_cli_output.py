"""What commands print can be read: in narrow terminals, in pipes, in ASCII, and where streams are closed."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
from launching import hear_ctrl_c

from bsbpool.trace import read_trace
from bsbpool.worlds.terminal_width import environment_of_consoles
from bsbpool_sim.scenario import parse

ROOT = pathlib.Path(__file__).parents[2]
NIGHT, FARM = ROOT / "docs/night/night.trace", ROOT / "docs/programs/farm.py"
FOUR = ROOT / "scenarios/recordings/bsb_reconstruction_4_ranks.json"


def command(*arguments, end="", **environ):
    """Run a command in a shell; `end` closes or moves its streams. Returns its status, and what it printed."""
    line = [sys.executable, "-m", "bsbpool", *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | environ
    run = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {end}', "sh", *line], check=False, capture_output=True, env=environment
    )
    return run.returncode, run.stdout.decode(), run.stderr.decode()


# -- how much room there is ----------------------------------------------------------------------------


@pytest.mark.parametrize("columns", ["0", "-5", "abc", "", "²", "99999999999"])
def test_columns_that_are_no_number_count_as_not_set(columns):
    assert environment_of_consoles({"COLUMNS": columns, "TERM": "dumb"}) == {"TERM": "dumb"}


@pytest.mark.parametrize(("columns", "taken"), [("1", "40"), ("39", "40"), ("120", "120"), ("9999999", "10000")])
def test_columns_are_as_many_as_a_table_needs(columns, taken):
    assert environment_of_consoles({"COLUMNS": columns}) == {"COLUMNS": taken}


@pytest.mark.parametrize(
    "arguments", [["show", NIGHT], ["replay", NIGHT], ["diff", NIGHT, NIGHT], ["run", FOUR, "--ranks", "2,4"]]
)
def test_no_columns_is_as_if_that_was_not_said(arguments):
    status, out, err = command(*arguments, COLUMNS="0")
    assert (status, out, err) == command(*arguments)
    assert len(out.splitlines()) > 3


def test_in_a_pipe_no_name_is_cut_and_no_line_ends_in_blanks():
    out = command("show", NIGHT)[1].splitlines()
    assert "WorkflowError: JobErroredError: <FunctionJob 74 golgi_granule (chunk=(4, 2, 0))> failed" in "\n".join(out)
    assert [line for line in out if line != line.rstrip()] == []
    lanes = [line for line in out if line.startswith("rank 1 │")]
    assert lanes and max(map(len, lanes)) <= 100


# -- what can be shown ---------------------------------------------------------------------------------


def test_marks_can_be_told_from_each_other_in_ascii():
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    out = command("doctor", **ascii_only)[1]
    assert "?" not in out
    assert "+  cores" in out or "!  cores" in out
    assert "\n+ The same happened again" in command("replay", NIGHT, **ascii_only)[1]
    assert "\nX ZeroDivisionError" in command("show", NIGHT, **ascii_only)[1]


# -- streams that are closed ---------------------------------------------------------------------------

SCENARIOS = ROOT / "scenarios/by-hand"
EXPLORE = ["explore", "--schedules", "5", "-n", "4", FARM]


def test_without_a_standard_error_findings_are_reported():
    status, out, _ = command(*EXPLORE, end="2>&-")
    assert status == 1
    assert "the urgent one came late" in out


def test_without_a_standard_output_findings_are_told_by_the_status():
    assert command(*EXPLORE, end=">&-") == (1, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
@pytest.mark.parametrize(
    "arguments", [EXPLORE, ["explore", "--schedules", "1", SCENARIOS], ["show", NIGHT], ["doctor"]]
)
def test_what_can_not_be_written_is_told_in_a_line(arguments):
    said = "bsbpool: can't write the output: No space left on device\n"
    assert command(*arguments, end="> /dev/full") == (2, "", said)


def test_a_program_that_closes_the_standard_output_closes_not_that_of_the_command():
    program = "import os; from mpi4py import MPI; MPI.COMM_WORLD.rank or os.close(1); print(5)"
    status, out, err = command("explore", "-n", "2", "-c", program)
    assert (status, out, err) == (0, "complete: 1 schedule; no findings\n", "")
    status, _, err = command("simulate", "-n", "2", "-c", program)
    assert status != 0
    assert "bsbpool: rank 0 raised OSError" in err
    assert "bsbpool/cli" not in err


# -- while one waits -----------------------------------------------------------------------------------

SEEDS = """\
scenario: a job
ranks: 2
seeds: 0..9
jobs:
  - {name: a, takes: 1s}
expect:
  statuses: {a: success}
"""


def test_a_scenario_tells_how_many_of_its_seeds_have_run():
    told = []
    assert parse(SEEDS, "a.yaml").run(progress=lambda *counts: told.append(counts)).ok
    assert told == [(done, 10) for done in range(1, 11)]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no terminals")
def test_in_a_terminal_the_seeds_are_counted(tmp_path):
    (tmp_path / "a.yaml").write_text(SEEDS)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "bsbpool", "run", str(tmp_path / "a.yaml")]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert run.returncode == 0
    assert shown.startswith("\r\x1b[K1 of 10 seeds of ") and shown.endswith("\r\x1b[K")


def test_a_program_that_is_interrupted_leaves_the_trace_up_to_there(tmp_path):
    program = (
        "from mpi4py import MPI\ncomm = MPI.COMM_WORLD\nif comm.rank:\n    comm.send(1, 0)\nelse:\n    comm.recv()\n"
        "    print('begun', flush=True)\n    while True: pass"
    )
    command = [sys.executable, "-m", "bsbpool", "simulate", "-n", "2", "--trace", "run.trace", "-c", program]
    run = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c
    )
    assert run.stdout.readline() == "begun\n"
    run.send_signal(signal.SIGINT)
    more, err = run.communicate(timeout=60)
    assert (run.returncode, more) == (130, "")  # also where it was interrupted as it printed that
    assert "bsbpool: the trace up to there is in run.trace\n" in err
    trace = read_trace(tmp_path / "run.trace")
    assert trace.header["simulated"] is True
    assert [event.e for event in trace.events] != []
