"""One rank: nothing of the user's runs beside something else of the user's. `bsbpool.engine.turns` has the rule."""

import contextlib
import sys
import threading

import pytest
from helpers import Ear, executed, fail, gate, nap, nothing

import bsbpool
from bsbpool.pool import WorkflowError

pytestmark = pytest.mark.ranks(1)


class Stage:
    """Everything of the user's says when it enters and leaves: who enters while another is there is written down."""

    def __init__(self):
        self.there = []
        self.together = []
        self.order = []

    @contextlib.contextmanager
    def on(self, who):
        self.together += [(each, who) for each in self.there]
        self.there.append(who)
        self.order.append(who)
        try:
            yield
        finally:
            self.there.remove(who)


def job(owner, name, seconds=0.02):
    with owner.stage.on(name):
        nap(owner, seconds)


def run(comm, fill, **options):
    """The stage of a pool whose jobs, schedulers, listeners, callbacks and clean-ups all go on it."""
    owner = bsbpool.Owner(comm)
    stage = owner.stage = Stage()  # type: ignore[attr-defined]

    def listener(progress):
        with stage.on("listener"):
            nap(owner, 0.005)

    options.setdefault("listeners", [listener])
    outcome = executed(comm, lambda pool: fill(pool, stage), owner=owner, **options)
    return stage, outcome


def test_schedulers_come_first_then_jobs_and_nothing_runs_beside_anything(worlds):
    def program(comm):
        def fill(pool, stage):
            def scheduler(node):
                with stage.on(f"scheduler {node}"):
                    nap(None, 0.01)
                    added = pool.queue(job, (f"job {node}",), cache_items=[1], submitter=str(node))
                    nap(None, 0.01)

                    def callback(job):
                        with stage.on("callback"):
                            nap(None, 0.005)

                    added.on_completion(callback)

            def cleanup():
                with stage.on("clean-up"):
                    nap(None, 0.005)

            pool.owner.register_pool_cached_item(1, cleanup)
            pool.queue(job, ("early",), cache_items=[2])
            pool.schedule(["a", "b"], scheduler)
            pool.schedule(["c"], scheduler)

        stage, outcome = run(comm, fill)
        return stage.together, [who for who in stage.order if who not in ("listener", "callback")], outcome["error"]

    together, order, error = worlds(program)[0]
    assert together == [] and error is None
    assert order == ["scheduler a", "scheduler b", "scheduler c", "early", "job a", "job b", "job c", "clean-up"]


def opens(path, number):
    """A reply of a listener: opens a gate at the ping of that number."""
    pings = []

    def reply(progress, word):
        if word == "ping":
            pings.append(word)
            if len(pings) == number:
                open(path, "w").close()

    return reply


def test_the_status_is_scheduling_while_they_run_and_main_pings(worlds, tmp_path):
    def program(comm):
        third = str(tmp_path / "third")
        ear, seen = Ear(opens(third, 3)), []

        def fill(pool):
            def scheduler(node):
                seen.append((pool.status.value, pool.scheduling))
                gate(None, third)
                pool.queue(nothing)

            pool.schedule([1], scheduler)

        executed(comm, fill, listeners=[(ear, 0.1)])
        return ear.heard, seen

    heard, seen = worlds(program)[0]
    assert seen == [("scheduling", True)]
    assert heard.index("executing") > [i for i, word in enumerate(heard) if word == "ping"][2]
    assert [word for word in heard if word != "ping"] == [
        "scheduling", "+0", "executing", "0 queued", "0 running", "0 success", "closing",
    ]  # fmt: skip


def test_what_a_scheduler_queued_is_told_with_the_next_ping(worlds, tmp_path):
    def program(comm):
        first = str(tmp_path / "first")
        ear = Ear(opens(first, 1))

        def fill(pool):
            def scheduler(node):
                pool.queue(nothing)
                gate(None, first)

            pool.schedule([1], scheduler)

        executed(comm, fill, listeners=[(ear, 0.1)])
        return ear.heard

    assert worlds(program)[0][:3] == ["scheduling", "+0", "ping"]


