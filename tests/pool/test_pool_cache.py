"""Caches on the ranks: what is kept, what is freed, and before which job."""

from helpers import double, executed, fail, nothing

import bsbpool
from bsbpool.pool import free_stale_pool_cache, get_node_cache_items, pool_cache


class Strategy:
    """A node with cached methods, one for each rank."""

    def __init__(self, name, scaffold):
        self.name = name
        self.scaffold = scaffold
        self.loads = 0

    def get_node_name(self):
        return self.name

    @pool_cache
    def load(self, chunk=0):
        self.loads += 1
        return self.name, chunk

    @pool_cache
    def other(self):
        return "other"

    def get_indicators(self):
        return None

    def place(self, chunk, indicators):
        self.load()
        return self.loads, list(self.scaffold._pool_cache)


def make_owner(comm, *names):
    owner = bsbpool.Owner(comm)
    owner.placement = {name: Strategy(name, owner) for name in names}
    return owner


def load(owner, name):
    owner.placement[name].load()
    return owner.placement[name].loads


def held(owner):
    return list(owner._pool_cache)


def test_an_item_survives_as_long_as_a_job_requires_it(worlds):
    def program(comm):
        owner = make_owner(comm, "golgi")

        def fill(pool):
            for chunk in range(12):
                pool.queue_placement(owner.placement["golgi"], chunk)

        outcome = executed(comm, fill, owner=owner)
        return outcome["returned"], owner.placement["golgi"].loads, held(owner)

    results = worlds(program)
    assert {loads for loads, _ in results[0][0].values()} == {1}
    assert all(loads <= 1 for _, loads, _ in results)
    assert all(left == [] for _, _, left in results)


def test_an_item_is_freed_before_the_first_job_that_comes_when_none_requires_it(worlds):
    def program(comm):
        owner = make_owner(comm, "golgi", "granule")

        def fill(pool):
            golgi, granule = owner.placement.values()
            first = [pool.queue_placement(golgi, i) for i in range(6)]
            between = [pool.queue(nothing, deps=first, cache_items=get_node_cache_items(granule)) for _ in range(6)]
            [pool.queue(held, deps=between) for _ in range(6)]
            return get_node_cache_items(golgi), get_node_cache_items(granule)

        outcome = executed(comm, fill, owner=owner)
        return outcome["returned"], outcome.get("seen")

    returned, (golgi, granule) = worlds(program)[0]
    assert len(set(golgi + granule)) == 4
    assert [returned[i] for i in range(12, 18)] == [[]] * 6


def test_an_item_that_no_job_declares_is_freed_before_the_next_job(worlds):
    def program(comm):
        owner = make_owner(comm, "golgi")

        def fill(pool):
            loads = [pool.queue(load, ("golgi",)) for _ in range(40)]
            pool.queue(held, deps=loads)

        outcome = executed(comm, fill, owner=owner)
        return outcome["returned"], owner.placement["golgi"].loads

    results = worlds(program)
    returned = results[0][0]
    assert returned[40] == []
    assert sum(loads for _, loads in results) == 40


def swap(owner, name):
    free_stale_pool_cache(owner, ())
    owner.placement[name].load()


def test_an_item_that_a_job_takes_in_when_it_has_freed_another_is_freed_too(worlds):
    def program(comm):
        owner = make_owner(comm, "golgi", "granule")

        def fill(pool):
            items = get_node_cache_items(owner.placement["golgi"])
            loads = pool.queue(load, ("golgi",), cache_items=items)
            swaps = pool.queue(swap, ("granule",), deps=[loads], cache_items=items)
            pool.queue(held, deps=[swaps])

        return executed(comm, fill, owner=owner)["returned"]

    assert worlds(program)[0][2] == []


def test_freeing_one_node_leaves_the_others_alone(worlds):
    def program(comm):
        owner = make_owner(comm, "golgi", "granule")

        def fill(pool):
            golgi, granule = owner.placement.values()
            a = [pool.queue_placement(golgi, i) for i in range(8)]
            b = [pool.queue_placement(granule, i) for i in range(8)]
            gate = pool.queue(nothing, deps=a + b)
            for i in range(8):
                pool.queue_placement(granule, i, deps=[gate])

        executed(comm, fill, owner=owner)
        return [strategy.loads for strategy in owner.placement.values()]

    for golgi, granule in worlds(program):
        assert golgi <= 1
        assert granule <= 1


