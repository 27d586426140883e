"""What becomes of jobs: their order, their dependencies, cancellation, and the kinds of jobs."""

import threading
import time
import warnings

import pytest
from helpers import Ear, double, executed, fail, gate, nap, nothing

import bsbpool
from bsbpool.pool import FunctionJob, Job, JobCancelledError, JobPoolError, JobStatus, SubmissionContext, dispatcher
from bsbpool.worlds import Role, world_of
from bsbpool_sim import simulate


def test_one_rank_runs_jobs_first_in_first_out(worlds):
    order = []

    def note(owner, i):
        order.append(i)

    def program(comm):
        def fill(pool):
            jobs = [pool.queue(note, (i,)) for i in range(3)]
            pool.queue(note, (3,), deps=[jobs[0]])
            pool.queue(note, (4,))

        executed(comm, fill)

    if worlds.ranks == 1:
        worlds(program)
        assert order == [0, 1, 2, 3, 4]


def test_main_runs_no_job_where_there_are_others(worlds):
    def where(owner):
        return owner._comm.get_rank()

    def program(comm):
        return executed(comm, lambda pool: [pool.queue(where) for _ in range(12)] and None)["returned"]

    ranks = set(worlds(program)[0].values())
    assert ranks <= (set(range(1, worlds.ranks)) if worlds.parallel else {0})


@pytest.mark.ranks(4)
def test_jobs_that_take_their_time_run_at_the_same_time_on_different_ranks(worlds):
    def program(comm):
        ear = Ear()
        executed(comm, lambda pool: [pool.queue(nap, (0.2,)) for _ in range(3)] and None, listeners=[ear])
        return ear.heard

    heard = worlds(program)[0]
    assert [h for h in heard if h.endswith("running")] == ["0 running", "1 running", "2 running"]
    assert heard.index("2 running") < min(heard.index(f"{i} success") for i in range(3))


def test_a_job_starts_after_all_its_dependencies_succeeded(worlds):
    def program(comm):
        ear = Ear()

        def fill(pool):
            a, b = pool.queue(nap, (0.05,)), pool.queue(nap, (0.02,))
            c = pool.queue(nothing, deps=[a, b])
            pool.queue(nothing, deps=[c, a])

        executed(comm, fill, listeners=[ear])
        return ear.heard

    heard = worlds(program)[0]
    at = {word: i for i, word in enumerate(heard)}
    assert max(at["0 success"], at["1 success"]) < at["2 queued"] < at["2 running"]
    assert at["2 success"] < at["3 queued"]


def test_each_status_is_announced_in_order_and_once(worlds):
    def program(comm):
        ear = Ear()

        def fill(pool):
            ok = pool.queue(double, (1,))
            bad = pool.queue(fail)
            pool.queue(double, (2,), deps=[ok])
            pool.queue(double, (2,), deps=[bad])

        executed(comm, fill, listeners=[ear])
        return [ear.of(job) for job in range(4)]

    assert worlds(program)[0] == [
        ["queued", "running", "success"],
        ["queued", "running", "failed"],
        ["queued", "running", "success"],
        ["cancelled"],
    ]


# -- failing dependencies --------------------------------------------------------------------------------


def test_dependents_of_a_failed_job_are_cancelled_theirs_too_and_nothing_else(worlds):
    def program(comm):
        def fill(pool):
            bad = pool.queue(fail)
            child = pool.queue(nothing, deps=[bad])
            grandchild = pool.queue(nothing, deps=[child])
            good = pool.queue(nothing)
            pool.queue(nothing, deps=[good])
            pool.queue(nothing, deps=[good, grandchild])

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["statuses"] == ["failed", "cancelled", "cancelled", "success", "success", "cancelled"]
    killed = "JobCancelledError: Job killed for dependency failure"
    assert outcome["job errors"] == ["ValueError: boom", killed, killed, None, None, killed]
    assert len(outcome["error"]) == 1


