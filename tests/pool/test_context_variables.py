"""Context variables: what is handed in to a pool runs with those that were set where it was handed in."""

import contextvars
import threading

import bsbpool

VARIABLE = contextvars.ContextVar("variable", default="unset")
OWN = contextvars.ContextVar("own", default=0)


def look(owner):
    return VARIABLE.get()


def count(owner):
    OWN.set(OWN.get() + 1)
    return OWN.get()


def test_schedulers_listeners_and_callbacks_have_those_of_where_they_were_handed_in(worlds):
    def program(comm):
        seen = {}

        def listener(progress):
            seen.setdefault("listener", VARIABLE.get())

        def scheduler(node):
            seen["scheduler"] = VARIABLE.get()
            VARIABLE.set("of the scheduler")
            job = pool.queue(look)
            VARIABLE.set("of the callback")
            job.on_completion(lambda job: seen.update(callback=VARIABLE.get()))

        with bsbpool.job_pool(comm, quiet=True) as pool:
            VARIABLE.set("where the listener was added")
            pool.add_listener(listener)
            VARIABLE.set("where it was scheduled")
            pool.schedule(["node"], scheduler)
            VARIABLE.set("main's own")
            results = pool.execute(return_results=True)
            return seen, list(results.values()), VARIABLE.get()

    main, *others = worlds(program)
    seen, results, mine = main
    assert seen == {
        "listener": "where the listener was added",
        "scheduler": "where it was scheduled",
        "callback": "of the callback",
    }
    # A job runs with those of where it was queued, or, on another rank, of where that rank called execute().
    assert results == ["of the scheduler" if worlds.ranks == 1 else "main's own"]
    assert mine == "main's own" and all(other[2] == "main's own" for other in others)


def test_what_a_job_sets_no_other_job_sees(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            for _ in range(4):
                pool.queue(count)
            return list(pool.execute(return_results=True).values()), OWN.get()

    main, *others = worlds(program)
    assert main == ([1, 1, 1, 1], 0)
    assert all(other == ([], 0) for other in others)


def test_they_are_there_if_another_thread_executes():
    """In this process only: simulated ranks have no threads of their own."""
    seen = []
    with bsbpool.job_pool(quiet=True) as pool:
        VARIABLE.set("handed in")
        pool.add_listener(lambda progress: seen.append(VARIABLE.get()))
        job = pool.queue(look)
        results = []
        thread = threading.Thread(target=lambda: (pool.execute(), results.append(job.result)))
        thread.start()
        thread.join()
    assert set(seen) == {"handed in"} and results == ["handed in"]


def test_a_listener_keeps_what_it_sets_and_main_does_not_see_it(worlds):
    def program(comm):
        heard = []

        def listener(progress):
            OWN.set(OWN.get() + 1)
            heard.append(OWN.get())
            if len(heard) == 2:
                pool.add_notification(progress)
                pool.notify()  # it may tell itself

        with bsbpool.job_pool(comm, quiet=True) as pool:
            pool.add_listener(listener)
            pool.queue(look)
            pool.execute()
            return heard[:2], OWN.get()

    assert worlds(program)[0] == ([1, 2], 0)


def test_attributes_of_a_users_own_and_weak_references(worlds):
    import weakref

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            job = pool.queue(look)
            job.mine = [1]  # type: ignore[attr-defined]
            alive = weakref.WeakKeyDictionary({job: "known"})
            pool._max_wait = 0.5
            pool.execute()
            return job.mine, alive[job], pool._max_wait  # type: ignore[attr-defined]

    assert set(map(str, worlds(program))) == {"([1], 'known', 0.5)"}
