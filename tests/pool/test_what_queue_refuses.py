"""What `queue` makes no job of, what a job returns that can be no result, and why a result is not there."""

import asyncio
import functools
import time

import pytest
from helpers import double, executed, fail, nothing

import bsbpool
from bsbpool.exceptions import JobPoolError, WorkflowError
from bsbpool.pool import JobPool, JobStatus, SubmissionContext
from bsbpool.pool.checks import ELSEWHERE, OPTIONS

# -- names of context entries ------------------------------------------------------------------------------

LETTER = ["dep", "depss", "dpes", "timeot", "timout", "tiemout", "Timeout", "time_out", "cache_item", "cacheitems",
          "cach_items", "kwarg", "kwargz", "arg", "submiter", "submitters", "contxt"]  # fmt: skip


@pytest.mark.ranks(1, 2)
@pytest.mark.parametrize("name", [*LETTER, *ELSEWHERE])
def test_a_context_entry_that_looks_like_an_option_is_refused_with_what_to_write(worlds, name):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            with pytest.raises(TypeError) as caught:
                pool.queue(nothing, **{name: 3})  # type: ignore[arg-type]
            job = pool.queue(nothing, context={name: 3}, submitter="it")
            pool.execute()
            return str(caught.value), job.description, job.context, len(pool.jobs)

    said, description, context, jobs = worlds(program)[0]
    assert said.startswith(f"{name} is no option of queue(): ")
    assert said.endswith(f". For an entry of the context of that name, write context={{{name!r}: …}}.")
    assert (description, context, jobs) == (f"it ({name}=3)", {name: 3}, 1)
    assert name not in LETTER or any(f"did you mean {option}?" in said for option in OPTIONS)


@pytest.mark.ranks(1)
@pytest.mark.parametrize(
    "name",
    # What BSB and its plugins pass, and what the documentation and the tests of this project do.
    ["chunk", "name", "node", "uri", "chunks", "region", "cell", "pre", "post", "i", "number", "tags", "steps", "depth",
     "seed", "ratio", "time", "step", "type", "kind", "rank", "recorded", "self", "pool", "memory", "layer"],
)  # fmt: skip
def test_other_names_are_context(worlds, name):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            job = pool.queue(nothing, context={name: 1, "more": 2}) if name in ("self", "pool") else None
            job = job or pool.queue(nothing, more=2, **{name: 1})  # type: ignore[arg-type]
            pool.execute()
            return job.context

    expected = {"more": 2} if name == "chunks" else {name: 1, "more": 2}
    assert worlds(program) == [expected]


@pytest.mark.ranks(1)
@pytest.mark.parametrize("context", [5, "priority", ["priority"], [("priority", 3)], {3: "priority"}])
def test_an_explicit_context_maps_names_to_values(worlds, context):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            with pytest.raises(TypeError, match="context maps names to values, such as "):
                pool.queue(nothing, context=context)
            with pytest.raises(TypeError, match="the context has chunk twice"):
                pool.queue(nothing, chunk=1, context={"chunk": 2})

    worlds(program)


@pytest.mark.ranks(1)
def test_who_makes_a_submission_context_is_free_to_name_entries():
    context = SubmissionContext("it", priority=3, dep=4)
    assert (context.priority, context.context) == (3, {"priority": 3, "dep": 4})


# -- functions that only make something that would have to be run ------------------------------------------


async def coroutine(owner):
    return 1


async def async_generator(owner):
    yield 1


def generator(owner):
    yield 1


class Callable:
    async def __call__(self, owner):
        return 1

    async def method(self, owner):
        return 1

    @staticmethod
    async def static(owner):
        return 1

    @classmethod
    def of_class(cls, owner):
        yield 1


SPECIAL = {
    "coroutine function": [coroutine, functools.partial(coroutine), functools.partial(functools.partial(coroutine)),
                           Callable(), functools.partial(Callable()), Callable().method, Callable.static],
    "async generator function": [async_generator, functools.partial(async_generator)],
    "generator function": [generator, functools.partial(generator), Callable.of_class, lambda owner: (yield)],
}  # fmt: skip


@pytest.mark.ranks(1, 2)
@pytest.mark.parametrize(
    ("kind", "function"), [(kind, function) for kind, functions in SPECIAL.items() for function in functions]
)
def test_a_function_whose_call_runs_nothing_is_refused(worlds, kind, function):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            with pytest.raises(TypeError, match=f" is a {kind}: a job calls it, and the call alone runs nothing of it"):
                pool.queue(function)
            pool.execute()
            return len(pool.jobs)

    assert worlds(program)[0] == 0


def returns_coroutine(owner):
    return coroutine(owner)


def returns_async_generator(owner):
    return async_generator(owner)


def returns_generator(owner):
    return (each for each in "ab")


