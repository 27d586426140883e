"""The package mpi4py as ranks of a program have it: mpi4py's own, with the simulator's MPI in it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from launching import run

pytest.importorskip("mpi4py")


@pytest.fixture
def simulate(tmp_path):
    """Runs some lines on simulated ranks from the shell; returns the exit status, and what was printed."""

    def call(ranks, code, *arguments, module=None, start=("-m", "bsbpool_sim"), **environ):
        what = ["-m", module] if module else ["-c", code]
        return run(program=[*start, "-n", str(ranks), *what, *arguments], cwd=tmp_path, **environ)

    return call


def test_the_package_is_each_ranks_own_and_has_all_that_is_installed(simulate):
    status, out, err = simulate(
        2,
        "import mpi4py, os\n"
        "from mpi4py import MPI\n"
        "from mpi4py.util import dtlib, sync\n"
        "assert sync.MPI is dtlib.MPI is MPI and os.path.isdir(mpi4py.get_include())\n"
        "assert isinstance(mpi4py.get_config(), dict)\n"
        "mpi4py.of_rank = MPI.COMM_WORLD.rank\n"
        "MPI.COMM_WORLD.barrier()\n"
        "print(mpi4py.of_rank, mpi4py.__version__)\n",
    )
    version = __import__("mpi4py").__version__
    assert (status, sorted(out.splitlines()), err) == (0, [f"0 {version}", f"1 {version}"], "")


def test_what_mpi4py_builds_on_the_memory_of_windows_is_there_in_each_python(simulate):
    status, out, err = simulate(
        2,
        "from mpi4py import MPI\n"
        "from mpi4py.util import sync\n"
        "mutex, held = sync.Mutex(comm=MPI.COMM_WORLD), []\n"
        "with mutex: held.append(mutex.locked())\n"
        "held.append(mutex.locked())\n"
        "mutex.free()\n"
        "print(held)\n",
    )
    assert (status, out.splitlines(), err) == (0, ["[True, False]"] * 2, "")


def test_a_window_gives_its_memory_in_each_python(simulate):
    status, out, err = simulate(
        2,
        "import numpy\n"
        "from mpi4py import MPI\n"
        "class Mine(MPI.Win): pass\n"
        "comm = MPI.COMM_WORLD\n"
        "win = Mine.Allocate(16, 8, comm=comm)\n"
        "numbers = numpy.frombuffer(win, 'i8')\n"
        "win.Fence()\n"
        "win.Put(numpy.full(1, comm.rank + 7), 1 - comm.rank, 1)\n"
        "win.Fence()\n"
        "print(numbers.tolist(), memoryview(win).readonly, bytes(win)[8])\n"
        "del numbers\n"
        "win.Free()\n"
        "try:\n    memoryview(win)\nexcept (MPI.Exception, SystemError):\n    print('null')\n",
    )
    assert (status, sorted(out.splitlines())) == (0, ["[0, 7] False 7", "[0, 8] False 8", "null", "null"])
    assert "the window is WIN_NULL" in err or sys.version_info >= (3, 12)


def test_mpi_keeps_the_names_that_mean_the_same_on_each_rank(simulate):
    status, out, err = simulate(
        2,
        "from mpi4py import MPI\n"
        "MPI.DOUBLE, MPI.SUM, MPI.COMBINER_NAMED, MPI.COMM_WORLD, MPI.COMM_SELF, MPI.pickle\n"
        "print(*[name in vars(MPI) for name in 'DOUBLE SUM COMBINER_NAMED COMM_WORLD COMM_SELF pickle'.split()])\n",
    )
    assert (status, out.splitlines(), err) == (0, ["True True True False False False"] * 2, "")


def test_the_result_does_not_depend_on_whether_the_real_mpi_was_imported(tmp_path):
    code = "from mpi4py import MPI; import mpi4py; print(MPI.get_vendor()[0], mpi4py.rc.threads, MPI.COMM_WORLD.size)"
    start = (
        "import sys\nfrom bsbpool_sim.program.beginning import Program\n"
        "from bsbpool_sim.program.program_run import run_program\n"
        f"run_program(Program({code!r}, 'code'), 2)\n"
        "print('mpi4py.MPI' in sys.modules)\n"
    )
    said = []
    for before in ("", "import mpi4py\n", "from mpi4py import MPI\n"):
        done = subprocess.run([sys.executable, "-c", before + start], capture_output=True, text=True, cwd=tmp_path)
        assert done.stderr == ""
        said.append(done.stdout.split("\n"))
    assert said[0] == said[1] == ["bsbpool True 2", "bsbpool True 2", "False", ""]
    assert said[2] == ["bsbpool True 2", "bsbpool True 2", "True", ""]


@pytest.mark.measured
def test_a_program_says_itself_when_mpi_begins_and_ends(simulate):
    status, out, err = simulate(
        2,
        "import mpi4py; mpi4py.rc(initialize=False, irecv_bufsz=50)\n"
        "from mpi4py import MPI\n"
        "comm, seen = MPI.COMM_WORLD, [(MPI.Is_initialized(), MPI.Is_finalized())]\n"
        "def tell(call):\n"
        "    try: call()\n"
        "    except MPI.Exception as error: seen.append(str(error).partition(' ')[2])\n"
        "tell(lambda: comm.rank)\n"
        "assert MPI.Init_thread(MPI.THREAD_FUNNELED) == MPI.Query_thread() == MPI.THREAD_FUNNELED\n"
        "tell(MPI.Init)\n"
        "rank, other = comm.rank, 1 - comm.rank\n"
        "request = comm.irecv(source=other)\n"
        "comm.send('x' * 100, other)\n"
        "tell(request.wait)\n"
        "MPI.Finalize()\n"
        "tell(lambda: comm.rank)\n"
        "seen.append((MPI.Is_initialized(), MPI.Is_finalized()))\n"
        "tell(MPI.Finalize)\n"
        "if rank == 1: print(*seen, sep='\\n')\n",
    )
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "(False, False)",
        "before Init: MPI has not begun on this rank, since mpi4py.rc.initialize is False",
        "has begun on this rank already: mpi4py begins it on import, unless mpi4py.rc.initialize is False",
        "object from rank 0 with tag 0 is 115 bytes, and irecv has room for 50: give irecv a larger buffer, as "
        "irecv(1 << 20, source=…), or use recv",
        "after Finalize: MPI has ended on this rank",
        "(True, True)",
        "MPI has ended on this rank",
    ]


@pytest.mark.measured
def test_options_come_from_the_environment_and_wrong_ones_are_warned_of(simulate):
    status, out, err = simulate(
        1,
        "import mpi4py, warnings; mpi4py.rc.thread_level = 'most'\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    from mpi4py import MPI\n"
        "print(*(each.message for each in said))\n"
        "print(MPI.Is_initialized(), mpi4py.rc.initialize, mpi4py.rc.irecv_bufsz, MPI.pickle.PROTOCOL, "
        "MPI.pickle.THRESHOLD)\n",
        MPI4PY_RC_INITIALIZE="no",
        MPI4PY_RC_IRECV_BUFSZ="2048",
        MPI4PY_PICKLE_PROTOCOL="3",
        MPI4PY_PICKLE_THRESHOLD="1024",
    )
    assert (status, err) == (0, "")
    assert out.splitlines() == ["mpi4py.rc.thread_level: unexpected value 'most'", "False False 2048 3 1024"]


@pytest.mark.measured
def test_mpi4py_runs_programs_and_aborts_for_what_they_raise(simulate):
    status, out, err = simulate(
        2, None, "-c", "print('here', 1 // (1 - __import__('mpi4py.MPI').MPI.COMM_WORLD.rank))", module="mpi4py"
    )
    assert (status, out) == (1, "here 1\n")
    assert "ZeroDivisionError" in err and "rank 1 called Abort(1)" in err
    assert simulate(2, None, "-c", "raise SystemExit(7)", module="mpi4py")[0] == 7
    status, out, err = simulate(3, None, "helloworld", module="mpi4py.bench")
    assert out.splitlines() == [f"Hello, World! I am process {rank} of 3 on simulated-0." for rank in range(3)]


@pytest.mark.measured
def test_what_mpi_has_can_be_listed_and_imported_by_a_star(simulate):
    status, out, err = simulate(
        2,
        "from mpi4py import MPI\n"
        "from mpi4py.MPI import *\n"
        "assert {'COMM_WORLD', 'SUM', 'DOUBLE', 'Comm', 'Get_version', 'ERR_ARG', 'pickle'} <= {*dir(MPI)}\n"
        "assert 'current' not in dir(MPI) and not hasattr(MPI, 'datatypes')\n"
        "MPI.note = COMM_WORLD.rank\n"
        "COMM_WORLD.barrier()\n"
        "print(MPI.note, COMM_WORLD.allreduce(1, SUM))\n",
    )
    assert (status, sorted(out.splitlines()), err) == (0, ["0 2", "1 2"], "")


OF_LAUNCHERS = (
    "import os\n"
    "from mpi4py import MPI\n"
    "names = 'PMI_RANK', 'PMI_SIZE', 'MPI_LOCALRANKID', 'MPI_LOCALNRANKS', 'OMPI_COMM_WORLD_RANK', 'SLURM_PROCID'\n"
    "found = MPI.COMM_WORLD.gather([os.environ.get(name) for name in names])\n"
    "print(found if MPI.COMM_WORLD.rank == 0 else '', end='')\n"
)


def test_a_rank_sees_its_launcher_in_the_environment(simulate):
    status, out, err = simulate(2, OF_LAUNCHERS)
    assert (status, eval(out), err) == (0, [["0", "2", "0", "2", None, None], ["1", "2", "1", "2", None, None]], "")
    start = ("-m", "bsbpool_sim", "--hosts", "2")
    assert eval(simulate(3, OF_LAUNCHERS, start=start)[1]) == [
        ["0", "3", "0", "2", None, None],
        ["1", "3", "1", "2", None, None],
        ["2", "3", "0", "1", None, None],
    ]


def test_what_a_launcher_of_the_simulation_has_set_is_no_ranks(simulate):
    outside = {"PMI_RANK": "7", "PMI_SIZE": "8", "OMPI_COMM_WORLD_RANK": "7", "SLURM_PROCID": "0"}
    status, out, err = simulate(2, OF_LAUNCHERS, **outside)
    assert (status, eval(out), err) == (0, [["0", "2", "0", "2", None, "0"], ["1", "2", "1", "2", None, "1"]], "")


def test_nothing_that_stood_for_mpi4py_is_left_behind(tmp_path):
    (tmp_path / "program.py").write_text("from mpi4py import MPI\nprint(MPI.COMM_WORLD.rank)")
    code = (
        "import sys, bsbpool\n"
        "from bsbpool_sim.program.beginning import Program\n"
        "from bsbpool_sim.program.program_run import run_program\n"
        f"assert run_program(Program({str(tmp_path / 'program.py')!r}), 2).status == 0\n"
        "print([name for name in sys.modules if name.startswith('mpi4py')])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (said.returncode, said.stdout.splitlines()[-1]) == (0, "[]"), said.stderr
