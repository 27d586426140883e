"""Programs for mpi4py print the same on real ranks and on simulated ones, unchanged."""

from pathlib import Path

import pytest
from launching import MPIRUN, needs_mpich, run

PROGRAMS = Path(__file__).with_name("programs")


@needs_mpich
@pytest.mark.parametrize(
    "program",
    [
        ["heat.py", "64", "200"],
        ["bodies.py", "--steps", "3"],
        ["sample_sort.py", "50"],
        ["-m", "sweep"],
        ["whole_numbers.py"],
        *(["error_handlers.py", asked] for asked in ("exception", "default", "abort", "fatal")),
    ],
    ids=lambda program: program[-1] if program[0] == "-m" else " ".join(program),
)
def test_a_program_does_the_same_in_both_worlds(program):
    real = run(MPIRUN, "-n", 4, program=program, cwd=PROGRAMS)
    simulated = run(program=["-m", "bsbpool_sim", "-n", "4", *program], cwd=PROGRAMS)
    assert simulated[:2] == real[:2]
    assert real[1]