@pytest.mark.filterwarnings("error")
def test_a_job_that_returns_what_has_not_run_fails(worlds):
    def program(comm):
        def fill(pool):
            for function in (returns_coroutine, returns_async_generator, returns_generator):
                pool.queue(function)
            pool.queue(nothing if worlds.simulated else asyncio_job)  # asyncio can't be simulated

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["statuses"] == ["failed"] * 3 + ["success"]
    for what, error in zip(["a coroutine", "an async generator", "a generator"], outcome["job errors"], strict=False):
        assert error.startswith(f"JobPoolError: the job returned {what} (")


def asyncio_job(owner):
    return asyncio.run(coroutine(owner))


# -- why a result is not there -----------------------------------------------------------------------------


def why(job):
    with pytest.raises(JobPoolError) as caught:
        job.result  # noqa: B018
    said = str(caught.value)
    begin = f"Result of {job} is not available. "
    assert said.startswith(begin)
    return said[len(begin) :]


def test_a_result_that_is_not_there_says_why(worlds):
    def program(comm):
        reasons = {}
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if not pool.is_main():
                job = pool.queue(double, (1,), submitter="handle")
                reasons["handle"] = why(job)
                with pytest.raises(WorkflowError):
                    pool.execute()
                return reasons, why(job)
            bad = pool.queue(fail, ("no voxels",), submitter="bad")
            child = pool.queue(double, (1,), deps=[bad], submitter="child")
            grandchild = pool.queue(double, (1,), deps=[child], submitter="grandchild")
            unwanted = pool.queue(double, (1,), submitter="unwanted")
            unwanted.cancel("it is not wanted")
            unnamed = pool.queue(double, (1,), submitter="unnamed")
            unnamed.cancel()
            good = pool.queue(double, (1,), submitter="good")
            late = pool.queue(double, (1,), deps=[unwanted], submitter="late")
            reasons["pending"], reasons["waiting"] = why(good), why(grandchild)

            def watch(progress):
                if getattr(progress, "job", None) is good and good.status in (JobStatus.QUEUED, JobStatus.RUNNING):
                    reasons[good.status.value] = why(good)

            pool.add_listener(watch)
            with pytest.raises(WorkflowError):
                pool.execute()
            assert good.result == 2
            for job in (bad, child, grandchild, unwanted, unnamed, late):
                reasons[job.name] = why(job)
        return reasons, why(good)

    (reasons, closed), *others = worlds(program)
    where = "rank 0" if worlds.ranks == 1 else f"rank {worlds.ranks - 1}"
    running = reasons.pop("running")
    assert running.startswith("It is still running on rank ") and (worlds.ranks > 2 or where in running)
    killed = "It was cancelled: JobCancelledError: Job killed for dependency failure (a job that it depends on: "
    assert reasons == {
        "pending": "It is pending: the pool has not begun to execute.",
        "waiting": "It is pending: it waits for 1 other job.",
        "queued": "It is queued: it is ready to run, and has not begun.",
        "bad": "It failed: ValueError: no voxels.",
        "child": f"{killed}ValueError: no voxels).",
        "grandchild": f"{killed}ValueError: no voxels).",
        "unwanted": "It was cancelled: JobCancelledError: it is not wanted.",
        "unnamed": reasons["unnamed"],
        "late": f"{killed}JobCancelledError: it is not wanted).",
    }
    assert reasons["unnamed"].startswith("It was cancelled: JobCancelledError")
    assert closed == "It succeeded, but pool 1 is closed: read results inside of its `with` block."
    for rank, (handle, after) in enumerate(others, 1):
        assert handle["handle"] == after == f"Here is rank {rank}; main (rank 0) has it."


@pytest.mark.ranks(1, 2)
def test_the_result_of_an_aborted_job_says_why(worlds):
    def program(comm):
        def fill(pool):
            job = pool.queue(napping, timeout=0.05, submitter="slow")
            return lambda: why(job)

        return executed(comm, fill).get("seen")

    said = worlds(program)[0]
    assert said.startswith("It was aborted: JobTimeoutError: ")


def napping(owner):
    for _ in range(3000):
        time.sleep(0.01)


def test_the_error_of_a_failed_job_is_the_cause_of_that_of_its_result(worlds):
    def program(comm):
        def fill(pool):
            job = pool.queue(fail)

            def look():
                with pytest.raises(JobPoolError) as caught:
                    job.result  # noqa: B018
                return caught.value.__cause__ is job.error

            return look

        return executed(comm, fill).get("seen")

    assert worlds(program)[0] is True


# -- a result that can't be rebuilt on main ----------------------------------------------------------------


class Unreadable:
    """It can be packed, and not be unpacked."""

    def __reduce__(self):
        return int, ("no number",)


def returns(owner, what):
    return Unreadable() if what == "unreadable" else what


