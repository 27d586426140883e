"""Runs a whole program on simulated ranks: a script, module or code, on each rank as Python would run it alone.

The report on the terminal belongs in the command, `bsbpool.cli.simulate`.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
import types
from collections.abc import Collection, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from greenlet import GreenletExit, getcurrent

from bsbpool.values import add_note
from bsbpool.worlds.memory import memory_available, memory_taken
from bsbpool.worlds.uncaught import uncaught_text

from ..cluster import Cluster, RunScript
from ..errors import CannotSimulateError, RankErrors, SimulationError, Stuck
from ..hosts import Hosts
from ..kernel import Kernel, Rank, Task
from ..mpi import initialization
from ..places import is_ctrl_c, raised_by
from ..python.finalizers import finalizers_of_ranks, free_variables
from ..python.logs import logging_of_ranks
from ..python.module_ownership import Ownership, replaces_pool
from ..python.modules import Finder, Modules
from ..python.process import PROCESS, Common, Process, environment, processes, write_complaint
from ..python.threads import leave_threads, wait_for_threads
from ..python.warning_settings import own_warnings, warnings_of_ranks
from ..simulation import Simulation, simulate
from ..virtual import OWNS
from . import package
from .beginning import Program, prepared, variables_of_main
from .launcher_variables import as_launched
from .output import OutputClosedError, RankStream, SharedStream

#: Numbers of ranks that have started, after which it is seen what they take.
_LOOK_AT = frozenset(1 << n for n in range(4, 20))
_SIMULATOR = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")


class TooManyRanksError(SimulationError):
    """The ranks need more memory than there is."""


@dataclass
class Ended:
    """How a program ended.

    :ivar simulation: what came of the simulation; None if there is nothing to say of it.
    :ivar statuses: the exit status of each rank whose program ended.
    :ivar raised: each rank's uncaught exception; its traceback has been printed.
    :ivar exits: each rank's ``sys.exit(…)``.
    :ivar stopped: why the simulation ended early: a deadlock, an abort, a horizon; None if it did not.
    :ivar calls: the function of MPI that raised it; "" if none did.
    :ivar stuck: where ranks wait for ever after others have raised.
    :ivar notes: what else is known of why.
    """

    simulation: Simulation | None = None
    statuses: dict[int, int] = field(default_factory=dict)
    raised: dict[int, BaseException] = field(default_factory=dict)
    exits: dict[int, SystemExit] = field(default_factory=dict)
    stopped: SimulationError | None = None
    calls: dict[int, str] = field(default_factory=dict)
    stuck: tuple[Stuck, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status: that of the lowest rank that ended with one other than 0; of an abort its own."""
        code = getattr(self.stopped, "errorcode", None)
        if code is not None:
            return int(code) & 0xFF or 1
        others = [self.statuses[rank] for rank in sorted(self.statuses) if self.statuses[rank]]
        return others[0] if others else int(self.stopped is not None)


def run_program(
    program: Program,
    ranks: int,
    *,
    label: bool = False,
    own: Collection[str] = (),
    share: Collection[str] = (),
    script: RunScript | None = None,
    **options: Any,
) -> Ended:
    """Run a program on simulated ranks, each with modules, streams and settings of its own.

    :param label: whether each line of output begins with its rank.
    :param own: top-level modules that each rank loads for itself, wherever they are.
    :param share: top-level modules that all ranks share.
    :param script: what befalls the ranks, as for `simulate`.
    :param options: further ones of `simulate`.
    :raises ProgramError: there is no such program.
    """
    ended = Ended()
    with _Ranks(program, ranks, label, own, share, script, ended) as running:
        try:
            ended.simulation = simulate(running.run, ranks, script=running, **options)
        except RankErrors as errors:
            ended.simulation, ended.stuck = errors.simulation, errors.stuck
            ended.notes += getattr(errors, "__notes__", ())
            if not ended.raised:  # e.g. an error of the simulator's own before the program began
                raise
        except SimulationError as error:
            ended.simulation, ended.stopped = error.simulation, error
        finally:
            running.finish()
    return ended


