"""Where the options of commands end that run a program: in front of it."""

import pytest
from click.testing import CliRunner

from bsbpool.cli import main


@pytest.mark.parametrize(
    ("arguments", "option", "what"),
    [
        ("simulate program.py -n 2", "-n", "program.py"),
        ("simulate --seed 3 program.py --its own -n 2", "-n", "program.py"),
        ("simulate -m module -n 2", "-n", "-m module"),
        ("simulate -c pass -n=2", "-n", "-c pass"),
        ("explore program.py -n 4", "-n", "program.py"),
        ("explore scenario.yaml --for 5s", "--for", "scenario.yaml"),
        ("explore scenarios --faults=2", "--faults", "scenarios"),
    ],
)
def test_an_option_behind_the_program_is_named_where_it_is_missing(arguments, option, what):
    run = CliRunner().invoke(main, arguments.split(), prog_name="bsbpool")
    assert run.exit_code == 2
    said = f"bsbpool: {option} stands behind {what!r}: options of bsbpool come before what is to run (see: bsbpool "
    assert run.stderr == f"{said}{arguments.split()[0]} --help)\n"


@pytest.mark.parametrize("arguments", ["simulate program.py --seed 3", "simulate program.py --own", "simulate"])
def test_options_of_the_program_are_not_taken_for_what_is_missing(arguments):
    run = CliRunner().invoke(main, arguments.split(), prog_name="bsbpool")
    assert (run.exit_code, run.stderr) == (2, "bsbpool: Missing option '-n'. (see: bsbpool simulate --help)\n")


@pytest.mark.parametrize("arguments", ["explore program.py", "explore program.py --its own"])
def test_without_an_option_behind_it_the_number_of_ranks_is_asked_for(arguments):
    run = CliRunner().invoke(main, arguments.split(), prog_name="bsbpool")
    assert run.exit_code == 2
    assert run.stderr.startswith("bsbpool: say on how many simulated ranks: -n 4; or name scenarios")