def test_cancelled_and_failed_jobs_require_nothing(worlds):
    def program(comm):
        owner = make_owner(comm, "golgi")

        def fill(pool):
            items = get_node_cache_items(owner.placement["golgi"])
            bad = pool.queue(fail, cache_items=items)
            pool.queue(nothing, deps=[bad], cache_items=items)
            off = pool.queue(nothing, cache_items=items)
            before = pool.get_required_cache_items() == {*items}
            off.cancel()
            return lambda: (before, pool.get_required_cache_items())

        return executed(comm, fill, owner=owner).get("seen")

    assert worlds(program)[0] == (True, set())


def test_every_rank_has_freed_all_when_a_pool_fails(worlds):
    def program(comm):
        owner = make_owner(comm, "golgi")

        def fill(pool):
            jobs = [pool.queue_placement(owner.placement["golgi"], i) for i in range(4)]
            pool.queue(fail, deps=jobs)
            for i in range(20):
                pool.queue_placement(owner.placement["golgi"], i, deps=jobs)

        outcome = executed(comm, fill, owner=owner, fail_fast=True)
        return outcome["error"] is not None, held(owner)

    assert worlds(program) == [(True, [])] * worlds.ranks


def test_what_a_rank_cached_before_the_execution_is_freed_too(worlds):
    def program(comm):
        owner = make_owner(comm, "golgi")
        owner.placement["golgi"].load()
        outcome = executed(comm, lambda pool: [pool.queue(held) for _ in range(6)] and None, owner=owner)
        return outcome["returned"], held(owner)

    results = worlds(program)
    assert set(map(tuple, results[0][0].values())) == {()}
    assert all(left == [] for _, left in results)


def test_more_than_a_thousand_items_are_kept(worlds):
    def program(comm):
        owner = make_owner(comm, *(f"node {i}" for i in range(1500)))

        def fill(pool):
            items = [item for node in owner.placement.values() for item in get_node_cache_items(node)]
            pool.queue(load_all, cache_items=items)

        return executed(comm, fill, owner=owner)["returned"]

    assert worlds(program)[0] == {0: 1500}


def load_all(owner):
    for strategy in owner.placement.values():
        strategy.load()
        strategy.load()
    return len(owner._pool_cache)


def test_a_clean_up_that_raises_is_an_error_of_its_rank_and_of_no_job(worlds):
    def register(owner):
        def cleanup():
            raise OSError("busy")

        owner.register_pool_cached_item(7, cleanup)

    def program(comm):
        def fill(pool):
            first = pool.queue(register, cache_items=[7])
            # One after the other, until the rank of the first one has had its turn.
            last = first
            for i in range(20):
                last = pool.queue(double, (i,), deps=[last])

        return executed(comm, fill)

    outcomes = worlds(program)
    assert outcomes[0]["statuses"] == ["success"] * 21
    assert sorted(str(outcome["error"]) for outcome in outcomes) == ["None"] * (worlds.ranks - 1) + [
        "['OSError: busy']"
    ]


def test_a_job_that_frees_items_on_its_own_does_not_confuse_main(worlds):
    def free_by_hand(owner):
        return free_stale_pool_cache(owner, ())

    def program(comm):
        owner = make_owner(comm, "golgi")

        def fill(pool):
            items = get_node_cache_items(owner.placement["golgi"])
            last = None
            for _ in range(20):
                first = pool.queue(load, ("golgi",), deps=last and [last], cache_items=items)
                last = pool.queue(free_by_hand, deps=[first], cache_items=items)
            pool.queue(double, (1,), deps=[last])

        return executed(comm, fill, owner=owner)

    assert worlds(program)[0]["statuses"] == ["success"] * 41


def test_a_stale_item_can_be_freed_by_hand():
    owner = make_owner(None, "golgi")
    node = owner.placement["golgi"]
    node.load(1)
    node.load(2)
    node.other()
    load_id, other_id = get_node_cache_items(node)
    assert free_stale_pool_cache(owner, [other_id]) == [load_id]
    node.load(1)
    assert node.loads == 3
