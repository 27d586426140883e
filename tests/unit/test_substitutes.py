"""What is virtual or forbidden on a simulated rank, and what stays real elsewhere."""

import importlib
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from bsbpool_sim import CannotSimulateError, RankErrors, simulate
from bsbpool_sim import mpi as ours
from bsbpool_sim.substitutes import EPOCH, substitutes


def run(function, ranks=1):
    return simulate(lambda comm: function(), ranks).results[0]


# -- clocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["monotonic", "perf_counter", "process_time", "thread_time", "time"])
def test_clocks_are_virtual(name):
    def program():
        time.sleep(1.25)
        return getattr(time, name)(), getattr(time, name + "_ns")()

    epoch = EPOCH if name == "time" else 0
    assert run(program) == (epoch + 1.25, (epoch * 100 + 125) * 10**7)


def test_sleeping_less_than_nothing_is_refused():
    with pytest.raises(RankErrors, match="sleep length must be non-negative"):
        run(lambda: time.sleep(-1))


def test_a_sleep_of_no_time_lets_others_run():
    def program(comm):
        if comm.rank == 1:
            return comm.send("x", 0)
        while not comm.mailbox.find(None, None):
            time.sleep(0)
        return comm.recv()

    assert simulate(program, 2).results[0] == "x"


def test_a_loop_that_only_reads_the_clock_ends():
    def program():
        while time.monotonic() < 0.001:
            pass
        return time.monotonic()

    assert run(program) == pytest.approx(0.001, abs=1e-5)


def test_clocks_stay_real_for_others():
    with substitutes():
        before = time.monotonic(), time.time_ns()
        time.sleep(0.01)
        assert time.monotonic() - before[0] >= 0.009
        assert time.time_ns() > before[1] > EPOCH * 10**9 * 1.5


def test_what_others_replaced_is_put_back(monkeypatch):
    def theirs():
        return 42

    monkeypatch.setattr(time, "time", theirs)
    assert run(time.monotonic) >= 0
    assert time.time is theirs


def test_simulations_nest_their_substitutes_in_any_order():
    real = time.sleep
    first, second = substitutes(), substitutes()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert time.sleep is not real
    second.__exit__(None, None, None)
    assert time.sleep is real


def test_simulations_run_in_threads_at_the_same_time():
    def program(comm):
        for _ in range(200):
            time.sleep(comm.rank + 1)
            comm.barrier()
        return time.monotonic()

    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(simulate(program, n).elapsed)) for n in (2, 3, 4)]
    real = time.sleep
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [400, 600, 800]
    assert time.sleep is real


# -- threads, processes, sockets -------------------------------------------------------------------------


def nothing():
    pass


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (lambda: subprocess.run(["true"]), "a real process"),
        (lambda: os.system("true"), "a real process"),
        (lambda: os.fork(), "a real process"),
        (lambda: os.posix_spawn("/bin/true", ["true"], {}), "a real process"),
        (lambda: os.popen("true"), "a real process"),
        (lambda: multiprocessing.get_context("fork").Process(target=nothing).start(), "a real process"),
        (lambda: multiprocessing.get_context("spawn").Process(target=nothing).start(), "a real process"),
        (lambda: socket.socket(), "a socket"),
    ],
)
def test_nothing_real_is_started_by_a_simulated_rank(start, what):
    with pytest.raises(RankErrors, match=f"simulated rank 0 tried to start {what}, ") as caught:
        run(start)
    assert isinstance(caught.value.by_rank[0], CannotSimulateError)


def test_others_start_what_they_like():
    with substitutes():
        thread = threading.Thread(target=nothing)
        thread.start()
        thread.join()
        socket.socket().close()
        assert subprocess.run(["true"]).returncode == 0


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python tells of sleeps from 3.13 on")
def test_a_sleep_taken_before_the_simulation_is_refused():
    with pytest.raises(RankErrors, match="a real sleep"):
        run(lambda sleep=time.sleep: sleep(0.01))


# -- mpi4py ----------------------------------------------------------------------------------------------


@pytest.fixture
def without_mpi4py(monkeypatch):
    for name in [m for m in sys.modules if m == "mpi4py" or m.startswith("mpi4py.")]:
        monkeypatch.delitem(sys.modules, name)


def world():
    from mpi4py import MPI

    return MPI.COMM_WORLD.size, MPI.COMM_SELF.size, MPI.Get_processor_name()


def test_programs_import_mpi4py_where_there_is_none(without_mpi4py):
    assert run(world, 3) == (3, 1, "simulated-0")
    assert not {"mpi4py", "mpi4py.MPI"} & set(sys.modules)


