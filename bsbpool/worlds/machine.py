"""Examines the environment of a process for `bsbpool doctor`: its MPI, thread level, cores and folders.

This file collects the facts of one rank; what they mean, and what to do, belongs to `cli/doctor.py`.
"""

from __future__ import annotations

import ctypes
import importlib
import math
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .launcher import IGNORE, launcher

#: Variables in which launchers set the rank of a process and the number of ranks.
RANK_AND_SIZE = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
)

THREAD_LEVELS = ("MPI_THREAD_SINGLE", "MPI_THREAD_FUNNELED", "MPI_THREAD_SERIALIZED", "MPI_THREAD_MULTIPLE")

#: The key of the attribute of COMM_WORLD in which Open MPI 5 says whether it can lose ranks (MPI_FT in its mpi.h).
_OPENMPI_FT = 12


@dataclass(frozen=True)
class MPIFacts:
    """The MPI of a process.

    :ivar mpi4py: its version; None if there is none.
    :ivar problem: why mpi4py can't be used, though it is there.
    :ivar foreign: whether the launcher is that of another MPI than mpi4py's; MPI is not initialised then.
    :ivar library: name and version, such as ``MPICH 5.0.2``.
    :ivar standard: the version of the MPI standard that it follows.
    :ivar threads: the thread level, one of `THREAD_LEVELS`.
    :ivar survives: whether it can lose ranks: True, False if that is not switched on, None if it is not built in.
    :ivar finalizes: whether Python calls ``MPI_Finalize`` when it ends.
    :ivar launcher: what started the process, if an MPI launcher did.
    :ivar told: the rank and the number of ranks that the launcher set; None if it set none.
    :ivar ignored: whether the environment says that each process is on its own.
    :ivar mpirun: the path of the launcher that is installed beside this Python; None if none is.
    :ivar comm: COMM_WORLD; None without MPI.
    """

    mpi4py: str | None = None
    problem: str | None = None
    foreign: bool = False
    library: str = ""
    standard: str = ""
    threads: str = ""
    survives: bool | None = None
    finalizes: bool = False
    launcher: str | None = None
    told: tuple[int, int] | None = None
    ignored: bool = False
    mpirun: str | None = None
    comm: Any = None


@dataclass(frozen=True)
class RankFacts:
    """Where one rank runs.

    :ivar host: the name of its host.
    :ivar cores: the numbers of the cores that it may use.
    :ivar quota: the processor time that its container may use, in cores; infinite without a limit.
    :ivar versions: versions that must be equal on all ranks, so that calls and results can be unpickled.
    :ivar folder: the folder in which its pools would store large results.
    :ivar refused: the folder that TMPDIR names, if it can't be used; then `folder` is another one.
    :ivar room: bytes that are free there.
    :ivar in_memory: whether that folder is in memory.
    :ivar folder_problem: why nothing can be written there; None if it can.
    """

    host: str
    cores: frozenset[int]
    quota: float
    versions: Mapping[str, str]
    folder: str
    refused: str | None
    room: int
    in_memory: bool
    folder_problem: str | None


