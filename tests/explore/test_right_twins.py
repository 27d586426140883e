"""The right twins of faulty programs are right: under real MPI and on simulated ranks they end, and print the same."""

import json
from pathlib import Path

import pytest
from launching import MPIRUN, needs_mpich, run
from variants import PAIRS

from bsbpool_sim.program.beginning import Program
from bsbpool_sim.program.program_run import run_program


def test_there_are_six_or_more_of_each_category():
    categories = [pair.name.partition("/")[0] for pair in PAIRS]
    assert len(PAIRS) >= 60 and min(map(categories.count, categories)) >= 6 and len(set(categories)) == 11


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_each_says_what_is_to_be_found(pair):
    assert pair.expected and pair.faulty != pair.right
    compile(pair.faulty, pair.name, "exec")


@pytest.fixture(scope="module")
def under_mpich():
    said = {}
    for ranks in sorted({pair.ranks for pair in PAIRS}):
        status, out, complaints = run(MPIRUN, "-n", ranks, program=[Path(__file__).with_name("right_twins.py")])
        assert status == 0, complaints
        said |= json.loads(out.splitlines()[-1])
    return said


@needs_mpich
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_the_right_twin_says_the_same_under_mpich_and_on_simulated_ranks(pair, under_mpich, tmp_path, capfd):
    program = tmp_path / "program.py"
    program.write_text(pair.right)
    ended = run_program(Program(str(program)), pair.ranks)
    assert ended.status == 0, (ended.stopped, ended.raised)
    here = capfd.readouterr().out
    assert sorted(here.splitlines()) == sorted("".join(under_mpich[pair.name]).splitlines())
