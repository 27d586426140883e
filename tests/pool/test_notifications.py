"""What listeners hear, in which order, and what they may do."""

import pytest
from helpers import Ear, double, executed, fail, gate, nap, nothing

import bsbpool
from bsbpool.pool import PoolProgressReason, PoolStatus, Workflow


def test_listeners_hear_of_everything_in_order(worlds):
    def program(comm):
        ears = [Ear(), Ear()]

        def fill(pool):
            a = pool.queue(double, (1,))
            pool.queue(double, (2,), deps=[a])

        executed(comm, fill, listeners=ears)
        return [ear.heard for ear in ears]

    first, *others = worlds(program)
    assert first[0] == first[1] == [
        "scheduling", "+0", "+1", "executing", "0 queued", "0 running", "0 success", "1 queued", "1 running",
        "1 success", "closing",
    ]  # fmt: skip
    assert others == [[[], []]] * (worlds.ranks - 1)


def test_notifications_say_what_happened(worlds):
    def program(comm):
        heard = []
        workflow = Workflow(["a", "b"])

        def listener(progress):
            entry = [type(progress).__name__, progress.reason, progress.workflow is workflow, len(progress.jobs)]
            for name in ("old_status", "status"):
                value = getattr(progress, name, None)
                entry.append(value if value is None else value.value)
            heard.append(entry)

        executed(comm, lambda pool: pool.queue(nothing) and None, listeners=[listener], workflow=workflow)
        return heard

    status, added, update = (
        PoolProgressReason.POOL_STATUS_CHANGE,
        PoolProgressReason.JOB_ADDED,
        PoolProgressReason.JOB_STATUS_CHANGE,
    )
    assert worlds(program)[0] == [
        ["PoolStatusProgress", status, True, 1, None, "scheduling"],
        ["PoolJobAddedProgress", added, True, 1, None, "executing"],
        ["PoolStatusProgress", status, True, 1, "scheduling", "executing"],
        ["PoolJobUpdateProgress", update, True, 1, "pending", "queued"],
        ["PoolJobUpdateProgress", update, True, 1, "queued", "running"],
        ["PoolJobUpdateProgress", update, True, 1, "running", "success"],
        ["PoolStatusProgress", status, True, 1, "executing", "closing"],
    ]


def test_a_job_of_a_third_of_a_second_gives_three_pings_at_a_tenth(worlds, tmp_path):
    """How many there are on real ranks depends on how busy the machine is: there the job waits for the third."""

    def program(comm):
        third, pings = str(tmp_path / "third"), []

        def reply(progress, word):
            if word == "ping":
                pings.append(word)
                if len(pings) == 3:
                    open(third, "w").close()

        def fill(pool):
            pool.queue(*((nap, (0.35,)) if worlds.simulated else (gate, (third,))))

        executed(comm, fill, listeners=[(Ear(reply), 0.1), (Ear(), 5)])
        return len(pings)

    pings = worlds(program)[0]
    assert pings == 3 if worlds.simulated else pings >= 3


def test_pings_come_only_when_nothing_else_does(worlds):
    def program(comm):
        ear = Ear()
        wait = 0.2 if worlds.simulated else 20.0  # a busy machine takes its time
        executed(comm, lambda pool: [pool.queue(nap, (0.06,)) for _ in range(5)] and None, listeners=[(ear, wait)])
        return ear.heard.count("ping")

    assert worlds(program)[0] == 0


@pytest.mark.ranks(1, 3)
def test_without_a_wish_a_pool_pings_once_a_minute(worlds):
    if not worlds.simulated:
        return  # a minute is long

    def program(comm):
        ear = Ear()
        executed(comm, lambda pool: pool.queue(nap, (200,)) and None, listeners=[ear, (Ear(), 300)])
        return ear.heard.count("ping")

    assert worlds(program)[0] == 3


def test_listeners_that_are_contexts_enter_and_leave_with_the_pool_on_every_rank(worlds):
    def program(comm):
        class Context(Ear):
            def __enter__(self):
                self.heard.append("enter")

            def __exit__(self, kind, error, traceback):
                self.heard.append(f"exit {kind and kind.__name__}")
                return True  # which must not hide the error

        early, late = Context(), Context()
        pool = bsbpool.Owner(comm).create_job_pool(quiet=True)
        pool.add_listener(early)
        try:
            with pool:
                pool.add_listener(late)
                pool.execute()
                raise KeyError("afterwards")
        except KeyError:
            pass
        else:
            return "the error was hidden"
        return [[ear.heard[0], ear.heard[-1]] for ear in (early, late)]

    assert worlds(program) == [[["enter", "exit KeyError"]] * 2] * worlds.ranks


def test_a_listener_may_queue_jobs(worlds):
    def program(comm):
        pools = []

        def reply(progress, word):
            if word.endswith("success") and len(progress.jobs) < 6:
                pools[0].queue(double, (len(progress.jobs),), deps=[progress.job])

        def fill(pool):
            pools.append(pool)
            pool.queue(double, (0,))

        ear = Ear(reply)
        outcome = executed(comm, fill, listeners=[ear])
        return outcome["returned"], ear.heard[-4:]

    returned, heard = worlds(program)[0]
    assert returned == {i: 2 * i for i in range(6)}
    assert heard == ["5 queued", "5 running", "5 success", "closing"]