def test_a_job_queued_behind_one_that_was_cancelled_is_cancelled_at_once(worlds):
    def program(comm):
        def fill(pool):
            job = pool.queue(nothing)
            job.cancel()
            late = pool.queue(nothing, deps=[job])
            return late.status.value

        return executed(comm, fill).get("seen")

    assert worlds(program)[0] == "cancelled"


def test_a_job_queued_behind_one_that_succeeded_just_runs(worlds):
    def program(comm):
        pools = []

        def reply(progress, word):
            if word == "0 success":
                pools[0].queue(double, (4,), deps=[progress.job])

        def fill(pool):
            pools.append(pool)
            pool.queue(double, (1,))

        return executed(comm, fill, listeners=[Ear(reply)])

    assert worlds(program)[0]["returned"] == {0: 2, 1: 8}


def test_a_long_chain_of_dependents_is_cancelled_without_recursion(worlds):
    def program(comm):
        def fill(pool):
            job = pool.queue(fail)
            for _ in range(3000):
                job = pool.queue(nothing, deps=[job])

        return executed(comm, fill)

    assert worlds(program)[0]["statuses"] == ["failed"] + ["cancelled"] * 3000


# -- cancelling ------------------------------------------------------------------------------------------


def test_a_job_that_was_cancelled_before_the_execution_does_not_run(worlds):
    ran = []

    def program(comm):
        def fill(pool):
            job = pool.queue(ran.append)
            child = pool.queue(nothing, deps=[job])
            job.cancel("not needed")
            return job.status.value, repr(job.error), child.status.value, str(child.error)

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["seen"] == (
        "cancelled",
        "JobCancelledError('not needed')",
        "cancelled",
        "Job killed for dependency failure",
    )
    assert outcome["error"] is None
    assert outcome["returned"] == {}
    assert ran == []


def test_a_job_that_a_listener_cancels_while_it_is_queued_does_not_run(worlds):
    def program(comm):
        def reply(progress, word):
            if word == "0 running":
                progress.jobs[-1].cancel("a listener's wish")

        def fill(pool):
            for _ in range(6):
                pool.queue(nap, (0.02,))

        ear = Ear(reply)
        return executed(comm, fill, listeners=[ear]), ear.of(5)

    outcome, heard = worlds(program)[0]
    assert outcome["statuses"] == ["success"] * 5 + ["cancelled"]
    assert outcome["job errors"][5] == "JobCancelledError: a listener's wish"
    assert heard == ["queued", "cancelled"]


def test_a_running_job_can_not_be_cancelled(worlds):
    def program(comm):
        told = []

        def reply(progress, word):
            if word == "0 running":
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    progress.job.cancel()
                told.extend(str(w.message) for w in caught)
                told.append(progress.job.status.value)

        outcome = executed(comm, lambda pool: pool.queue(nap, (0.05, 7)) and None, listeners=[Ear(reply)])
        return outcome, told

    outcome, told = worlds(program)[0]
    assert told[0].startswith("Could not cancel <FunctionJob 0")
    assert told[0].endswith("the job is already running.")
    assert told[1:] == ["running"]
    assert outcome["returned"] == {0: 7}


@pytest.mark.parametrize(("function", "ended"), [(nothing, "success"), (fail, "failed")])
def test_a_job_that_has_ended_can_not_be_cancelled(worlds, function, ended):
    def program(comm):
        def fill(pool):
            job = pool.queue(function)

            def look():
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    job.cancel("too late")
                return str(caught[0].message), job.status.value, type(job.error).__name__

            return look

        return executed(comm, fill).get("seen")

    message, status, error = worlds(program)[0]
    assert message.startswith("Could not cancel <FunctionJob 0")
    assert message.endswith(f"has ended ({ended}).")
    assert (status, error) == (ended, "NoneType" if ended == "success" else "ValueError")