class _Ranks:
    """A program on its ranks, and the script of the simulation, which prepares the cluster before programs start."""

    def __init__(
        self,
        program: Program,
        ranks: int,
        label: bool,
        own: Collection[str],
        share: Collection[str],
        script: RunScript | None,
        ended: Ended,
    ):
        self._program = program
        self._size = ranks
        self._script = script
        self._ended = ended
        self._label = label
        self._main, self._first = prepared(program)
        named = [*own, program.name.partition(".")[0]] if program.kind == "module" else [*own]
        if package.is_installed():
            named.append(package.PACKAGE)
        if replaces_pool(program.name, program.kind):
            named.append("bsbpool")
        self._ownership = Ownership([name for name in named if name not in sys.stdlib_module_names], share)
        self._common = Common(self._begin_to_move)
        self._undo = ExitStack()
        self._before = memory_taken()
        self._started = 0
        self._kernel: Kernel | None = None

    def __enter__(self) -> _Ranks:
        outputs: list[SharedStream] = []
        self._outputs = [SharedStream(sys.stdout, None, outputs), SharedStream(sys.stderr, True, outputs)]
        self._stdin, self._path = sys.stdin, sys.path[1:]
        self._environment = environment()
        if self._program.kind == "module" and self._program.name == "pytest":
            # One process has one pair of file descriptors; and plugins that happen to be installed are not asked for.
            options = self._environment.get(b"PYTEST_ADDOPTS", b"")
            self._environment[b"PYTEST_ADDOPTS"] = b"--capture=sys " + options
            self._environment.setdefault(b"PYTEST_DISABLE_PLUGIN_AUTOLOAD", b"1")
        self._folder = os.getcwd()
        self._of_mpi4py = _parts_of_mpi4py()
        self._modules = Modules(self._ownership, self._first or self._folder)
        self._undo.enter_context(processes(self._common))
        self._undo.callback(finalizers_of_ranks())
        self._undo.enter_context(logging_of_ranks())
        self._undo.enter_context(warnings_of_ranks())
        self._undo.callback(self._modules.leave)
        return self

    def __exit__(self, *exc: object) -> None:
        self._undo.close()
        for name in _parts_of_mpi4py() - self._of_mpi4py:  # what stood for it while ranks ran is over
            del sys.modules[name]

    # -- for simulate ------------------------------------------------------------------------------

    def install(self, cluster: Cluster) -> None:
        """Prepare the ranks, before their programs start."""
        if self._script is not None:
            self._script.install(cluster)
        self._kernel = cluster.kernel
        self._modules.begin(len(cluster.kernel.ranks))
        cluster.kernel.on_turn, cluster.kernel.on_close = self._modules.enter, self._close
        self._finder = _Finder(self._modules)

    def check(self, cluster: Cluster) -> None:
        """Called after the run."""
        if self._script is not None:
            self._script.check(cluster)

    def _move(self, rank: Rank) -> None:
        """Once a rank has changed its working directory, it is changed with the rank."""
        process: Process | None = rank.kept.get(PROCESS)
        os.chdir(self._folder if process is None else process.folder)

    def _begin_to_move(self) -> None:
        self._modules.on_switch = self._move

    def _close(self, rank: Rank) -> None:
        self._modules.enter(rank)
        self._mute(rank)

    def _mute(self, rank: Rank) -> None:
        """A rank that is ended from outside prints nothing more, whatever its `finally` blocks do."""
        process: Process | None = rank.kept.get(PROCESS)
        if process is not None and not process.muted:
            process.muted = True
            self._finish(process)

    # -- on a rank ---------------------------------------------------------------------------------

    def run(self, comm: Any) -> int:
        """Run the program on one rank."""
        task: Any = getcurrent()
        rank = task.rank.index
        observed = comm.cluster.observed  # asked now: a program may end MPI itself
        process = task.rank.kept[PROCESS] = self._process(rank, comm.cluster.hosts)
        task.rank.kept[OWNS] = process.owns
        own_warnings(task.rank)
        self._look_at_memory()
        sys.argv, sys.path = self._arguments()
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        main.__dict__.update(variables_of_main())
        raised: BaseException | None = None
        try:
            self._main(main)
        except SystemExit as stop:
            process.status, self._ended.exits[rank] = _status(stop), stop
        except (GreenletExit, OutputClosedError):
            raise
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            process.status, raised = self._tell(rank, error), error
        else:
            process.status = 0
            if observed is not None:
                observed.ended(rank, main.__dict__)
        if process.muted:
            raise GreenletExit
        wait_for_threads(task, raised)
        process.run_at_exit()
        leave_threads(task.rank)
        free_variables([main, *self._modules.loaded()])
        initialization.end()
        process.status = self._finish(process) or process.status
        self._ended.statuses[rank] = process.status
        if isinstance(raised, Exception):
            raise raised
        return process.status

    def _process(self, rank: int, hosts: Hosts) -> Process:
        label = f"[{rank}] " if self._label else ""
        out, err = (RankStream(output, label, rank) for output in self._outputs)
        of_sys = {
            "argv": [],
            "path": [],
            "orig_argv": [*sys.orig_argv],
            "meta_path": [self._finder, *sys.meta_path],
            "stdin": self._stdin if rank == 0 else io.TextIOWrapper(io.BytesIO()),
            "stdout": out,
            "stderr": err,
            "excepthook": _excepthook,
            "displayhook": sys.__displayhook__,
            "unraisablehook": sys.__unraisablehook__,
        }
        environment = as_launched(self._environment, rank, self._size, hosts)
        process = Process(self._common, self._owns, of_sys, environment, self._folder)
        process.streams = [out, err]
        return process

    def _owns(self, namespace: dict[str, Any]) -> bool:
        name = namespace.get("__name__")
        module = sys.modules.get(name) if isinstance(name, str) else None
        return module is not None and module.__dict__ is namespace and self._ownership.known(module.__name__) is True

    def _arguments(self) -> tuple[list[str], list[str]]:
        program = self._program
        argument = {"script": program.name, "module": "-m", "code": "-c"}[program.kind]
        return [argument, *program.arguments], [self._first, *self._path]

    def _tell(self, rank: int, error: BaseException) -> int:
        """Print what a rank raised as Python would, and keep it; returns the exit status."""
        self._ended.raised[rank] = error
        self._ended.calls[rank] = raised_by(error)
        trace = error.__traceback__ = _theirs(error.__traceback__)
        self._explain(rank, error)
        try:
            sys.excepthook(type(error), error, trace)
        except SystemExit as stop:
            return _status(stop)
        except Exception:  # it may be the program's own; Python prints what that raises, and goes on
            write_complaint(traceback.format_exc())
        return 128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1

    def _explain(self, rank: int, error: BaseException) -> None:
        """Say of a module that another rank could load that this one may not be loaded twice."""
        failed = None
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") != "__main__":
                failed = frame.f_globals.get("__name__")
        if not isinstance(failed, str) or self._ownership.known(failed) is not True:
            return
        other = self._modules.has_loaded(failed, rank)
        if other is not None:
            top = failed.partition(".")[0]
            add_note(
                error,
                f"rank {other} has loaded {failed}, and rank {rank} could not: if it can't be loaded twice in one "
                f"process, let all ranks share it: bsbpool simulate --share {top} …",
            )

    def _look_at_memory(self) -> None:
        """See, now and then, whether there is room for the ranks that have not started yet."""
        self._started += 1
        if self._started not in _LOOK_AT:
            return
        each = (memory_taken() - self._before) / self._started
        needed, free = each * (self._size - self._started), memory_available()
        if free is not None and needed > free:
            error = TooManyRanksError(
                f"{self._size} ranks of this program take about {(needed + each * self._started) / 1e9:.1f} GB "
                f"({each / 1e6:.1f} MB each), and {free / 1e9:.1f} GB are free: give -n "
                f"{max(1, self._started + int(0.8 * free / each))} or fewer, or let ranks share modules with --share"
            )
            assert self._kernel is not None
            self._kernel.fail(error)

    # -- the end -----------------------------------------------------------------------------------

    def _finish(self, process: Process) -> int:
        """Pass on what a rank has printed. Returns 0, or the status of Python where that can't be written."""
        for name in ("stdout", "stderr"):
            stream = process.sys[name]
            if stream not in process.streams:
                with suppress(Exception):  # it may be closed
                    stream.flush()
        written = [stream.finish() for stream in process.streams]
        for stream in process.streams:
            stream.lines.muted |= process.muted
        return 0 if all(written) else 120

    def finish(self) -> None:
        """Pass on what ranks began to print and did not finish."""
        for rank in self._kernel.ranks if self._kernel is not None else ():
            if rank.own_end is not None:
                self._ended.statuses[rank.index] = rank.own_end.status
            self._mute(rank)
        for output in self._outputs:
            output.end()


