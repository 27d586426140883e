"""The life of a pool: opening, queueing, executing, reading results, closing; and each of these at a wrong time."""

import contextlib
import warnings

import pytest
from helpers import FAILED_ELSEWHERE, double, executed, fail, nap, nothing

import bsbpool
from bsbpool.pool import JobPool, JobPoolContextError, JobPoolError, JobStatus, PoolStatus, Workflow, WorkflowError
from bsbpool.pool.member import Member


def test_main_gets_the_results_of_its_jobs_and_the_others_an_empty_dictionary(worlds):
    def program(comm):
        return executed(comm, lambda pool: [pool.queue(double, (i,)) for i in range(5)] and None)["returned"]

    first, *others = worlds(program)
    assert first == {0: 0, 1: 2, 2: 4, 3: 6, 4: 8}
    assert others == [{}] * (worlds.ranks - 1)


def test_without_return_results_main_gets_an_empty_dictionary_too(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.queue(double, (1,))
            return pool.execute()

    assert worlds(program) == [{}] * worlds.ranks


def test_a_pool_says_what_it_is(worlds):
    def program(comm):
        owner = bsbpool.Owner(comm)
        workflow = Workflow(["placement", "connectivity"])
        pool = JobPool("a pool", owner, workflow=workflow)
        seen = [pool.status, pool.id, pool.owner is owner, pool.workflow is workflow, pool.parallel, pool.is_main()]
        with pool:
            seen += [pool.status, JobPool.get_owner("a pool") is owner, pool.jobs, pool.scheduling]
            pool.execute()
            seen.append(pool.status)
        return [*seen, pool.status]

    scheduling, closing = PoolStatus.SCHEDULING, PoolStatus.CLOSING
    assert worlds(program) == [
        [None, "a pool", True, True, worlds.parallel, rank == 0, scheduling, True, [], False, closing, closing]
        for rank in range(worlds.ranks)
    ]


def test_a_job_says_what_it_is(worlds):
    class Node:
        def get_node_name(self):
            return "{root}.node"

    def program(comm):
        def fill(pool):
            node = Node()
            job = pool.queue(double, (4,), submitter=node, chunk=3)
            other = pool.queue(double, (5,))
            return [
                job.name, job.description, job.context, job.submitter is node, job.pool_id == pool.id,
                job.serialize() == ("FunctionJob", (double, (4,)), {}), other.name == str(double),
                other.description == str(double), pool.get_submissions_of(node) == [job], pool.jobs == [job, other],
            ]  # fmt: skip

        return executed(comm, fill).get("seen")

    seen = worlds(program)[0]
    assert seen == ["{root}.node", "{root}.node (chunk=3)", {"chunk": 3}, *[True] * 7]


def test_a_result_can_be_read_until_the_pool_closes(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            job = pool.queue(double, (21,)) if pool.is_main() else None
            before = _error(lambda: job.result) if job else None
            pool.execute()
            if job is None:
                return None
            inside = [job.result, job.result is job.result, job.status]
        return [before, *inside, _error(lambda: job.result)]

    before, result, same, status, after = worlds(program)[0]
    assert (result, same, status) == (42, True, JobStatus.SUCCESS)
    assert before.startswith("JobPoolError: Result of <FunctionJob 0")
    assert before.endswith("is not available. It is pending: the pool has not begun to execute.")
    assert after.startswith(before[: before.index("It is")])
    assert after.endswith("It succeeded, but pool 1 is closed: read results inside of its `with` block.")


def test_a_failed_job_has_no_result(worlds):
    def program(comm):
        def fill(pool):
            job = pool.queue(fail)
            return lambda: _error(lambda: job.result)

        return executed(comm, fill).get("seen")

    assert worlds(program)[0].endswith("is not available. It failed: ValueError: boom.")


def test_two_pools_one_after_the_other_do_not_meet(worlds):
    def program(comm):
        owner = bsbpool.Owner(comm)
        return [
            executed(comm, lambda pool, x=x: pool.queue(double, (x,)) and None, owner=owner)["returned"]
            for x in (1, 2, 3)
        ]

    assert worlds(program)[0] == [{0: 2}, {0: 4}, {0: 6}]


def test_a_pool_inside_of_another_one_does_not_meet_it(worlds):
    def program(comm):
        owner = bsbpool.Owner(comm)
        with owner.create_job_pool(quiet=True) as outer:
            job = outer.queue(double, (1,)) if outer.is_main() else None
            inner = executed(comm, lambda pool: pool.queue(double, (2,)) and None, owner=owner)["returned"]
            outer.execute()
            return inner, job and job.result

    assert worlds(program)[0] == ({0: 4}, 2)


@pytest.mark.ranks(4)
def test_pools_for_different_communicators_are_open_side_by_side(worlds):
    def program(comm):
        half = comm.Split(comm.rank % 2, comm.rank)
        with bsbpool.Owner(half).create_job_pool(quiet=True) as pool:
            jobs = [pool.queue(double, (10 * comm.rank + i,)) for i in range(3)] if pool.is_main() else []
            pool.execute()
            return [job.result for job in jobs]

    assert worlds(program) == [[0, 2, 4], [20, 22, 24], [], []]


def test_a_job_runs_with_the_owner_of_its_rank(worlds):
    def whose(owner):
        return owner._comm.get_rank(), bsbpool.JobPool.get_owner("mine") is owner

    def program(comm):
        owner = bsbpool.Owner(comm)
        with JobPool("mine", owner) as pool:
            jobs = [pool.queue(whose) for _ in range(20)] if pool.is_main() else []
            pool.execute()
            return [job.result for job in jobs]

    answers = worlds(program)[0]
    ranks = {rank for rank, _ in answers}
    assert all(own for _, own in answers)
    assert ranks <= ({0} if worlds.ranks == 1 else set(range(1, worlds.ranks)))


def test_each_rank_has_a_folder_that_goes_with_the_pool(worlds, tmp_path):
    import os

    def program(comm):
        with JobPool("folders", bsbpool.Owner(comm)) as pool:
            folder = JobPool.get_tmp_folder("folders")
            there = os.path.isdir(folder) and JobPool.get_tmp_folder("folders") == folder
            pool.execute()
        return there, os.path.exists(folder)

    assert worlds(program) == [(True, False)] * worlds.ranks


@pytest.mark.parametrize("room", [0, 5_000_000])
def test_large_results_that_exceed_the_memory_for_them_wait_in_the_folder_of_the_pool(worlds, monkeypatch, room):
    import os

    monkeypatch.setattr("bsbpool.pool.results.RESULTS_IN_MEMORY", room)

    def large(owner, i):
        return bytes([i]) * 3_000_000

    def program(comm):
        with JobPool("large", bsbpool.Owner(comm)) as pool:
            jobs = [pool.queue(large, (i,)) for i in range(3)] if pool.is_main() else []
            pool.execute()
            right = all(job.result == bytes([i]) * 3_000_000 for i, job in enumerate(jobs))
            return len(os.listdir(JobPool.get_tmp_folder("large"))), right

    assert worlds(program)[0] == ((3 if room == 0 else 2) if worlds.parallel else 0, True)


def test_large_arguments_arrive(worlds):
    def length(owner, text):
        return len(text)

    def program(comm):
        return executed(comm, lambda pool: [pool.queue(length, ("x" * 300_000,)) for _ in range(6)] and None)[
            "returned"
        ]

    assert worlds(program)[0] == dict.fromkeys(range(6), 300_000)


# -- at a wrong time, or on a wrong rank -----------------------------------------------------------------


def _error(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def test_outside_of_its_context_a_pool_can_not_be_executed_or_filled(worlds):
    def program(comm):
        pool = bsbpool.Owner(comm).create_job_pool(quiet=True)
        before = [_error(pool.execute), _error(lambda: pool.queue(nothing)), _error(lambda: pool.schedule([]))]
        with pool:
            pool.execute()
        after = [_error(pool.execute), _error(lambda: pool.queue(nothing)), _error(lambda: pool.schedule([]))]
        return before, after

    for before, after in worlds(program):
        assert all(text.startswith("JobPoolContextError: Can't") and "is not open" in text for text in before)
        assert all(text.startswith("JobPoolContextError: Can't") and "`with`" in text for text in after)
    assert issubclass(JobPoolContextError, JobPoolError)


def test_a_pool_is_opened_once(worlds):
    def program(comm):
        pool = bsbpool.Owner(comm).create_job_pool(quiet=True)
        with pool:
            again = _error(pool.__enter__)
            pool.execute()
        return again, _error(pool.__enter__)

    for inside, after in worlds(program):
        assert "was opened before: make a new pool" in inside
        assert "was opened before: make a new pool" in after


def test_a_pool_is_executed_once_and_its_results_stay(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            job = pool.queue(double, (1,)) if pool.is_main() else None
            pool.execute()
            return _error(pool.execute), job and job.result

    results = worlds(program)
    assert all("was executed before" in error for error, _ in results)
    assert results[0][1] == 2


def test_after_its_execution_a_pool_takes_no_more_jobs(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            pool.execute()
            return _error(lambda: pool.queue(nothing))

    assert "closing" in worlds(program)[0]


@pytest.mark.ranks(2, 4)
def test_jobs_of_other_ranks_than_main_are_handles_that_stay_pending(worlds):
    """Programs for BSB run the same code on every rank."""

    def program(comm):
        scheduled, ended = [], []
        with bsbpool.job_pool(comm, quiet=True) as pool:
            pool.add_listener(lambda progress: None)
            first = pool.queue(double, (3,), submitter="first", cache_items=[7])
            second = pool.queue(double, (4,), deps=[first])
            second.on_completion(lambda job: ended.append(job.id))
            third, fourth = pool.queue(nothing), pool.queue(nothing)
            pool.queue(nothing, deps=[fourth])
            third.cancel("not needed")
            fourth.cancel("nor this")
            pool.schedule([1, 2], lambda node: scheduled.append(node))
            assert second._deps == {first} and pool.get_submissions_of("first") == [first]
            assert pool.get_required_cache_items() == {7}
            returned = {job.id: result for job, result in pool.execute(return_results=True).items()}
            how = [(job.status.value, job.error and str(job.error)) for job in pool.jobs]
            errors = [] if pool.is_main() else [_error(each) for each in (
                lambda: first.result, first.run, lambda: first.set_result(1), lambda: pool.queue(nothing)
            )]  # fmt: skip
        return returned, how, scheduled, ended, errors

    main, *others = worlds(program)
    cancelled = [("cancelled", "not needed"), ("cancelled", "nor this")]
    cancelled.append(("cancelled", "Job killed for dependency failure"))
    assert main == ({0: 6, 1: 8}, [("success", None)] * 2 + cancelled, [1, 2], [1], [])
    for rank, (returned, how, scheduled, ended, errors) in enumerate(others, 1):
        assert (returned, how, scheduled, ended) == ({}, [("pending", None)] * 2 + cancelled, [], [])
        assert "is not available" in errors[0] and f"rank {rank}" in errors[0] and "main (rank 0) has it" in errors[0]
        assert all(f"can't be run or ended on rank {rank}: main (rank 0) has it" in error for error in errors[1:3])
        assert "is closing" in errors[3]


@pytest.mark.ranks(2)
def test_a_job_that_queues_jobs_on_its_rank_fails(worlds):
    """In silence they would never run."""

    def program(comm):
        owner = bsbpool.Owner(comm)
        with owner.create_job_pool(quiet=True) as pool:
            owner.pool = pool  # type: ignore[attr-defined]
            job = pool.queue(_queues_more)
            with contextlib.suppress(WorkflowError):
                pool.execute()
            return str(job.error), len(pool.jobs)

    error, jobs = worlds(program)[0]
    assert "Can't queue jobs on rank 1 while pool 1 executes: main (rank 0) has the jobs" in error
    assert jobs == 1


def _queues_more(owner):
    owner.pool.queue(nothing)


def test_a_dependency_from_another_pool_is_named(worlds):
    def program(comm):
        owner = bsbpool.Owner(comm)
        with JobPool("one", owner) as one, JobPool("two", owner) as two:
            error = None
            if one.is_main():
                job = one.queue(double, (1,), submitter="stranger")
                error = _error(lambda: two.queue(double, (2,), deps=[job], submitter="native")), len(two.jobs)
            one.execute()
            two.execute()
            return error

    error, jobs = worlds(program)[0]
    assert "native can't depend on <FunctionJob 0 stranger>, a job of pool one" in error
    assert jobs == 0


def test_a_dependency_that_is_no_job_is_named(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            error = _error(lambda: pool.queue(double, (2,), deps=["granule"])) if pool.is_main() else None  # type: ignore[list-item]
            pool.execute()
            return error

    assert "no job but 'granule'" in worlds(program)[0]


@pytest.mark.ranks(1)
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda pool: pool.queue("double"), "a function is needed"),
        (lambda pool: pool.queue(double, 3), "such as (3,)"),
        (lambda pool: pool.queue(double, "ab"), "such as ('ab',)"),
        (lambda pool: pool.add_listener(print, max_wait=0), "above 0"),
    ],
)
def test_wrong_arguments_are_named(worlds, call, message):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            return _error(lambda: call(pool)), len(pool.jobs)

    error, jobs = worlds(program)[0]
    assert message in error
    assert jobs == 0


def test_an_unknown_pool_id_is_named_with_those_that_are_open(worlds):
    def program(comm):
        with JobPool("here", bsbpool.Owner(comm)) as pool:
            error = _error(lambda: JobPool.get_owner("there"))
            pool.execute()
            return error

    for error in worlds(program):
        assert error == "JobPoolError: No pool with id 'there' is open on this rank; open pools: 'here'."


# -- leaving without executing ---------------------------------------------------------------------------


def test_when_main_raises_before_it_executes_every_rank_leaves_and_jobs_are_cancelled(worlds):
    def program(comm):
        job = None
        try:
            with bsbpool.job_pool(comm, quiet=True) as pool:
                if pool.is_main():
                    job = pool.queue(double, (1,))
                    raise KeyError("configuration")
                pool.execute()
        except KeyError as error:
            return repr(error), job.status.value, str(job.error)
        except bsbpool.WorkflowError as error:
            return [f"{type(e).__name__}: {e}" for e in error.exceptions]

    first, *others = worlds(program)
    assert first == ("KeyError('configuration')", "cancelled", "The pool stopped: KeyError: 'configuration'")
    assert others == [FAILED_ELSEWHERE] * (worlds.ranks - 1)


def test_when_main_forgets_to_execute_the_others_are_told(worlds):
    def program(comm):
        try:
            with bsbpool.job_pool(comm, quiet=True) as pool:
                if pool.is_main():
                    job = pool.queue(double, (1,))
                    return "left", lambda: job.status.value
                pool.execute()
        except bsbpool.WorkflowError as error:
            return str(error.exceptions[0])

    results = [r if isinstance(r, str) else r[0] for r in worlds(lambda comm: _plain(program(comm)))]
    assert results == ["left"] + ["Main left the pool without calling execute(); every rank calls it."] * (
        worlds.ranks - 1
    )


def _plain(result):
    return result[0] if isinstance(result, tuple) else result


@pytest.mark.ranks(2, 4)
@pytest.mark.parametrize("raises", [True, False])
def test_a_worker_that_leaves_before_it_executes_is_an_error_on_main_and_the_rest_runs(worlds, raises):
    def program(comm):
        outcome = None
        try:
            with bsbpool.job_pool(comm, quiet=True) as pool:
                if comm.rank == 1:
                    if raises:
                        raise RuntimeError("no licence here")
                    return "left"
                if pool.is_main():
                    jobs = [pool.queue(nap, (0.2,)) for _ in range(6)]
                    outcome = lambda: [job.status.value for job in jobs]  # noqa: E731
                pool.execute()
        except RuntimeError as error:
            return str(error)
        except bsbpool.WorkflowError as error:
            return [f"{type(e).__name__}: {e}" for e in error.exceptions], outcome and outcome()

    first, second, *others = worlds(program)
    why = "RuntimeError: no licence here" if raises else "it left the pool without calling execute()"
    assert second == ("no licence here" if raises else "left")
    errors, statuses = first
    assert errors[0] == f"RankLostError: Rank 1 left the pool: {why}"
    if worlds.ranks == 2:
        assert statuses == ["cancelled"] * 6
        assert errors[1] == "JobPoolError: No rank is left to run jobs, and 6 jobs have not run: rank 1 is gone."
    else:
        assert statuses == ["success"] * 6
        assert len(errors) == 1
    assert others == [(FAILED_ELSEWHERE, None)] * (worlds.ranks - 2)


def test_main_that_raises_after_the_execution_keeps_nobody_waiting(worlds):
    def program(comm):
        try:
            with bsbpool.job_pool(comm, quiet=True) as pool:
                pool.execute()
                if pool.is_main():
                    raise OSError("disk")
        except OSError as error:
            return str(error)
        return "left"

    assert worlds(program) == ["disk"] + ["left"] * (worlds.ranks - 1)


def test_a_pool_may_be_executed_by_another_thread_than_the_main_one():
    import threading

    seen = []

    def body():
        with bsbpool.job_pool(None, quiet=True) as pool:
            pool.queue(double, (1,))
            seen.append(list(pool.execute(return_results=True).values()))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [[2]]


def test_nothing_warns(worlds):
    def program(comm):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            executed(comm, lambda pool: [pool.queue(double, (i,)) for i in range(50)] and None)
        return [str(w.message) for w in caught]

    assert worlds(program) == [[]] * worlds.ranks


def test_an_interrupt_while_main_opens_its_channel_comes_out_as_it_is(monkeypatch):
    def interrupted(self):
        opened(self)
        raise KeyboardInterrupt("now")

    opened = Member.open
    monkeypatch.setattr(Member, "open", interrupted)
    with pytest.raises(KeyboardInterrupt, match="now"), bsbpool.job_pool(quiet=True):
        pass
