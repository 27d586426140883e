"""Runs files of mpi4py's test suite on simulated ranks, a simulation for each file: a process of `suite_worlds`.

    suite_simulating.py RANKS FOLDER_OF_TESTS WORK FILE [FILE…]

In the folder WORK, ``FILE.skipped`` names the tests that are not to be run, ranks write ``FILE.RANK``, and
``FILE.ended`` says why the simulation ended early; it is empty if it did not.
"""

from __future__ import annotations

import sys
from pathlib import Path

from suite_worlds import ON_A_RANK

from bsbpool_sim.program.program_run import Program, run_program


def main(ranks: str, folder: str, work: str, *names: str) -> None:
    for name in names:
        prefix = Path(work) / name
        program = Program(str(ON_A_RANK), arguments=(folder, str(prefix), f"{prefix}.skipped", name))
        try:
            ended = run_program(program, int(ranks))
            why = "" if ended.stopped is None else f"{type(ended.stopped).__name__}: {ended.stopped}"
            why = why or "; ".join(repr(error) for error in ended.raised.values())
        except Exception as error:
            why = repr(error)
        Path(f"{prefix}.ended").write_text(" ".join(why.split())[:600])


if __name__ == "__main__":
    main(*sys.argv[1:])
