"""Runs the cases in a world: on a simulated rank, or on one of MPICH, which may end the process or never return.

python worlds.py START NAMES…    prints the outcome of each case from the one of this number on
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from cases import Case, cases, run

from bsbpool_sim import DeadlockError, simulate

#: Seconds of processor time that a case may take under MPICH, which spins while it waits.
MOST = 3
#: What becomes of a case that never returns; and of one that its process does not survive.
WAITS, ENDS = "waits", "ends the process"


def simulated(chosen: Sequence[Case]) -> dict[Case, str]:
    """The outcomes on a simulated rank."""
    found: dict[Case, str] = {}
    left = [*chosen]
    with tempfile.TemporaryDirectory() as folder:

        def program(comm: object) -> None:
            from mpi4py import MPI

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for case in left:
                    found[case] = WAITS
                    found[case] = run(case, MPI, folder)

        while left:
            with contextlib.suppress(DeadlockError):
                simulate(program, 1)
            stuck = next((place for place, case in enumerate(left) if found[case] == WAITS), len(left))
            left = left[stuck + 1 :]
    return found


def under_mpich(chosen: Sequence[Case]) -> dict[Case, str]:
    """The outcomes on a rank of MPICH, in as many processes as it takes."""
    every, names = [*cases()], sorted({case.method.full for case in chosen})
    found: dict[Case, str] = {}
    start = 0
    while start < len(every):
        command = [sys.executable, "-B", __file__, str(start), *names]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        begun, done = start, 0
        for line in process.stdout:
            number, _, outcome = line.rstrip("\n").partition(" ")
            begun = int(number)
            if outcome:
                found[every[begun]] = outcome
                done += 1
        status = process.wait()
        if not status:
            break
        start = begun
        if not done:
            # It was the first of its process: nothing before it is to blame.
            found[every[begun]] = WAITS if status == -signal.SIGPROF else ENDS
            start = begun + 1
    return found


def main() -> None:
    """Run the cases of some methods under MPICH."""
    start, names = int(sys.argv[1]), {*sys.argv[2:]}
    from mpi4py import MPI

    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases()):
            if number < start or case.method.full not in names:
                continue
            print(number, file=out, flush=True)
            signal.setitimer(signal.ITIMER_PROF, MOST)
            outcome = run(case, MPI, folder)
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(number, outcome, file=out, flush=True)
    out.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
