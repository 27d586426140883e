"""mpi4py.futures and mpipool, as they are installed, on simulated ranks: their threads are the ranks' own."""

import importlib.util

import pytest
from launching import run

pytest.importorskip("mpi4py")

SQUARES = """
import threading, time
from mpi4py import MPI
from mpi4py.futures import MPIPoolExecutor

def square(x):
    time.sleep(x)
    return x * x, MPI.COMM_WORLD.rank

if __name__ == "__main__":
    with MPIPoolExecutor() as executor:
        squares = list(executor.map(square, range(6)))
        print([value for value, _ in squares], {rank for _, rank in squares} <= {1, 2, 3}, int(MPI.Wtime()))
"""

OF_A_COMMUNICATOR = """
from mpi4py import MPI
from mpi4py.futures import MPICommExecutor, as_completed

def fails(x):
    if x == 3:
        raise ValueError(f"{x} on rank {MPI.COMM_WORLD.rank}")
    return x

with MPICommExecutor(MPI.COMM_WORLD, root=0) as executor:
    if executor is not None:
        futures = [executor.submit(fails, x) for x in range(5)]
        errors = [type(future.exception()).__name__ for future in as_completed(futures) if future.exception()]
        print(errors, sorted(future.result() for future in futures if not future.exception()))
print(MPI.COMM_WORLD.rank, MPI.Is_thread_main())
"""

CANNOT_BE_PICKLED = """
from mpi4py import MPI
from mpi4py.futures import MPICommExecutor

class Broken:
    def __reduce__(self):
        1 / 0

with MPICommExecutor(MPI.COMM_WORLD, root=0) as executor:
    if executor is not None:
        print(type(executor.submit(print, Broken()).exception()).__name__)
"""

POOL = """
from mpipool import MPIExecutor
from mpi4py import MPI

def double(x):
    return 2 * x

with MPIExecutor() as pool:
    pool.workers_exit()
    print(list(pool.map(double, range(4))))
"""


def simulated(tmp_path, ranks, program, *arguments):
    """What a program prints on simulated ranks."""
    (tmp_path / "program.py").write_text(program)
    status, out, err = run(
        program=["-m", "bsbpool_sim", "-n", str(ranks), *arguments, tmp_path / "program.py"], cwd=tmp_path
    )
    assert (status, err) == (0, "")
    return out.splitlines()


def test_an_executor_of_all_ranks_runs_its_calls_side_by_side_in_virtual_time(tmp_path):
    said = simulated(tmp_path, 4, SQUARES, "-m", "mpi4py.futures")
    assert said == ["[0, 1, 4, 9, 16, 25] True 7"]
    assert simulated(tmp_path, 4, SQUARES, "-m", "mpi4py.futures") == said


def test_an_executor_of_a_communicator_returns_results_and_errors(tmp_path):
    first, *ends = sorted(simulated(tmp_path, 3, OF_A_COMMUNICATOR), key=lambda line: line[0] != "[")
    assert first == "['ValueError'] [0, 1, 2, 4]"
    assert sorted(ends) == ["0 True", "1 True", "2 True"]


def test_what_an_object_raises_as_it_is_pickled_is_the_calls_exception(tmp_path):
    assert simulated(tmp_path, 2, CANNOT_BE_PICKLED) == ["ZeroDivisionError"]


IN_A_SET = """
from concurrent.futures import FIRST_COMPLETED, Future, wait
from mpi4py import MPI
from mpi4py.futures import MPICommExecutor

with MPICommExecutor(MPI.COMM_WORLD, root=0) as executor:
    if executor is not None:
        futures = {executor.submit(pow, 2, n) for n in range(9)}
        print([future.result() for future in futures])
        done, _ = wait(futures, return_when=FIRST_COMPLETED)
        print(len(done), sorted(executor.map(pow, range(9), [2] * 9, unordered=True)) == [n * n for n in range(9)])
"""


def test_a_set_of_futures_has_the_order_in_which_they_were_put_there(tmp_path):
    # By their addresses it would have another order in each run.
    assert simulated(tmp_path, 3, IN_A_SET) == [str([2**n for n in range(9)]), "9 True"]


# It is not imported here: it changes how exceptions are pickled, of this process too.
@pytest.mark.skipif(importlib.util.find_spec("mpipool") is None, reason="needs mpipool")
def test_mpipools_executor_runs_as_it_is(tmp_path):
    assert simulated(tmp_path, 3, POOL) == ["[0, 2, 4, 6]"]
