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
    "SCENARIO": next((ROOT / "scenarios/by-hand").glob("*.yaml")),
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


# -- files and names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("show FOUR", "; this is a recorded run, or other data in JSON: bsbpool run {FOUR}"),
        ("show FARM", "; this is a program: bsbpool simulate -n 4 {FARM}, or bsbpool explore -n 4 {FARM}"),
        ("show -", "; to read the standard input, name /dev/stdin"),
        ("diff TRACE -", "; to read the standard input, name /dev/stdin"),
        ("replay FOUR", "bsbpool run {FOUR}"),
        ("run TRACE", "this is the trace of a run: bsbpool show {TRACE}, or bsbpool replay {TRACE}"),
        ("run FARM", "this is a program: bsbpool simulate -n 4 {FARM}"),
        ("run -", "to read the standard input, name /dev/stdin"),
        ("simulate -n 4 TRACE", "{TRACE} is no program: this is the trace of a run: bsbpool show {TRACE}"),
        ("explore -n 4 FOUR", "{FOUR} is no program: this is a recorded run, or other data in JSON"),
        ("explore -n 4 SCENARIO", "-n is for programs: {SCENARIO} is a scenario, which states the number of ranks"),
        ("simulate -n 4 SCENARIO", "{SCENARIO} is no program: this is a scenario: bsbpool run {SCENARIO}"),
        ("record TRACE", "{TRACE} is no program"),
    ],
)
def test_a_file_of_another_kind_is_answered_with_the_command_for_it(line, said):
    assert said.format(**FILES) in refused(line)


@pytest.mark.parametrize("line", ["simulate -n 4 ''", "explore -n 4 ''", "record ''"])
def test_an_empty_name_is_that_of_no_script(line):
    assert refused(line).startswith("bsbpool: the name of the script is empty: is a variable of the shell not set?")


@pytest.mark.parametrize(
    "line", ["show ''", "run ''", "show TRACE --html ''", "simulate -n 4 --trace '' FARM", "record -o '' FARM"]
)
def test_an_empty_name_is_that_of_no_file(line):
    assert "the name of the file is empty: is a variable of the shell not set?" in refused(line)


@pytest.mark.parametrize("name", [".x", "", "a..b"])
def test_a_module_without_a_name_is_none(name):
    assert f"{name!r} is no name of a module: -m takes one such as package.module" in refused(
        f"simulate -n 4 -m '{name}'"
    )
    assert f"--own {name!r}: this is no name of a module" in refused(f"explore -n 4 --own '{name}' FARM")


def test_a_module_is_not_both_shared_and_each_ranks_own():
    assert "numpy can't be both" in refused("simulate -n 4 --own numpy.random --share numpy FARM")


def test_a_module_that_is_nowhere_is_warned_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "program.py").write_text("import beside")
    for option in ("--own", "--share"):
        words = ["-n", "2", option, "numyp", option, "beside", option, "json", "program.py"]
        for command in ("simulate", "explore"):
            run = CliRunner().invoke(main, [command, *words], prog_name="bsbpool")
            said = f"bsbpool: warning: {option} numyp: no module numyp is beside the script or installed\n"
            assert (run.exit_code, run.stderr) == (0, said)


def test_a_folder_that_can_not_be_made_is_refused_before_anything_is_explored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "program.py").write_text("open('ran', 'w')")
    assert "nothing can be kept in file/x: Not a directory; name a folder that can be written to" in refused(
        "explore -n 2 --keep file/x program.py"
    )
    assert not (tmp_path / "ran").exists()
    assert "nothing can be kept in file/x: Not a directory" in refused("explore --keep file/x SCENARIO")


def test_the_advice_about_a_limit_names_the_option_and_the_command_has_it():
    run = CliRunner().invoke(main, ["explore", "-n", "4", "--max-events", "1", str(FILES["FARM"])], prog_name="bsbpool")
    assert "give --max-events more" in run.stdout
    assert "-n 4 --max-events 1 " in run.stdout


def test_an_empty_file_of_faults_is_told_what_it_lacks():
    assert "is empty: a file of faults has the key events, or slow" in refused("simulate -n 4 --script /dev/null FARM")


def test_a_trace_without_events_has_the_ranks_of_its_header(tmp_path):
    trace = tmp_path / "run.trace"
    trace.write_bytes(FILES["TRACE"].read_bytes().split(b"\n")[0] + b"\n")
    assert "0 events of 4 ranks" in CliRunner().invoke(main, ["show", str(trace)]).stdout