def test_a_scheduler_may_cancel_a_job(worlds):
    class Node:
        def get_node_name(self):
            return "canceller"

    def program(comm):
        def fill(pool):
            first = pool.queue(nap, (0.1,))
            last = pool.queue(nothing, deps=[first])
            pool.schedule([Node()], lambda node: last.cancel("scheduled otherwise"))

        return executed(comm, fill)

    assert worlds(program)[0]["job errors"] == [None, "JobCancelledError: scheduled otherwise"]


def test_thousands_of_jobs_are_cancelled_in_the_midst_of_the_execution(worlds, tmp_path):
    def program(comm):
        opened = tmp_path / "opened"

        def reply(progress, word):
            if word == "20 success":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    for job in progress.jobs:
                        job.cancel()
                opened.touch()

        def fill(pool):
            for i in range(3000):
                pool.queue(*((gate, (str(opened),)) if i > 20 else (nothing,)))

        ear = Ear(reply)
        outcome = executed(comm, fill, listeners=[ear])
        ran = {int(h.split()[0]) for h in ear.heard if h.endswith("running")}
        return outcome.get("statuses"), ran, [ear.of(job) for job in (1000, 2999)]

    statuses, ran, heard = worlds(program)[0]
    assert set(statuses) <= {"success", "cancelled"}
    assert ran == {i for i, status in enumerate(statuses) if status == "success"}
    assert statuses[20] == "success"
    assert statuses.count("cancelled") >= 3000 - 21 - max(1, worlds.ranks - 1)
    assert heard == [["queued", "cancelled"]] * 2


# -- callbacks, and jobs by hand -------------------------------------------------------------------------


def test_callbacks_are_called_once_on_main_when_a_job_has_ended(worlds):
    def program(comm):
        called: list = []

        def fill(pool):
            a, b = pool.queue(double, (3,)), pool.queue(fail)
            c = pool.queue(nothing, deps=[b])
            for job in (a, b, c):
                job.on_completion(lambda job: called.append((job.id, job.status.value)))
                job.on_completion(lambda job: called.append((job.id, job.status.value)))
            return lambda: a.on_completion(lambda job: called.append("at once"))

        executed(comm, fill)
        return called

    called = worlds(program)[0]
    assert called[-1] == "at once"
    assert sorted(called[:-1]) == [(0, "success")] * 2 + [(1, "failed")] * 2 + [(2, "cancelled")] * 2


