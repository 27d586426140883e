"""The benchmarks: ``python tests/benchmarks [SUBJECT…]``. Prints tables; asserts nothing. ``--save`` keeps the ratios.

What is measured, and what will not carry over to another machine, is said in docs/performance.md. Each module
here is one subject; what they share is in `measure`.
"""

from __future__ import annotations

import importlib

import click
from history import FILE, append, entry
from measure import console, machine, ratios
from ranks import MEASURES

import bsbpool

#: Subjects, each with the module that measures it, in the order in which they run.
SUBJECTS = {
    "import": "importing",
    "simulated": "simulated",
    "explore": "exploring",
    "mpi": "mpi",
    "recording": "recording",
    "page": "page",
    "million": "million",
    "prediction": "prediction",
    "scenarios": "scenarios",
    "bsb": "reconstruction",
}


@click.command()
@click.argument("subjects", nargs=-1, type=click.Choice([*SUBJECTS, *MEASURES]))
@click.option("--repetitions", type=click.IntRange(min=1), default=5, show_default=True, help="Runs of each pair.")
@click.option(
    "--save", is_flag=True, help=f"Append the ratios to {FILE.name}, which the site of the documentation draws."
)
def main(subjects: tuple[str, ...], repetitions: int, save: bool) -> None:
    """Measure the pool against the least that would do its work. Without SUBJECTS: all of them.

    `mpi` is all that is measured on real ranks; each part of it can be run by its name.
    """
    here = machine()
    console.print(here)
    for subject, module in SUBJECTS.items():
        if subject in (subjects or SUBJECTS):
            console.print()
            importlib.import_module(module).show(repetitions)
    if parts := [measure for measure in MEASURES if measure in subjects and "mpi" not in subjects]:
        console.print()
        importlib.import_module("mpi").show(repetitions, parts)
    if save:
        if not ratios:
            raise click.ClickException("no ratio was measured: nothing is saved")
        append(entry(ratios, here, bsbpool.__version__))
        console.print(f"\n{len(ratios)} ratios were added to {FILE}")


main(prog_name="python tests/benchmarks")
