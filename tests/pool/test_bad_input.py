"""What programs do by mistake, and what the machine withholds: a clear error, and nothing lost that was there."""

import contextlib
import os
import resource
import shutil
import signal
import time
import warnings

import pytest
from helpers import double, executed, nap

import bsbpool
from bsbpool.pool import JobPool, JobPoolError, JobStatus
from bsbpool.worlds import world_of
from bsbpool_sim import DeadlockError, simulate

# -- arguments ---------------------------------------------------------------------------------------------


@pytest.mark.ranks(1)
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda pool: pool.queue(double, (1,), deps=pool.queue(double, (1,))), "deps lists the jobs"),
        (lambda pool: pool.queue(double, (1,), deps=5), "such as [job]; it is not 5"),
        (lambda pool: pool.queue(double, kwargs=[1]), "kwargs maps names of arguments"),
        (lambda pool: pool.queue(double, kwargs={1: 2}), "it is not {1: 2}"),
        (lambda pool: pool.queue(double, {"x": 1}), "args is the sequence of arguments"),
        (lambda pool: pool.queue(double, b"ab"), "args is the sequence of arguments"),
        (lambda pool: pool.queue(double, (1,), cache_items=5), "cache_items lists ids"),
        (lambda pool: pool.queue(double, (1,), cache_items=[[]]), "which are integers"),
        (lambda pool: pool.schedule(5), "nodes lists what is to be scheduled"),
        (lambda pool: pool.schedule([], 5), "a scheduler is called with each node"),
        (lambda pool: pool.add_listener(5), "a listener is called with each PoolProgress"),
        (lambda pool: pool.add_listener(print, "soon"), "max_wait is a number of seconds"),
        (lambda pool: pool.queue(double, (1,)).on_completion(5), "on_completion takes a function"),
    ],
)
def test_a_wrong_argument_is_named_and_the_pool_goes_on(worlds, call, message):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            good = pool.queue(double, (21,))
            with pytest.raises((TypeError, ValueError), match=message.replace("[", r"\[")):
                call(pool)
            pool.execute()
            return good.result

    assert worlds(program) == [42]


# -- many ------------------------------------------------------------------------------------------------


@pytest.mark.unmeasured
def test_a_hundred_thousand_queued_jobs_can_be_cancelled_at_once(worlds):
    many, count = [], 100_000 if worlds.simulated and worlds.ranks == 2 else 10_000

    def program(comm):
        def cancel_all(progress):
            # When the first job runs; main hands out no other one while it is here.
            if many[0].status is JobStatus.QUEUED and getattr(progress, "status", None) is JobStatus.RUNNING:
                for job in many:
                    job.cancel("not wanted")

        def fill(pool):
            first = [pool.queue(nap, (0.1,)) for _ in range(max(1, worlds.ranks - 1))]
            many[:] = [pool.queue(double, (i,)) for i in range(count)]
            return lambda: (
                {job.status.value for job in first}, {job.status.value for job in many}, str(many[-1].error)
            )  # fmt: skip

        return executed(comm, fill, listeners=[cancel_all])

    outcome = worlds(program)[0]
    assert outcome["error"] is None
    assert outcome["seen"] == ({"success"}, {"cancelled"}, "not wanted")


# -- the pool's folder ------------------------------------------------------------------------------------


def large(owner, i):
    return bytes([i]) * 3_000_000


@pytest.fixture
def no_room_in_memory(monkeypatch):
    monkeypatch.setattr("bsbpool.pool.results.RESULTS_IN_MEMORY", 0)