@pytest.mark.ranks(1, 2, 4)
def test_a_result_that_cannot_be_unpacked_loses_no_other(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                for what in (1, "unreadable", [2], "unreadable", None):
                    pool.queue(returns, (what,), submitter="it")
            try:
                returned = pool.execute(return_results=True)
                return {job.id: type(result).__name__ for job, result in returned.items()}
            except WorkflowError as error:
                others = {job.id: result for job, result in error.results.items()}
                return [str(each) for each in error.exceptions], others, [job.status.value for job in pool.jobs]

    found = worlds(program)[0]
    if worlds.ranks == 1:  # nothing is packed
        assert found == {0: "int", 1: "Unreadable", 2: "list", 3: "Unreadable", 4: "NoneType"}
        return
    errors, others, statuses = found
    assert others == {0: 1, 2: [2], 4: None}
    assert statuses == ["success"] * 5
    assert [error.split(">")[0] for error in errors] == [f"Result of <FunctionJob {id} it" for id in (1, 3)]
    assert all("can't be read: ValueError: invalid literal" in error for error in errors)


def test_an_error_of_jobs_has_no_results():
    assert dict(WorkflowError("x", [ValueError()]).results) == {}


# -- communicators -----------------------------------------------------------------------------------------


class Framework:
    """An owner that is not of this library."""

    def __init__(self, comm):
        self._comm = comm
        self._pool_cache = {}

    def register_pool_cached_item(self, id, cleanup):
        self._pool_cache.setdefault(id, []).append(cleanup)


@pytest.mark.ranks(2, 4)
def test_a_rank_without_part_in_a_communicator_is_told_so(worlds):
    def program(comm):
        from mpi4py import MPI

        part = comm.Split(0 if comm.Get_rank() == 0 else MPI.UNDEFINED)
        said = []
        for owner in (bsbpool.Owner(part), Framework(part)):
            if comm.Get_rank():
                with pytest.raises(
                    JobPoolError, match="it is COMM_NULL, which is what a rank gets that has no part"
                ) as e:
                    JobPool("it", owner)
                said.append("Open the pool only on ranks that have a part in it" in str(e.value))
            else:
                with JobPool("it", owner) as pool:
                    job = pool.queue(double, (1,))
                    pool.execute()
                    said.append(job.result)
        freed = comm.Dup()
        freed.Free()
        with pytest.raises(JobPoolError, match=r"or what is left of one after Free\(\)"):
            bsbpool.Owner(freed).create_job_pool(quiet=True)
        return said

    assert worlds(program) == [[2, 2]] + [[True, True]] * (worlds.ranks - 1)


@pytest.mark.ranks(1)
@pytest.mark.parametrize("comm", ["COMM_WORLD", 5, object(), [], dict, lambda: None])
def test_what_is_no_communicator_is_refused(worlds, comm):
    for owner in (bsbpool.Owner(comm), Framework(comm)):
        with pytest.raises(TypeError, match="a pool takes an mpi4py communicator, a simulated one, or None"):
            JobPool("it", owner)


@pytest.mark.mpi
def test_an_intercommunicator_and_one_that_was_freed_elsewhere_are_refused():
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    half = world.Split(world.rank % 2)
    inter = half.Create_intercomm(0, world, 1 - world.rank % 2)  # type: ignore[attr-defined]
    for comm in (inter, MPI.COMM_NULL):
        with pytest.raises(JobPoolError, match="A pool can't use"):
            bsbpool.Owner(comm).create_job_pool(quiet=True)
    merged = inter.Merge()
    with bsbpool.job_pool(merged, quiet=True) as pool:
        pool.execute()
    for comm in (inter, half, merged):
        comm.Free()


def test_an_owner_whose_communicator_is_none_has_that_of_all_ranks(worlds):
    """None is COMM_WORLD where there is MPI: for an owner of any kind."""

    def program(comm):
        with JobPool("it", Framework(None)) as pool:
            job = pool.queue(double, (4,)) if pool.is_main() else None
            pool.execute()
            return pool.parallel, job.result if job else None

    if worlds.world.name == "mpi":
        from mpi4py import MPI

        if worlds.ranks < MPI.COMM_WORLD.Get_size():
            return  # the ranks that are left out would have to open that pool, too
    # In this process alone there is one rank, whether there is mpi4py or not.
    parallel = worlds.world.name != "local" and worlds.ranks > 1
    assert worlds(program)[0] == (parallel, 8)


@pytest.mark.ranks(1)
@pytest.mark.parametrize("id", [[], {}, {1}])
def test_an_id_that_nothing_can_be_found_by_is_refused(worlds, id):
    with pytest.raises(TypeError, match="the id of a pool is what it is found by"):
        JobPool(id, bsbpool.Owner())
