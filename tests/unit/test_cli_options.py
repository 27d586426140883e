"""Options that can't be used, alone or beside others, are refused by name before anything runs."""

import pathlib
import shlex

import pytest
from click.testing import CliRunner

from bsbpool.cli import main

ROOT = pathlib.Path(__file__).parents[2]
FILES = {
    "TRACE": ROOT / "docs/night/night.trace",
    "FARM": ROOT / "docs/programs/farm.py",
    "FOUR": ROOT / "scenarios/recordings/bsb_reconstruction_4_ranks.json",
    "SCENARIOS": ROOT / "scenarios/by-hand",
}


def refused(line):
    """What a command says that ends with 2."""
    words = [str(FILES.get(word, word)) for word in shlex.split(line)]
    run = CliRunner().invoke(main, words, prog_name="bsbpool")
    assert (run.exit_code, run.stdout) == (2, ""), run.output
    return run.stderr


# -- values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("simulate -n 4 --compute inf FARM", "'inf' is no factor: give a number from 0 to 1,000,000, such as 1 or 2.5"),
        ("simulate -n 4 --compute nan FARM", "'nan' is no factor"),
        ("simulate -n 4 --compute 1e308 FARM", "'1e308' is no factor"),
        ("simulate -n 4 --compute fast FARM", "'fast' is no factor"),
        ("simulate -n 4 --horizon 0s FARM", "'0s' is no time to do anything in: give one above 0, such as 10s"),
        ("explore -n 4 --for 0 FARM", "'0' is no time to do anything in"),
        ("explore --for 0s SCENARIOS", "'0s' is no time to do anything in"),
        ("explore -n 4 --alike 3-1 FARM", "'3-1' names no rank, since 1 is below 3: write 1-3"),
        ("explore -n 8 --alike 1,5-2 FARM", "'5-2' names no rank, since 2 is below 5: write 2-5"),
        ("explore -n 4 --alike 1-99999999999 FARM", "'1-99999999999' names no ranks; 1-3 does, or 1,2,5"),
        ("replay TRACE --kill ²@1s", "'²@1s' says not who dies when: give a rank and a time, such as 3@12s"),
    ],
)
def test_a_value_is_refused_with_what_would_be_right(line, said):
    assert said in refused(line)


# -- options that hide each other ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("replay TRACE --to-scenario a.yaml --ranks 8", "--to-scenario and --ranks don't go together"),
        ("replay TRACE --to-scenario a.yaml --kill 1@100ms", "--to-scenario and --kill don't go together"),
        ("replay TRACE --to-scenario a.yaml --fail granule", "--to-scenario and --fail don't go together"),
        ("replay TRACE --to-scenario a.yaml --speed 2", "--to-scenario and --speed don't go together"),
        ("replay TRACE --to-scenario a.yaml --jobs real --trust", "--to-scenario and --jobs real don't go together"),
        ("replay TRACE --job 74 --trust --to-scenario a.yaml", "--job and --to-scenario don't go together"),
        ("replay TRACE --job 74 --trust --jobs real", "--job and --jobs real don't go together"),
        ("replay TRACE --job 74 --trust --ranks 2", "--job and --ranks don't go together"),
        ("replay TRACE --jobs real --trust --speed 2", "--jobs real and --speed don't go together"),
        ("replay TRACE --kill 1@1s --kill 1@2s", "--kill is given twice for rank 1: give it once"),
        ("replay TRACE --speed 2 --speed 4", "--speed is given twice for all ranks: give it once"),
        ("run SCENARIOS --faults 3", "--faults is about a tape, which chooses them: give the --tape too"),
        ("run FOUR --faults 3", "--faults is for scenarios"),
        ("run FOUR --tape v1:", "--tape is for scenarios"),
        ("run SCENARIOS --keep-going", "--keep-going is for recorded runs"),
        ("simulate -n 4 --faults 2 FARM", "--faults is about a tape, which chooses them"),
        ("explore -n 4 --buffering --faults 1 FARM", "--buffering and --faults don't go together"),
        ("explore -n 4 --buffering --no-check buffering FARM", "--buffering and --no-check buffering contradict"),
        ("explore --seed 0 SCENARIOS", "--seed is for programs"),
        ("explore --own x SCENARIOS", "--own is for programs"),
        ("explore --share x SCENARIOS", "--share is for programs"),
        ("explore --max-events 5 SCENARIOS", "--max-events is for programs"),
        ("explore --buffering SCENARIOS", "--buffering is for programs"),
        ("explore --no-check buffering SCENARIOS", "--no-check is for programs"),
    ],
)
def test_an_option_that_another_one_would_hide_is_refused(line, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in refused(line)
    assert not list(tmp_path.iterdir())


def test_several_changes_of_a_replay_go_together():
    run = CliRunner().invoke(main, ["replay", str(FILES["TRACE"]), "--ranks", "8", "--speed", "2", "--speed", "1:3"])
    assert "What if there were 8 ranks, and all ranks were 2 times as fast, and rank 1" in run.stdout


def test_a_finding_of_an_exploration_with_a_seed_is_shown_again(tmp_path):
    found = CliRunner().invoke(main, ["explore", "-n", "4", "--seed", "3", "--schedules", "5", str(FILES["FARM"])])
    (again,) = [line.split("Again: bsbpool ")[1] for line in found.stdout.splitlines() if "Again: " in line]
    assert "--late-matching" in again and "--seed 3" in again
    run = CliRunner().invoke(main, shlex.split(again), prog_name="bsbpool")
    assert run.exit_code == 1
    assert "the urgent one came late" in run.stderr
