"""Whether MPI is there, and whether a launcher started this process."""

import os
import subprocess
import sys

import pytest

from bsbpool.exceptions import DependencyError
from bsbpool.mpi import MPIModule
from bsbpool.worlds import find_comm_world
from bsbpool.worlds.launcher import IGNORE, LAUNCHERS, launcher, without_mpi4py

#: What is set for the ranks of each launcher, as far as it matters.
STARTED = [
    ("Open MPI", {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1"}),
    ("PRRTE", {"PRTE_LAUNCHED": "1"}),
    ("PMIx", {"PMIX_RANK": "0"}),
    ("MPICH", {"PMI_RANK": "0", "PMI_SIZE": "2"}),
    ("MPICH", {"MPI_LOCALNRANKS": "2"}),
    ("MVAPICH", {"MV2_COMM_WORLD_SIZE": "2"}),
    ("Intel MPI", {"I_MPI_HYDRA_INFO": "x"}),
    ("Microsoft MPI", {"MSMPI_LOCAL_ONLY": "1"}),
    ("PALS", {"PALS_RANKID": "0"}),
    ("aprun", {"ALPS_APP_PE": "0"}),
    ("Slurm", {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "0"}),
]

NOT_STARTED = [
    {},
    {"COMPILER": "gcc"},
    {"TEMPIMAGE": "x", "CMPI_HOME": "/opt", "mpi": "1"},
    {"OMPI_MCA_btl": "self", "MPICH_HOME": "/opt/mpich", "I_MPI_ROOT": "/opt/intel"},
    {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4"},
    {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},
    {"SLURM_STEP_NUM_TASKS": "4"},
]


@pytest.mark.parametrize(("name", "environ"), STARTED, ids=[f"{n}-{next(iter(e))}" for n, e in STARTED])
def test_a_launcher_is_known_by_what_it_sets(name, environ):
    assert name in launcher(environ)
    assert f"({next(iter(environ))} is set)" in launcher(environ)


def test_each_variable_of_the_table_has_a_test():
    assert set(LAUNCHERS) <= {variable for _, environ in STARTED for variable in environ}


@pytest.mark.parametrize("environ", NOT_STARTED, ids=lambda e: "-".join(e) or "nothing")
def test_no_launcher_is_seen_where_there_is_none(environ):
    assert launcher(environ) is None
    assert without_mpi4py(environ) is None


@pytest.mark.parametrize("part", ["Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE", "pip install bsbpool[mpi]", IGNORE])
def test_the_error_says_what_started_the_process_and_what_to_do(part):
    with pytest.raises(DependencyError) as caught:
        without_mpi4py({"OMPI_COMM_WORLD_SIZE": "4"})
    assert part in str(caught.value)


def test_each_process_may_be_told_to_run_on_its_own():
    assert without_mpi4py({"PMI_RANK": "0", "BSB_IGNORE_PARALLEL": "1"}) is None


def test_where_there_is_mpi_its_world_is_found():
    MPI = pytest.importorskip("mpi4py.MPI")
    assert find_comm_world({"PMI_RANK": "0"}) == MPI.COMM_WORLD


# -- in a process without mpi4py ---------------------------------------------------------------------

WAYS = {
    "find_comm_world": "from bsbpool.worlds import find_comm_world; print(find_comm_world())",
    "MPIModule": "from bsbpool.mpi import MPIModule; print(MPIModule('mpi4py.MPI').COMM_WORLD)",
    "MPIService": "from bsbpool import MPI; print(MPI.get_communicator())",
    "Owner": "from bsbpool import Owner; print(Owner()._comm.get_communicator())",
}


def without(code, **environ):
    """Run code in a new process that has no mpi4py; gives what it printed, or its last line of error."""
    clean = {k: v for k, v in os.environ.items() if k not in (*LAUNCHERS, IGNORE, "SLURM_PROCID")}
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['mpi4py'] = None\n{code}"],
        env={**clean, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environ},
        capture_output=True, text=True,
    )  # fmt: skip
    return (run.stdout if run.returncode == 0 else run.stderr).strip().splitlines()[-1]


@pytest.mark.parametrize("way", WAYS)
def test_without_mpi_and_launcher_there_is_no_communicator(way):
    assert without(WAYS[way]) == "None"


@pytest.mark.parametrize("way", WAYS)
def test_without_mpi_under_a_launcher_there_is_an_error(way):
    said = without(WAYS[way], PMI_RANK="0")
    assert said.startswith("bsbpool.exceptions.DependencyError: This process was started by MPICH's mpiexec")


@pytest.mark.parametrize("way", WAYS)
def test_without_mpi_under_a_launcher_that_is_ignored_there_is_no_communicator(way):
    assert without(WAYS[way], PMI_RANK="0", BSB_IGNORE_PARALLEL="1") == "None"


def test_a_pool_runs_without_mpi():
    code = (
        "from bsbpool import job_pool\n"
        "with job_pool(quiet=True) as pool:\n"
        "    job = pool.queue(lambda owner: 42)\n"
        "    print(pool.parallel, pool.execute(return_results=True)[job])"
    )
    assert without(code) == "False 42"


def test_the_module_stands_in_only_where_there_is_none():
    assert MPIModule("json").__name__ == "json"  # type: ignore[attr-defined]
    assert MPIModule("no_such_module_here")._mocked is True