def test_a_scheduler_that_comes_later_runs_between_two_jobs(worlds):
    def program(comm):
        def fill(pool, stage):
            def late(node):
                with stage.on("scheduler"):
                    nap(None, 0.02)
                    pool.queue(job, ("last",))

            def listener(progress):
                if getattr(progress, "job", None) is first and progress.status.ended:
                    pool.schedule([1], late)

            first = pool.queue(job, ("first",))
            for name in ("second", "third"):
                pool.queue(job, (name,))
            pool.add_listener(listener)

        stage, outcome = run(comm, fill, listeners=[])
        return stage.together, stage.order, outcome["error"]

    together, order, error = worlds(program)[0]
    assert together == [] and error is None
    # The second job was announced as running when the first one's end was told.
    assert order == ["first", "second", "scheduler", "third", "last"]


def test_a_scheduler_that_a_listener_adds_at_the_last_notification_runs(worlds):
    def program(comm):
        done = []

        def fill(pool):
            only = pool.queue(nothing)

            def listener(progress):
                if getattr(progress, "job", None) is only and progress.status.ended and not done:
                    pool.schedule(["late"], lambda node: done.append(node) or pool.queue(nothing))

            pool.add_listener(listener)

        outcome = executed(comm, fill)
        return done, outcome["statuses"]

    assert worlds(program)[0] == (["late"], ["success", "success"])


def test_a_job_that_schedules_is_over_before_the_scheduler_runs(worlds):
    def program(comm):
        def fill(pool, stage):
            def scheduler(node):
                with stage.on("scheduler"):
                    pool.queue(job, ("more",))

            def schedules(owner):
                with stage.on("job"):
                    pool.schedule([1], scheduler)
                    nap(owner, 0.05)

            pool.queue(schedules)

        stage, outcome = run(comm, fill, listeners=[])
        return stage.together, stage.order, outcome["statuses"]

    assert worlds(program)[0] == ([], ["job", "scheduler", "more"], ["success", "success"])


def test_with_fail_fast_a_scheduler_that_raises_ends_the_pool_before_the_others(worlds):
    def program(comm):
        called = []

        def fill(pool):
            pool.queue(nothing)
            pool.schedule([1], lambda node: called.append(node) or fail(None))
            pool.schedule([2], lambda node: called.append(node))

        outcome = executed(comm, fill, fail_fast=True)
        return called, outcome["statuses"], outcome["error"]

    called, statuses, error = worlds(program)[0]
    assert called == [1] and statuses == ["cancelled"]
    assert error == ["JobSchedulingError: 1 was not scheduled: ValueError: boom"]


def test_listeners_hear_that_a_job_runs_before_it_does(worlds):
    def program(comm):
        order = []

        def fill(pool):
            def runs(owner):
                order.append("runs")

            pool.queue(runs)
            pool.add_listener(
                lambda progress: order.append(progress.status.value) if hasattr(progress, "job") else None
            )

        executed(comm, fill)
        return order

    assert worlds(program)[0] == ["queued", "running", "runs", "success"]


def test_a_job_that_a_listener_ends_as_it_is_announced_does_not_run(worlds):
    def program(comm):
        ran = []

        def fill(pool):
            first = pool.queue(lambda owner: ran.append(1))
            second = pool.queue(lambda owner: ran.append(2), deps=[first])

            def listener(progress):
                if getattr(progress, "job", None) is first and progress.status.value == "running":
                    first.set_result("known")

            pool.add_listener(listener)
            return lambda: (first.result, second.status.value)

        outcome = executed(comm, fill)
        return ran, outcome["seen"]

    assert worlds(program)[0] == ([2], ("known", "success"))


@pytest.fixture(params=[False, True], ids=["plain", "traced"])
def traced(request):
    """Whether Python traces all calls of all threads, as a debugger does."""
    before = sys.gettrace(), threading.gettrace()
    if request.param:
        threading.settrace(lambda *_: None)
        sys.settrace(lambda *_: None)
    yield request.param
    if request.param:
        threading.settrace(before[1])
        sys.settrace(before[0])


def test_a_job_that_can_not_be_interrupted_keeps_no_scheduler_waiting(traced):
    """In this process only: a simulated job can always be interrupted."""
    release, scheduled = threading.Event(), []

    def stuck(owner):
        release.wait()

    def listener(progress):
        if getattr(progress, "job", None) is job and progress.status.ended:
            pool.schedule([1], scheduled.append)

    with bsbpool.job_pool(quiet=True) as pool:
        job = pool.queue(stuck, timeout=0.1)
        pool.add_listener(listener)
        with contextlib.suppress(WorkflowError):
            pool.execute()
        release.set()
    assert job.status.value == "aborted" and scheduled == [1]