def test_the_stand_in_takes_options_and_knows_what_is_missing(without_mpi4py):
    def program():
        import mpi4py

        mpi4py.rc.initialize = False
        mpi4py.rc(threads=False)
        from mpi4py import MPI

        return mpi4py.rc.threads, hasattr(MPI, "Get_weather"), hasattr(MPI, "__file__"), MPI.ANY_TAG

    assert run(program) == (False, False, False, ours.ANY_TAG)


def test_others_see_the_stand_ins_constants(without_mpi4py):
    with substitutes():
        assert importlib.import_module("mpi4py.MPI").ANY_TAG == ours.ANY_TAG


def test_what_was_replaced_meanwhile_is_left_alone(without_mpi4py):
    with substitutes():
        sys.modules["mpi4py.MPI"] = other = object()  # type: ignore[assignment]
    assert sys.modules.pop("mpi4py.MPI") is other


class TestWithRealMpi4py:
    @pytest.fixture(autouse=True)
    def real(self):
        return pytest.importorskip("mpi4py.MPI")

    def test_its_world_is_the_ranks_while_a_simulation_runs(self, real):
        kind = type(real)
        assert run(world, 3) == (3, 1, "simulated-0")
        assert type(real) is kind

    def test_it_stays_real_for_others(self, real):
        with substitutes():
            assert real.COMM_WORLD.size == real.COMM_WORLD.Get_size()
            assert not isinstance(real.COMM_WORLD, ours.Comm)

    def test_its_numbers_pass_and_what_would_touch_it_does_not(self, real, monkeypatch):
        monkeypatch.setattr(real, "Get_weather", real.Get_version, raising=False)
        assert run(lambda: (real.ERR_RANK, hasattr(real, "Get_weather"), real.__name__))[1:] == (False, "mpi4py.MPI")

    def test_its_package_alone_gets_a_stand_in(self, real, monkeypatch):
        import mpi4py

        monkeypatch.delitem(sys.modules, "mpi4py.MPI")
        monkeypatch.delattr(mpi4py, "MPI", raising=False)
        assert run(world, 2) == (2, 1, "simulated-0")
        assert not hasattr(mpi4py, "MPI")

    def test_a_stand_in_that_was_kept_becomes_real_afterwards(self, real, without_mpi4py, monkeypatch):
        def keep():
            from mpi4py import MPI

            return MPI

        kept = run(keep)
        monkeypatch.setitem(sys.modules, "mpi4py.MPI", real)
        assert kept.COMM_WORLD is real.COMM_WORLD

    def test_what_a_program_took_from_it_before_is_understood(self, real):
        any_source, any_tag, null, undefined = real.ANY_SOURCE, real.ANY_TAG, real.PROC_NULL, real.UNDEFINED
        status, largest, in_place = real.Status(), real.MAX, real.IN_PLACE
        theirs = real.Op.Create(lambda a, b, _: a + b)

        def program(comm):
            from array import array

            comm.send("x", (comm.rank + 1) % 2, tag=6)
            got = comm.recv(source=any_source, tag=any_tag, status=status)
            where = status.Get_source(), status.Get_tag(), status.Get_count() > 0
            comm.recv(source=null, status=status)
            total = array("d", [comm.rank])
            comm.Allreduce(in_place, [total, real.DOUBLE])
            return (
                got, where, status.source == null, comm.Split(undefined) == ours.COMM_NULL,
                comm.allreduce(comm.rank, op=largest), comm.allreduce(comm.rank + 1, op=theirs), total[0],
            )  # fmt: skip

        assert simulate(program, 2).results[0] == ("x", (1, 6, True), True, True, 1, 3, 1.0)

    def test_its_datatypes_are_known_by_name(self, real):
        from bsbpool_sim.mpi.datatypes import datatype

        names = ["INT", "DOUBLE", "BYTE", "INT64_T", "C_DOUBLE_COMPLEX", "C_BOOL", "UINT64_T"]
        assert [datatype(getattr(real, n)).Get_size() for n in names] == [getattr(real, n).Get_size() for n in names]


AT_THE_END = """
import os, sys, types
early = sys.modules["early"] = types.ModuleType("early")
from bsbpool_sim import simulate, substitutes
class OpensAFile:
    def __init__(self):
        self.open, self.write, self.name = open, os.write, os.devnull
    def __del__(self):
        self.open(self.name).close()
        self.write(1, b"opened")
simulate(lambda comm: comm.rank, 2)
early.opens, sys.kept = OpensAFile(), (early, substitutes)
"""


def test_what_the_end_of_the_process_does_is_let_through():
    # Python ends modules in the reverse of the order in which they were imported: the hook is called without its own.
    done = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("opened", "")
