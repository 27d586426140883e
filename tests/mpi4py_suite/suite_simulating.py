"""Runs files of mpi4py's test suite on simulated ranks, a simulation for each file: a process of `suite_worlds`.

    suite_simulating.py RANKS CHECKS FOLDER_OF_TESTS WORK FILE [FILE…]

CHECKS is ``all`` or ``none``: what of MPI's rules is looked for, as by `bsbpool simulate --check`. In the folder WORK,
``FILE.skipped`` names the tests that are not to be run, ranks write ``FILE.RANK``, and ``FILE.ended`` says why the
simulation ended early; it is empty if it did not. ``FILE.found`` has what was found: kinds, places and words.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from suite_worlds import ON_A_RANK

from bsbpool_sim.checks.audit import KINDS
from bsbpool_sim.program.beginning import Program
from bsbpool_sim.program.program_run import run_program


def main(ranks: str, checks: str, folder: str, work: str, *names: str) -> None:
    for name in names:
        prefix = Path(work) / name
        program = Program(str(ON_A_RANK), arguments=(folder, str(prefix), f"{prefix}.skipped", name))
        try:
            ended = run_program(program, int(ranks), checks=KINDS if checks == "all" else ())
            found = () if ended.simulation is None else ended.simulation.violations
            told = [(each.kind, *each.place[1:4], f"{each.what}, and {each.right}") for each in found]
            Path(f"{prefix}.found").write_text(json.dumps(told))
            why = "" if ended.stopped is None else f"{type(ended.stopped).__name__}: {ended.stopped}"
            why = why or "; ".join(repr(error) for error in ended.raised.values())
        except Exception as error:
            why = repr(error)
        Path(f"{prefix}.ended").write_text(" ".join(why.split())[:600])


if __name__ == "__main__":
    main(*sys.argv[1:])