def test_a_listener_may_handle_an_error_by_returning_true(worlds):
    def program(comm):
        handler = Ear(lambda progress, word: word == "0 failed")
        deaf = Ear()

        def fill(pool):
            pool.queue(fail, ("handled",))
            pool.queue(fail, ("unhandled",))

        return executed(comm, fill, listeners=[deaf, handler])

    outcome = worlds(program)[0]
    assert len(outcome["error"]) == 1
    assert outcome["error"][0].startswith("JobErroredError: <FunctionJob 1 ")
    assert outcome["statuses"] == ["failed", "failed"]


def test_when_all_errors_were_handled_every_rank_returns(worlds):
    def program(comm):
        return executed(
            comm, lambda pool: pool.queue(fail) and None, listeners=[Ear(lambda progress, word: word == "0 failed")]
        )

    assert [outcome["error"] for outcome in worlds(program)] == [None] * worlds.ranks


@pytest.mark.parametrize("word", ["scheduling", "+0", "executing", "0 running", "0 success", "1 failed", "closing"])
def test_a_listener_that_raises_stops_the_pool_and_all_others_hear_all(worlds, word):
    def program(comm):
        def reply(progress, heard):
            if heard == word:
                raise LookupError(f"at {word}")

        bad, before, after = Ear(reply), Ear(), Ear()

        def fill(pool):
            pool.queue(nap, (0.01,))
            pool.queue(fail)
            pool.queue(nap, (0.02,))

        outcome = executed(comm, fill, listeners=[before, bad, after])
        return outcome, bad.heard == before.heard == after.heard, before.heard

    (outcome, same, heard), *others = worlds(program)
    assert outcome["error"] == f"LookupError('at {word}')"
    assert same
    assert heard[-1] == "closing"
    assert set(outcome["statuses"]) <= {"success", "failed", "cancelled", "aborted"}
    if word != "closing":
        assert outcome["statuses"][2] in ("cancelled", "aborted")
    assert [o["error"] for o, _, _ in others] == [["JobPoolError: See main node logs for details."]] * (
        worlds.ranks - 1
    )


def test_a_callback_that_raises_stops_the_pool(worlds):
    def program(comm):
        def fill(pool):
            job = pool.queue(double, (4,))

            def callback(job):
                raise LookupError("callback")

            job.on_completion(callback)
            return lambda: job.result

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["error"] == "LookupError('callback')"
    assert outcome["seen"] == 8


def test_a_thousand_listeners_hear_the_same(worlds):
    def program(comm):
        ears = [Ear() for _ in range(1000)]
        executed(comm, lambda pool: pool.queue(nothing) and None, listeners=ears)
        return {tuple(ear.heard) for ear in ears}

    assert worlds(program)[0] == {("scheduling", "+0", "executing", "0 queued", "0 running", "0 success", "closing")}


@pytest.mark.ranks(1)
def test_listeners_of_an_owner_hear_all_its_pools_until_removed(worlds):
    def program(comm):
        owner, ear = bsbpool.Owner(comm), Ear()
        owner.register_listener(ear, max_wait=3)
        executed(comm, lambda pool: None, owner=owner)
        owner.remove_listener(ear)
        executed(comm, lambda pool: None, owner=owner)
        with pytest.raises(ValueError, match="not registered"):
            owner.remove_listener(ear)
        return ear.heard

    assert worlds(program) == [["scheduling", "executing", "closing"]]


@pytest.mark.ranks(1)
def test_notifications_may_be_added_and_delivered_by_hand(worlds):
    def program(comm):
        ear = Ear()
        pool = bsbpool.Owner(comm).create_job_pool(quiet=True)
        pool.add_listener(ear)
        with pool:
            pool.ping()
            pool.notify()
            early = list(ear.heard)
            pool.change_status(PoolStatus.SCHEDULING)
            pool.execute()
        return early, ear.heard

    early, heard = worlds(program)[0]
    assert early == ["scheduling", "ping"]
    assert heard == ["scheduling", "ping", "scheduling", "executing", "closing"]


def test_a_workflow_goes_through_its_phases():
    phases = ["placement", "connectivity"]
    workflow = Workflow(phases)
    phases.append("simulation")
    assert (workflow.phases, workflow.phase, workflow.finished) == (["placement", "connectivity"], "placement", False)
    workflow.phases.clear()
    assert workflow.next_phase() == "connectivity"
    assert workflow.next_phase() == "finished"
    assert (workflow.phase, workflow.finished) == ("finished", True)


def test_a_listener_that_can_not_be_entered_keeps_nobody_waiting(worlds):
    class Bad(Ear):
        def __enter__(self):
            raise OSError("no terminal")

        def __exit__(self, *exc):
            pass

    def program(comm):
        pool = bsbpool.Owner(comm).create_job_pool(quiet=True)
        if pool.is_main():
            pool.add_listener(Bad())
        try:
            with pool:
                pool.execute()
        except OSError as error:
            return str(error)
        except bsbpool.WorkflowError as error:
            return str(error.exceptions[0])

    assert worlds(program) == ["no terminal"] + ["See main node logs for details."] * (worlds.ranks - 1)