def find_mpi(environ: Mapping[str, str] = os.environ) -> MPIFacts:
    """Examine the MPI of this process; it is initialised if it was not."""
    started: dict[str, Any] = {
        "launcher": launcher(environ),
        "ignored": IGNORE in environ,
        "mpirun": shutil.which("mpirun", path=os.path.dirname(sys.executable)),
    }
    for rank, size in RANK_AND_SIZE:
        if environ.get(rank, "").isdigit() and environ.get(size, "").isdigit():
            started["told"] = (int(environ[rank]), int(environ[size]))
            break
    try:
        started["mpi4py"] = str(importlib.import_module("mpi4py").__version__)
    except ImportError:
        return MPIFacts(**started)
    if "OMPI_COMM_WORLD_SIZE" in environ and (library := _library()).startswith("MPICH"):
        # It would end this process while it is initialised, before a message is printed.
        return MPIFacts(library=library, foreign=True, **started)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # that the launcher is another's: the doctor says it better
            from mpi4py import MPI, rc
    except Exception as error:  # an ImportError where it was built for an MPI that is gone, a RuntimeError without any
        return MPIFacts(problem=f"{type(error).__name__}: {error}", **started)
    levels = (MPI.THREAD_SINGLE, MPI.THREAD_FUNNELED, MPI.THREAD_SERIALIZED, MPI.THREAD_MULTIPLE)
    return MPIFacts(
        library=_vendor(MPI),
        standard=".".join(map(str, MPI.Get_version())),
        threads=THREAD_LEVELS[levels.index(MPI.Query_thread())],
        survives=survives(MPI),
        finalizes=rc.finalize is not False,  # by now it has also what the environment says
        foreign="told" in started and started["told"][1] != MPI.COMM_WORLD.Get_size(),
        comm=MPI.COMM_WORLD,
        **started,
    )


def _vendor(MPI: Any) -> str:
    name, version = MPI.get_vendor()
    return f"{name} {'.'.join(map(str, version))}"


def _library() -> str:
    """Return the name and version of mpi4py's MPI, found by another process: this one must not initialise it."""
    look = (
        "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; "
        "from bsbpool.worlds.machine import _vendor; print(_vendor(MPI))"
    )
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", look], capture_output=True, text=True, check=False)
    return run.stdout.strip()


def survives(MPI: Any) -> bool | None:
    """Whether MPI survives lost ranks, as Open MPI tells. None: it was built without that."""
    name, version = MPI.get_vendor()
    if name != "Open MPI" or version < (5,):
        return None
    try:
        address = MPI.COMM_WORLD.Get_attr(_OPENMPI_FT)
    except MPI.Exception:
        return None
    return bool(ctypes.c_int.from_address(address).value) if address else None


def examine(versions: Mapping[str, str]) -> RankFacts:
    """Examine the environment of this rank.

    :param versions: the versions of this library and of the packages that it pickles with.
    """
    folder, problem, room = "", None, 0
    asked = os.environ.get("TMPDIR")
    try:
        folder = tempfile.gettempdir()
        room = shutil.disk_usage(folder).free
        own = tempfile.mkdtemp(prefix="bsbpool-")
        try:
            (Path(own) / "result").write_bytes(bytes(1_000_000))
        finally:
            shutil.rmtree(own, ignore_errors=True)
    except OSError as error:
        problem = f"{type(error).__name__}: {error}"
    return RankFacts(
        host=socket.gethostname(),
        cores=frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset(_all_cores()),
        quota=cpu_quota(),
        versions={"Python": platform.python_version(), **versions},
        folder=folder,
        refused=asked if asked and folder != os.path.abspath(asked) else None,
        room=room,
        in_memory=is_in_memory(folder),
        folder_problem=problem,
    )


def _all_cores() -> range:
    return range(os.cpu_count() or 1)


def cpu_quota(path: str = "/sys/fs/cgroup/cpu.max") -> float:
    """The processor time that this container may use, in cores; infinite without a limit.

    :param path: the control file of the control group.
    """
    try:
        limit, period = Path(path).read_text().split()
        return int(limit) / int(period)
    except (OSError, ValueError):
        return math.inf


def is_in_memory(folder: str, mounts: str = "/proc/mounts") -> bool:
    """Whether a folder is in a file system that lives in memory.

    :param folder: its path.
    :param mounts: the file that lists the mounted file systems.
    """
    kinds: dict[str, str] = {}
    try:
        for line in Path(mounts).read_text(errors="replace").splitlines():
            _, mounted, kind, *_ = line.split(" ")
            kinds[mounted] = kind
    except (OSError, ValueError):
        return False
    path = Path(folder).resolve()
    kind = next((kinds[str(each)] for each in (path, *path.parents) if str(each) in kinds), "")
    return kind in ("tmpfs", "ramfs")
