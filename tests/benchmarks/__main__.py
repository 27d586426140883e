"""The benchmarks: ``python tests/benchmarks [SUBJECT…]``. Prints tables; asserts nothing.

What is measured, and what will not carry over to another machine, is said in docs/performance.md. Each module
here is one subject; what they share is in `measure`.
"""

from __future__ import annotations

import importlib

import click
from measure import console, machine
from ranks import MEASURES

#: Subjects, each with the module that measures it, in the order in which they run.
SUBJECTS = {
    "import": "importing",
    "simulated": "simulated",
    "mpi": "mpi",
    "recording": "recording",
    "page": "page",
    "prediction": "prediction",
    "scenarios": "scenarios",
    "bsb": "reconstruction",
}


@click.command()
@click.argument("subjects", nargs=-1, type=click.Choice([*SUBJECTS, *MEASURES]))
@click.option("--repetitions", type=click.IntRange(min=1), default=5, show_default=True, help="Runs of each pair.")
def main(subjects: tuple[str, ...], repetitions: int) -> None:
    """Measure the pool against the least that would do its work. Without SUBJECTS: all of them.

    `mpi` is all that is measured on real ranks; each part of it can be run by its name.
    """
    console.print(machine())
    for subject, module in SUBJECTS.items():
        if subject in (subjects or SUBJECTS):
            console.print()
            importlib.import_module(module).show(repetitions)
    if parts := [measure for measure in MEASURES if measure in subjects and "mpi" not in subjects]:
        console.print()
        importlib.import_module("mpi").show(repetitions, parts)


main(prog_name="python tests/benchmarks")