def _parts_of_mpi4py() -> set[str]:
    """The modules of mpi4py that are loaded."""
    alike = [name for name in sys.modules if name.startswith(package.PACKAGE)]
    return {name for name in alike if name.partition(".")[0] == package.PACKAGE}


class _Finder(Finder):
    """Also gives each rank the simulator's MPI."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        if name == package.MODULE and isinstance(getcurrent(), Task) and package.PACKAGE in sys.modules:
            return package.spec_of_mpi()
        if name == "bsbpool.bsb" and isinstance(getcurrent(), Task) and not self._modules.ownership.known(name):
            need = "each rank needs bsbpool to itself, which bsbpool.bsb fits to that rank's BSB"
            raise CannotSimulateError(f"{need}: bsbpool simulate --own bsbpool …")
        return super().find_spec(name, path, target)


def _status(stop: SystemExit) -> int:
    """The exit status that Python makes of ``sys.exit(…)``; a text is printed."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF if -(1 << 63) <= stop.code < 1 << 63 else 255  # what is no long of C is -1
    write_complaint(f"{stop.code}\n")
    return 1


def _excepthook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """As Python's own, in one piece."""
    task: Any = getcurrent()
    write_complaint(uncaught_text(kind, error, trace, task.rank.index))


def _theirs(trace: types.TracebackType | None) -> types.TracebackType | None:
    """A traceback without the simulator's frames."""
    kept = []
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(_SIMULATOR):
            kept.append(trace)
        trace = trace.tb_next
    for one, following in zip(kept, [*kept[1:], None], strict=True):
        one.tb_next = following
    return kept[0] if kept else None
