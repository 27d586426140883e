"""The benchmarks: ``python tests/benchmarks [simulated] [mpi] [import] [page]``. Prints tables; asserts nothing.

What is measured, and what will not carry over to another machine, is said in docs/benchmarks.md. Each module
here is one subject; what they share is in `measure`.
"""

from __future__ import annotations

import importlib

import click
from measure import console, machine

#: Subjects, each with the module that measures it, in the order in which they run.
SUBJECTS = {"import": "importing", "simulated": "simulated", "mpi": "ranks", "page": "page"}


@click.command()
@click.argument("subjects", nargs=-1, type=click.Choice(list(SUBJECTS)))
@click.option("--repetitions", type=click.IntRange(min=1), default=5, show_default=True, help="Runs of each pair.")
def main(subjects: tuple[str, ...], repetitions: int) -> None:
    """Measure the pool against the least that would do its work. Without SUBJECTS: all of them."""
    console.print(machine())
    for subject, module in SUBJECTS.items():
        if subject in (subjects or SUBJECTS):
            console.print()
            importlib.import_module(module).show(repetitions)


main(prog_name="python tests/benchmarks")
