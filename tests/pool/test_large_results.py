"""Large results travel from their own memory, arrive whole, and take no more memory of main than there is for them."""

import os

import numpy
import pytest
from helpers import executed, fail

import bsbpool
from bsbpool.pool import JobPool, JobPoolError
from bsbpool.pool.protocol import Codec
from bsbpool.pool.results import Results

MEGABYTE = 1_000_000


def array(owner, i, size=MEGABYTE):
    return numpy.full(size, i, dtype=numpy.uint8)


@pytest.fixture
def small_pieces(worlds, monkeypatch):
    """Messages that MPI gets in many pieces, and room for few of them at once."""
    if worlds.parallel and not worlds.simulated:
        monkeypatch.setattr("bsbpool.worlds.mpi_world.LONGEST", 300_000)
        monkeypatch.setattr("bsbpool.worlds.mpi_world.UNDER_WAY", 1_500_000)


@pytest.mark.ranks(2, 4)
def test_arrays_arrive_whole_between_small_results_and_can_be_written_to(worlds, small_pieces):
    def program(comm):
        def fill(pool):
            for i in range(40):
                pool.queue(array, (i, MEGABYTE if i % 3 == 0 else 10))
            return lambda: [
                (job.result.size, int(job.result.min()), int(job.result.max()), job.result.flags.writeable)
                for job in pool.jobs
            ]

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["error"] is None
    assert outcome["seen"] == [(MEGABYTE if i % 3 == 0 else 10, i, i, True) for i in range(40)]


@pytest.mark.ranks(1, 2)
def test_results_keep_their_shape_whatever_holds_the_arrays(worlds):
    def mixed(owner):
        grid = numpy.arange(90_000, dtype=float).reshape(300, 300)
        return {
            "rows": grid,
            "columns": numpy.asfortranarray(grid),
            "every other": grid[::2, ::2],
            "few": numpy.arange(3),
            "function": lambda x: x + 1,  # pickle gives up here, and cloudpickle begins again
            "bytes": b"b" * MEGABYTE,
        }

    def program(comm):
        def fill(pool):
            job = pool.queue(mixed)
            return lambda: job.result

        result = executed(comm, fill).get("seen")
        if result is None:
            return None
        grid = numpy.arange(90_000, dtype=float).reshape(300, 300)
        return (
            all((result[name] == grid).all() for name in ("rows", "columns")),
            (result["every other"] == grid[::2, ::2]).all(),
            result["columns"].flags.f_contiguous,
            result["few"].tolist(),
            result["function"](1),
            len(result["bytes"]),
        )

    assert worlds(program)[0] == (True, True, True, [0, 1, 2], 2, MEGABYTE)


@pytest.mark.ranks(2)
def test_a_job_may_change_the_array_that_the_one_before_it_returned(worlds, small_pieces):
    def program(comm):
        shared = numpy.zeros(MEGABYTE, dtype=numpy.uint8)
        owner = bsbpool.Owner(comm)
        owner.shared = shared  # type: ignore[attr-defined]

        def fill(pool):
            for _ in range(12):
                pool.queue(count_up)
            return lambda: [(int(job.result.min()), int(job.result.max())) for job in pool.jobs]

        return executed(comm, fill, owner=owner)

    assert worlds(program)[0]["seen"] == [(i, i) for i in range(1, 13)]


def count_up(owner):
    owner.shared += 1
    return owner.shared


@pytest.mark.ranks(2, 4)
@pytest.mark.parametrize("failing", [0, 5, 19])
def test_every_rank_leaves_a_pool_that_stops_while_large_results_are_on_their_way(worlds, small_pieces, failing):
    def program(comm):
        def fill(pool):
            for i in range(20):
                pool.queue(fail if i == failing else array, () if i == failing else (i,))

        return executed(comm, fill, fail_fast=True)

    main, *others = worlds(program)
    assert main["statuses"][failing] == "failed"
    assert all(other["error"] for other in others)


def test_results_in_the_folder_are_read_from_there_and_not_kept(worlds, monkeypatch):
    monkeypatch.setattr("bsbpool.pool.results.RESULTS_IN_MEMORY", 0)

    def program(comm):
        with JobPool("arrays", bsbpool.Owner(comm)) as pool:
            jobs = [pool.queue(array, (i,)) for i in range(3)] if pool.is_main() else []
            pool.execute()
            if not pool.is_main() or not pool.parallel:
                return None
            folder = JobPool.get_tmp_folder("arrays")
            first, again = jobs[0].result, jobs[0].result
            os.truncate(os.path.join(folder, "1.result"), 1000)
            os.unlink(os.path.join(folder, "2.result"))
            problems = []
            for job in jobs[1:]:
                with pytest.raises(JobPoolError) as caught:
                    _ = job.result
                problems.append(str(caught.value))
            return (first == again).all(), first is again, problems

    seen = worlds(program)[0]
    if worlds.parallel:
        same, kept, (short, gone) = seen
        assert same
        assert not kept
        assert "can't be read: EOFError: " in short
        assert "can't be read: FileNotFoundError: " in gone


def test_a_result_that_the_folder_has_no_room_for_stays_in_memory(worlds, monkeypatch):
    monkeypatch.setattr("bsbpool.pool.results.RESULTS_IN_MEMORY", 0)

    def program(comm):
        with JobPool("full", bsbpool.Owner(comm)) as pool:
            jobs = [pool.queue(array, (i,)) for i in range(2)] if pool.is_main() else []
            os.rmdir(JobPool.get_tmp_folder("full"))
            if pool.is_main() and pool.parallel:
                with pytest.warns(UserWarning, match="stays in memory, since it can't be written to .*[01].result"):
                    pool.execute()
            else:
                pool.execute()
            return [int(job.result.sum()) for job in jobs]

    assert worlds(program)[0] == [0, MEGABYTE]


def test_the_room_is_used_up():
    """A result stays in memory if it fits to the byte, and the next one is written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bsbpool.pool.results.RESULTS_IN_MEMORY", 300)
        results = Results(Codec(), lambda: folders.append("asked for") or "/no/such/folder")
        folders = []
        with bsbpool.job_pool(quiet=True) as pool:
            results.keep(pool.queue(print), [b"x" * 100, b"y" * 200])
            assert not folders
            with pytest.warns(UserWarning, match="stays in memory"):  # there is no such folder
                results.keep(pool.queue(print), [b"z"])
            assert folders == ["asked for"]