def test_a_job_may_be_run_by_hand(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            seen = None
            if pool.is_main():
                job, child = pool.queue(nap, (0.2, 5)), pool.queue(nothing)
                bad = pool.queue(fail)
                waiting = pool.queue(nothing, deps=[child])
                seen = [job.run(timeout=0.01), job.status.value, job.run(), job.status.value, job.result]
                seen += [bad.run(), bad.status.value, str(bad.error)]
                try:
                    waiting.run()
                except JobPoolError as error:
                    seen.append(str(error).endswith("1 of its dependencies have not ended"))
            try:
                pool.execute()
            except bsbpool.WorkflowError as error:
                return seen, len(error.exceptions), [job.status.value for job in pool.jobs]

    seen, errors, statuses = worlds(program)[0]
    assert seen == [True, "running", False, "success", 5, False, "failed", "boom", True]
    assert errors == 1
    assert statuses == ["success", "success", "failed", "success"]


def interrupt(owner):
    raise KeyboardInterrupt


def test_an_interrupt_that_a_job_raises_which_is_run_by_hand_is_its_failure(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            job = pool.queue(interrupt) if pool.is_main() else None
            if job is not None:
                job.run()
            try:
                pool.execute()
            except bsbpool.WorkflowError as errors:
                return job and (job.status.value, type(job.error), [type(each.__cause__) for each in errors.exceptions])

    assert worlds(program)[0] == ("failed", KeyboardInterrupt, [KeyboardInterrupt])


def test_what_was_set_in_motion_by_hand_keeps_nobody_waiting(worlds):
    def program(comm):
        def fill(pool):
            slow, queued = pool.queue(nap, (0.1, 3)), pool.queue(double, (2,))
            slow.run(timeout=0.01)
            queued.change_status(JobStatus.QUEUED)

        return executed(comm, fill)["returned"]

    assert worlds(program)[0] == {0: 3, 1: 4}


def test_status_result_and_exception_may_be_set_by_hand_as_the_table_allows(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            seen = []
            if pool.is_main():
                job, bad, off = pool.queue(nothing), pool.queue(nothing), pool.queue(nothing)
                for each in (job, bad):
                    each.change_status(JobStatus.QUEUED)
                    each.change_status(JobStatus.RUNNING)
                job.set_result(12)
                bad.set_exception(ValueError("by hand"))
                off.change_status(JobStatus.CANCELLED)
                seen = [job.status.value, job.result, bad.status.value, str(bad.error), off.status.value]
                for call in (
                    lambda: job.change_status(JobStatus.RUNNING),
                    lambda: job.set_result(13),
                    lambda: off.set_exception(ValueError()),
                    lambda: pool.queue(nothing).change_status(JobStatus.SUCCESS),
                ):
                    try:
                        call()
                    except JobPoolError as error:
                        seen.append(str(error).split(", ", 1)[1])
                pool.jobs[-1].cancel()
            try:
                pool.execute()
            except bsbpool.WorkflowError as error:
                return seen, [str(getattr(e, "error", e)) for e in error.exceptions]

    seen, errors = worlds(program)[0]
    assert seen == [
        "success", 12, "failed", "by hand", "cancelled",
        "it can't become running: a job that has ended never changes again",
        "it can't become success: a job that has ended never changes again",
        "it can't become failed: a job that has ended never changes again",
        "it can't become success: from pending a job becomes queued or cancelled",
    ]  # fmt: skip
    assert errors == ["by hand"]


# -- kinds of jobs ---------------------------------------------------------------------------------------


class Strategy:
    def __init__(self, name):
        self.name = name

    def get_node_name(self):
        return "{root}." + self.name

    def get_indicators(self):
        return {"granule": 3}

    def place(self, chunk, indicators):
        return "placed", self.name, chunk, indicators

    def _get_connect_args_from_job(self, pre, post):
        return [("pre", pre), ("post", post)]

    def connect(self, pre, post):
        return "connected", self.name, pre, post


def test_placement_and_connectivity_jobs_look_their_strategies_up_on_the_worker(worlds):
    def program(comm):
        place, connect = Strategy("golgi"), Strategy("golgi_to_granule")
        owner = bsbpool.Owner(comm, placement={"golgi": place}, connectivity={"golgi_to_granule": connect})

        def fill(pool):
            a = pool.queue_placement(place, (0, 0, 1))
            b = pool.queue_connectivity(connect, [(0, 0, 1)], None, deps=[a])
            return a.serialize(), b.serialize(), a.name, b.submitter is connect

        return executed(comm, fill, owner=owner)

    outcome = worlds(program)[0]
    assert outcome["seen"] == (
        ("PlacementJob", ("golgi", (0, 0, 1)), {}),
        ("ConnectivityJob", ("golgi_to_granule", [(0, 0, 1)], None), {}),
        "{root}.golgi",
        True,
    )
    assert outcome["returned"] == {
        0: ("placed", "golgi", (0, 0, 1), {"granule": 3}),
        1: ("connected", "golgi_to_granule", ("pre", [(0, 0, 1)]), ("post", None)),
    }


class CountingJob(Job):
    """A kind of job that users define."""

    def __init__(self, pool, letters, deps=None):
        super().__init__(pool, SubmissionContext("counting", letters=letters), [letters], {"times": 2}, deps)

    @staticmethod
    def execute(job_owner, args, kwargs):
        return len(args[0]) * kwargs["times"]


def test_a_kind_of_job_that_a_user_defines_works_on_workers_too(worlds):
    def program(comm):
        class LocalJob(CountingJob):
            @staticmethod
            def execute(job_owner, args, kwargs):
                return -len(args[0])

        def fill(pool):
            job = CountingJob(pool, "abc")
            LocalJob(pool, "abcd", deps=[job])
            return job.serialize(), job.description

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["returned"] == {0: 6, 1: -4}
    assert outcome["seen"] == (("CountingJob", ["abc"], {"times": 2}), "counting (letters=abc)")


def test_job_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Job(None, SubmissionContext("x"), (), {})  # type: ignore[abstract]


def test_the_dispatcher_runs_what_a_job_serialized(worlds):
    def program(comm):
        with bsbpool.pool.JobPool("dispatched", bsbpool.Owner(comm)) as pool:
            seen = dispatcher("dispatched", ("FunctionJob", (double, (8,)), {}))
            try:
                dispatcher("dispatched", ("NoSuchJob", (), {}))
            except JobPoolError as error:
                unknown = str(error)
            pool.execute()
        return seen, unknown

    for seen, unknown in worlds(program):
        assert seen == 16
        assert unknown.startswith("no job class is named 'NoSuchJob'; those that this process knows: FunctionJob")


@pytest.mark.ranks(1)
def test_a_submission_context_gives_its_entries_as_attributes(worlds):
    context = SubmissionContext("who", chunks=[1], volume=3)
    assert (context.name, context.submitter, context.chunks, context.context, context.volume) == (
        "who",
        "who",
        [1],
        {"volume": 3},
        3,
    )
    context.context["volume"] = 4
    assert context.volume == 3
    with pytest.raises(AttributeError, match="no attribute 'mass', nor has its context"):
        _ = context.mass


def test_cancelled_error_is_an_error_of_the_pool():
    assert issubclass(JobCancelledError, JobPoolError)


def test_a_result_that_was_set_by_hand_while_a_rank_ran_the_job_stays(worlds):
    def program(comm):
        def reply(progress, word):
            if word == "0 running":
                progress.job.set_result("by hand")

        def fill(pool):
            first = pool.queue(nap, (0.05, "by its rank"))
            pool.queue(nap, (0.01, "next"), deps=[first])
            return lambda: first.result

        return executed(comm, fill, listeners=[Ear(reply)])

    outcome = worlds(program)[0]
    assert outcome["seen"] == "by hand"
    assert outcome["returned"] == {0: "by hand", 1: "next"}


def test_a_failure_that_was_set_by_hand_is_an_error(worlds):
    def program(comm):
        def fill(pool):
            job = pool.queue(nothing, submitter="bad")
            for status in (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.FAILED):
                job.change_status(status)

        return executed(comm, fill)

    assert worlds(program)[0]["error"] == ["JobErroredError: <FunctionJob 0 bad> failed"]


def test_a_class_of_a_user_does_not_take_the_place_of_one_of_the_library(worlds):
    def program(comm):
        from bsbpool import pool as module

        class FunctionJob(module.FunctionJob):
            @staticmethod
            def execute(job_owner, args, kwargs):
                return "shadowed"

        def fill(pool):
            pool.queue(double, (1,))
            FunctionJob(pool, double, (1,), {})

        return executed(comm, fill)["returned"]

    assert worlds(program)[0] == {0: 2, 1: "shadowed"}


def test_a_rank_goes_on_when_the_job_that_it_was_to_get_was_ended_by_hand_meanwhile():
    class Node:
        def queue(self, pool):
            time.sleep(1)
            job = pool.queue(nothing)
            assert job.status is JobStatus.RUNNING  # its rank is chosen, and was not told yet
            job.set_result("by hand")
            pool.queue(double, (4,))

    def program(comm):
        return executed(comm, lambda pool: pool.schedule([Node()]))

    assert simulate(program, 2).results[0]["returned"] == {0: "by hand", 1: 8}


def test_a_callback_that_comes_while_the_job_ends_is_called():
    may_end = threading.Event()

    class Asked(FunctionJob):
        """Its function ends when another thread looks for callbacks, which waits for that end."""

        @property
        def _callbacks(self):
            if threading.current_thread().name == "registers":
                may_end.set()
                late = time.monotonic() + 0.5
                while not self.status.ended and time.monotonic() < late:
                    time.sleep(0.001)
            return FunctionJob._callbacks.__get__(self)  # type: ignore[attr-defined, misc]

        @_callbacks.setter
        def _callbacks(self, callbacks):
            FunctionJob._callbacks.__set__(self, callbacks)  # type: ignore[attr-defined, misc]

    called = []
    with bsbpool.job_pool(quiet=True) as pool:
        job = Asked(pool, lambda owner: may_end.wait(30), None, None)
        thread = threading.Thread(target=job.on_completion, args=[called.append], name="registers")
        thread.start()
        pool.execute()
        thread.join()
    assert called == [job]


def test_nodes_that_come_when_the_pool_closes_are_refused():
    asked, closing, refused = threading.Event(), threading.Event(), []

    def nodes():
        asked.set()
        closing.wait(30)
        yield "node"

    def schedule():
        with pytest.raises(JobPoolError) as caught:
            pool.schedule(nodes(), print)
        refused.append(str(caught.value))

    with bsbpool.job_pool(quiet=True) as pool:
        pool.add_listener(Ear(lambda progress, word: word == "closing" and closing.set()))
        thread = threading.Thread(target=schedule)
        thread.start()
        asked.wait(30)
        pool.execute()
        thread.join()
        assert refused == [f"Can't schedule: pool {pool.id} is closing, execute() has ended."]


def test_two_tasks_that_run_the_same_job_both_learn_of_its_end(worlds):
    def program(comm):
        seen = []
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                job = pool.queue(nap, (0.1,), submitter="by hand")
                told = world_of(comm).mailbox()
                for _ in range(2):
                    world_of(comm).start(Role.MANUAL_JOB, lambda: told.put((job.run(),)))
                seen += [job.run(), *told.get(), *told.get()]
            pool.execute()
        return seen

    assert worlds(program)[0] == [False] * 3


def test_what_waits_for_a_job_that_is_run_by_hand_runs_when_that_ends(worlds):
    """It ends when the last job that a rank ran has: nothing happens by which main would look what is ready."""

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                ended = threading.Event()
                pool.queue(nothing).on_completion(lambda job: ended.set())
                first = pool.queue(lambda owner: ended.wait(), submitter="by hand")
                pool.queue(double, (1,), deps=[pool.queue(double, (2,), deps=[first])])
                world_of(comm).start(Role.MANUAL_JOB, first.run)
            pool.execute()
            return [job.status.value for job in pool.jobs]

    assert worlds(program)[0] == ["success"] * 4


@pytest.mark.parametrize("how", ["succeeds", "fails"])
def test_what_waits_for_a_job_that_is_ended_by_hand_goes_on_at_once(worlds, how):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                first = pool.queue(nap, submitter="by hand")
                other = pool.queue(double, (1,), deps=[first])

                ended = threading.Event()
                pool.queue(nothing).on_completion(lambda job: ended.set())

                def end():
                    ended.wait()
                    first.set_result(1) if how == "succeeds" else first.set_exception(ValueError("by hand"))

                first.change_status(JobStatus.QUEUED)
                first.change_status(JobStatus.RUNNING)
                world_of(comm).start(Role.MANUAL_JOB, end)
                pool.add_listener(lambda progress: True)
            pool.execute()
            return other.status.value if pool.is_main() else None

    assert worlds(program)[0] == ("success" if how == "succeeds" else "cancelled")
