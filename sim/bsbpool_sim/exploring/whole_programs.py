"""Explores a whole program: its script, module or code is run once for each schedule, without output."""

from __future__ import annotations

import io
import os
import sys
import zlib
from collections.abc import Callable, Collection, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Any

from ..choices import Strategy
from ..cluster import RunScript
from ..errors import AbortError, DeadlockError, HorizonError
from ..program.beginning import Program
from ..program.program_run import run_program
from ..simulation import Simulation
from ..tape import Tape
from .alike import ranks_alike
from .exploration import CHECKS, MAX_EVENTS, Exploration, explore_runs, of_one_run
from .schedules import ProgramRunner, Schedule, ScriptWithStrategy


class _Nowhere(io.BufferedWriter):
    """Where what is printed goes.

    :ivar said: a digest of it.
    """

    def __init__(self) -> None:
        super().__init__(io.FileIO(os.devnull, "w"))
        self.said = 0

    def write(self, data: Any, /) -> int:
        """Take bytes; a program may have closed the device, of which nothing but the number is used."""
        self.said = zlib.crc32(data, self.said)
        return memoryview(data).nbytes

    def close(self) -> None:
        """Close the device, unless the program has done so."""
        with suppress(OSError):
            super().close()


def _as(stream: Any, nowhere: _Nowhere) -> io.TextIOWrapper:
    """A stream to nowhere that takes what the real one would take."""
    encoding, errors = (getattr(stream, each, None) for each in ("encoding", "errors"))
    return io.TextIOWrapper(nowhere, encoding=encoding or "utf-8", errors=errors)


class WholeProgram(ProgramRunner[Program]):
    """Runs a script, module or code; its options are those of `run_program`."""

    def _schedule(
        self, script: ScriptWithStrategy, strategy: Strategy, tape: Tape | None, late: bool, eager_limit: int | None
    ) -> Schedule:
        out, err = _Nowhere(), _Nowhere()
        with (
            _as(sys.stdout, out) as stdout,
            _as(sys.stderr, err) as stderr,
            redirect_stdout(stdout),
            redirect_stderr(stderr),
        ):
            ended = run_program(
                self._program, self._ranks, script=script, policy=strategy, tape=tape,
                late_matching=late, eager_limit=eager_limit, **self._options,
            )  # fmt: skip
        stopped = ended.stopped
        if stopped is not None and not isinstance(stopped, DeadlockError | HorizonError | AbortError):
            raise stopped
        assert isinstance(ended.simulation, Simulation)
        statuses = {rank: status for rank, status in ended.statuses.items() if status and rank not in ended.raised}
        schedule = Schedule(ended.simulation, stopped, dict(ended.raised), ended.calls, statuses, ended.stuck)
        schedule.said, schedule.exits = out.said << 32 | err.said, ended.exits
        return schedule


def explore_program(
    program: Program, ranks: int, *, script: RunScript | None = None, seed: int = 0, max_events: int = MAX_EVENTS,
    own: tuple[str, ...] = (), share: tuple[str, ...] = (), strategy: str = "auto", seconds: float | None = 60.0,
    schedules: int | None = None, checks: Sequence[str] = CHECKS, faults: int = 0, hosts: int = 1,
    jobs: int = 1, begin: int = 0, buffering: bool = False, alike: Collection[int] = (),
    progress: Callable[[Exploration], None] | None = None,
) -> Exploration:  # fmt: skip
    """As `explore`, for a whole program.

    :param own: top-level modules that each rank loads for itself, wherever they are.
    :param share: top-level modules that all ranks share.
    :param hosts: on how many simulated hosts the ranks are, in blocks.
    :raises ProgramError: there is no such program.
    """
    options = {"seed": seed, "max_events": max_events, "own": own, "share": share, "checks": of_one_run(checks),
               "faults": faults, "hosts": hosts}  # fmt: skip
    run = WholeProgram(program, ranks, script, options)
    return explore_runs(
        run, strategy=strategy, seconds=seconds, schedules=schedules, seed=seed,
        may_fail=script is not None or faults > 0, checks=checks, progress=progress, jobs=jobs, begin=begin,
        buffering=buffering, alike=ranks_alike(alike, ranks),
    )  # fmt: skip