@pytest.fixture
def disk_that_gets_full():
    """From now on this process can write files up to 2 MB, and then the system says no."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, before)


@contextlib.contextmanager
def said_on_main(pool):
    """The warnings on main; simulated ranks share a process, in which one of them may listen."""
    if not pool.is_main():
        yield []
        return
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield said


def results(comm, before_execution=lambda pool: None, after_execution=lambda pool: None):
    """The results of three jobs, and the warnings meanwhile, on main."""
    with JobPool("large", bsbpool.Owner(comm)) as pool, said_on_main(pool) as said:
        jobs = [pool.queue(large, (i,)) for i in range(3)] if pool.is_main() else []
        before_execution(pool)
        pool.execute()
        left = os.listdir(pool.get_tmp_folder("large")) if os.path.isdir(pool.get_tmp_folder("large")) else []
        after_execution(pool)
        return [job.result == large(None, i) for i, job in enumerate(jobs)], left, [str(w.message) for w in said]


@pytest.mark.ranks(2, 4)
def test_results_for_which_the_disk_has_no_room_stay_in_memory(worlds, no_room_in_memory, disk_that_gets_full):
    right, left, said = worlds(results)[0]
    assert right == [True] * 3
    assert left == []  # half a result was not left there
    assert len(said) == 3
    assert "stays in memory, since it can't be written to" in said[0]
    assert "File too large" in said[0]


@pytest.mark.ranks(2)
def test_a_folder_that_can_not_be_made_costs_no_result(worlds, no_room_in_memory, monkeypatch):
    def program(comm):
        def nowhere():
            raise FileNotFoundError("No usable temporary directory found")

        with JobPool("large", bsbpool.Owner(comm)) as pool, said_on_main(pool) as said:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(world_of(comm), "folder", nowhere)
                job = pool.queue(large, (1,)) if pool.is_main() else None
                pool.execute()
            return job and job.result == large(None, 1), [str(w.message) for w in said]

    right, said = worlds(program)[0]
    assert right
    assert len(said) == 1
    assert said[0].endswith("since it can't be written: No usable temporary directory found")


@pytest.mark.ranks(2, 4)
def test_a_folder_that_is_removed_under_a_running_pool_costs_what_was_in_it_only(worlds, no_room_in_memory):
    def remove(pool):
        shutil.rmtree(pool.get_tmp_folder("large"))

    right, _, said = worlds(lambda comm: results(comm, before_execution=remove))[0]
    assert right == [True] * 3
    assert all("No such file or directory" in each for each in said)

    def program(comm):
        with JobPool("large", bsbpool.Owner(comm)) as pool:
            small = pool.queue(double, (2,)) if pool.is_main() else None
            job = pool.queue(large, (1,)) if pool.is_main() else None
            pool.execute()
            remove(pool)
            if job is None:
                return None
            with pytest.raises(JobPoolError, match=r"Result of <.*> can't be read: FileNotFoundError"):
                job.result  # noqa: B018
            return small.result

    assert worlds(program)[0] == 4


# -- what jobs do -----------------------------------------------------------------------------------------


def fork(owner):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return "the child came back"


@pytest.fixture
def forks_are_meant():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, from 3.12 on: there are threads
        yield


def test_the_child_of_a_job_that_forks_does_not_come_back_to_the_pool(worlds, forks_are_meant, capfd):
    if worlds.simulated:
        pytest.skip("the simulator refuses to fork: see test_substitutes.py")

    def program(comm):
        def fill(pool):
            pool.queue(fork)
            pool.queue(double, (2,))

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["error"] is None
    assert outcome["returned"] == {0: 1, 1: 4}
    if worlds.ranks <= 2:  # else another rank may have said it
        said = capfd.readouterr().err
        assert worlds.parallel or "job 0 forked, and the child came back to the pool" in said


def test_a_job_that_changes_directory_changes_it_for_its_rank_and_the_pool_goes_on(worlds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # and back, when the test is over

    def move(owner, there):
        os.chdir(there)
        return large(owner, 1)

    def program(comm):
        def fill(pool):
            first = pool.queue(move, ("/",))
            pool.queue(double, (2,), deps=[first])
            return lambda: first.result == large(None, 1)

        return executed(comm, fill)

    monkeypatch.setattr("bsbpool.pool.results.RESULTS_IN_MEMORY", 0)
    outcome = worlds(program)[0]
    assert outcome["error"] is None
    assert outcome["seen"] is True
    assert outcome["returned"][1] == 4


def test_a_job_that_waits_for_all_ranks_is_a_deadlock_that_says_where():
    def wait_for_all(owner):
        owner._comm.get_communicator().Barrier()

    def program(comm):
        return executed(comm, lambda pool: pool.queue(wait_for_all, submitter="a job") and None)

    with pytest.raises(DeadlockError) as caught:
        simulate(program, 3)
    assert "Barrier" in str(caught.value)
    assert "wait_for_all" in str(caught.value)


@pytest.mark.ranks(2, 4)
def test_a_large_outcome_arrives_though_its_worker_is_interrupted_right_after(worlds):
    def program(comm):
        def interrupted(progress_owner):
            raise KeyboardInterrupt

        comm.Barrier()

        def fill(pool):
            first = pool.queue(large, (1,))
            last = pool.queue(interrupted, deps=[first])
            assert last is not None
            return lambda: first.result == large(None, 1)

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["statuses"] == ["success", "aborted"]
    assert outcome["seen"] is True


@pytest.mark.ranks(2)
def test_an_outcome_that_is_still_on_its_way_arrives_though_its_worker_leaves(worlds):
    """The next job is on its rank already when the large result is sent; main is busy in a listener meanwhile."""

    def program(comm):
        def leave(owner):
            raise KeyboardInterrupt

        def listener(progress):
            time.sleep(0.02)

        def fill(pool):
            jobs = [pool.queue(large, (1,)), pool.queue(leave)]
            return lambda: jobs[0].result == large(None, 1)

        return executed(comm, fill, listeners=[listener])

    outcome = worlds(program)[0]
    assert outcome["statuses"] == ["success", "aborted"]
    assert outcome["seen"] is True
