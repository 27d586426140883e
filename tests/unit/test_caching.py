"""Cached items: one per node and arguments, under ids that all ranks agree on, and freed one by one."""

import gc
import itertools
import weakref
import zlib

import pytest

from bsbpool import Owner as PoolOwner
from bsbpool import pool_cache
from bsbpool.pool.caching import free_items, free_stale_pool_cache, get_node_cache_items
from bsbpool_sim import simulate


class Owner:
    def __init__(self):
        self._pool_cache = {}

    def register_pool_cached_item(self, id, cleanup):
        self._pool_cache.setdefault(id, []).append(cleanup)


class Node:
    def __init__(self, name="node", owner=None):
        self.name = name
        self.scaffold = owner or Owner()
        self.calls = 0

    def get_node_name(self):
        return self.name

    def count(self):
        self.calls += 1
        return self.calls

    @pool_cache
    def heavy(self, *args, **kwargs):
        """Doc."""
        return self.count(), args, kwargs

    @pool_cache
    def other(self):
        return self.count()

    @pool_cache
    def fails(self, error):
        self.calls += 1
        raise error


class Parent(Node):
    def __init__(self, *children):
        super().__init__("parent")
        self.children = children

    def walk_nodes(self):
        yield self
        for child in self.children:
            yield child
            yield "no node"


def crc(text):
    return zlib.crc32(text.encode())


# -- remembering -------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [((), {}), ((1, "a"), {}), ((1,), {"b": (2, 3)})])
def test_the_same_call_is_made_once(arguments):
    node = Node()
    args, kwargs = arguments
    assert node.heavy(*args, **kwargs) is node.heavy(*args, **kwargs)
    assert node.calls == 1


def test_other_arguments_are_another_call():
    node = Node()
    calls = [((), {}), ((1,), {}), ((2,), {}), ((1, 2), {}), ((), {"x": 1}), ((), {"y": 1}), (("x", 1), {})]
    for args, kwargs in calls:
        assert node.heavy(*args, **kwargs)[1:] == (args, kwargs)
    assert node.calls == len(calls)


def test_each_node_remembers_its_own():
    owner = Owner()
    first, second = Node("same", owner), Node("same", owner)
    first.heavy()
    second.heavy()
    assert (first.calls, second.calls) == (1, 1)


def test_methods_remember_apart():
    node = Node()
    assert (node.heavy()[0], node.other(), node.heavy()[0], node.other()) == (1, 2, 1, 2)


def test_the_method_keeps_its_name_and_text():
    assert (Node.heavy.__name__, Node.heavy.__doc__) == ("heavy", "Doc.")


@pytest.mark.parametrize("arguments", [(([],), {}), ((1, {}), {}), ((), {"x": set()})])
def test_an_argument_that_is_not_hashable_is_an_error_that_names_the_method(arguments):
    args, kwargs = arguments
    with pytest.raises(TypeError, match=r"heavy\(\) is pool-cached, so that its arguments must be hashable"):
        Node().heavy(*args, **kwargs)


def test_another_type_error_of_a_hash_is_left_as_it_is():
    class Odd:
        def __hash__(self):
            raise TypeError("odd")

    with pytest.raises(TypeError, match=r"^odd$"):
        Node().heavy(Odd())


@pytest.mark.parametrize("error", [ValueError("bad"), TypeError("unhashable type: 'list'"), KeyError("k")])
def test_what_the_method_raises_is_raised_and_not_remembered(error):
    node = Node()
    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            node.fails(error)
        assert caught.value is error
    assert node.calls == 2


def test_there_is_no_limit_on_their_number():
    node = Node()
    for _, i in itertools.product(range(2), range(3000)):
        node.heavy(i)
    assert node.calls == 3000


# -- ids ---------------------------------------------------------------------------------------------


def test_what_a_method_keeps_is_registered_under_the_crc_of_both_names():
    node = Node("layers.granular")
    node.heavy()
    assert list(node.scaffold._pool_cache) == [crc("layers.granular.heavy")]


def test_it_is_registered_once_for_all_arguments():
    node = Node()
    for i in range(5):
        node.heavy(i)
    assert [len(cleanups) for cleanups in node.scaffold._pool_cache.values()] == [1]


def test_a_node_lists_the_ids_of_its_methods_in_order():
    assert get_node_cache_items(Node("n")) == [crc("n.fails"), crc("n.heavy"), crc("n.other")]


def test_a_node_lists_the_ids_of_its_children_too():
    children = Node("a"), Node("b")
    expected = [i for node in (Parent(), *children) for i in get_node_cache_items(node)]
    assert get_node_cache_items(Parent(*children)) == expected


def test_an_id_is_listed_once():
    assert len(get_node_cache_items(Parent(Node("a"), Node("a")))) == 6


@pytest.mark.parametrize("thing", [object(), 3, "text"])
def test_what_caches_nothing_has_no_ids(thing):
    assert get_node_cache_items(thing) == []


# -- freeing -----------------------------------------------------------------------------------------


def test_what_was_freed_is_called_for_again():
    node = Node()
    node.heavy()
    assert free_items(node.scaffold, [crc("node.heavy")]) == [crc("node.heavy")]
    assert node.heavy()[0] == 2
    assert list(node.scaffold._pool_cache) == [crc("node.heavy")]


@pytest.mark.parametrize("same_owner", [True, False])
def test_freeing_the_item_of_one_node_leaves_those_of_others(same_owner):
    owner = Owner()
    freed, kept = Node("freed", owner), Node("kept", owner if same_owner else Owner())
    for node in (freed, kept):
        node.heavy()
        node.other()
    free_items(owner, [crc("freed.heavy")])
    assert (kept.heavy()[0], kept.other(), freed.other()) == (1, 2, 2)
    assert freed.heavy()[0] == 3


def test_only_what_is_not_required_is_stale():
    owner = Owner()
    for name in "abc":
        Node(name, owner).heavy()
    assert free_stale_pool_cache(owner, [crc("b.heavy"), 5]) == [crc("a.heavy"), crc("c.heavy")]
    assert list(owner._pool_cache) == [crc("b.heavy")]


def test_what_the_owner_has_not_is_not_freed():
    assert free_items(Owner(), [1, 2]) == []


def test_all_of_one_id_is_freed():
    owner = Owner()
    nodes = [Node("same", owner) for _ in range(3)]
    for node in nodes:
        node.heavy()
    free_stale_pool_cache(owner, ())
    assert [node.heavy()[0] for node in nodes] == [2, 2, 2]


def test_a_clean_up_that_raises_does_not_stop_the_others():
    owner, freed = Owner(), []

    def bad():
        raise ValueError("bad")

    for id, cleanup in [(1, bad), (1, lambda: freed.append(1)), (2, bad), (3, lambda: freed.append(3))]:
        owner.register_pool_cached_item(id, cleanup)
    with pytest.raises(ExceptionGroup, match="clean-up of cached items failed") as caught:
        free_stale_pool_cache(owner, ())
    assert (freed, owner._pool_cache) == ([1, 3], {})
    assert [e.__notes__ for e in caught.value.exceptions] == [[f"while cached item {i} was freed"] for i in (1, 2)]


def test_a_freed_node_is_kept_by_nobody():
    node = Node()
    node.heavy("argument")
    seen, owner = weakref.ref(node), node.scaffold
    free_stale_pool_cache(owner, ())
    del node
    gc.collect()
    assert seen() is None


def test_an_order_to_free_is_not_lost_with_a_job_that_can_not_be_packed():
    item = crc("node.heavy")

    def program(comm):
        owner = PoolOwner(comm)
        with owner.create_job_pool() as pool:
            if pool.is_main():
                pool.add_listener(lambda progress: True)
                pool.queue(lambda owner: Node(owner=owner).heavy() and None, cache_items=[item])
                pool.queue(lambda owner, never: None, ((i for i in ()),))
                pool.queue(lambda owner: list(owner._pool_cache))
            return list(pool.execute(return_results=True).values())

    assert simulate(program, 2).results[0] == [None, []]


def test_orders_to_free_that_come_one_after_the_other_are_all_carried_out():
    one, other = crc("one.heavy"), crc("other.heavy")

    def load(owner):
        Node("one", owner=owner).heavy()
        Node("other", owner=owner).heavy()

    def program(comm):
        owner = PoolOwner(comm)
        with owner.create_job_pool() as pool:
            if pool.is_main():
                pool.add_listener(lambda progress: True)
                pool.queue(load, cache_items=[one, other])
                # The order for the first item comes with a job that can't be packed; that ends the need for the other.
                unpacked = pool.queue(lambda owner, never: None, ((i for i in ()),))
                pool.queue(lambda owner: None, deps=[unpacked], cache_items=[other])
                pool.queue(lambda owner: list(owner._pool_cache))
            return list(pool.execute(return_results=True).values())

    assert simulate(program, 2).results[0] == [None, []]


def test_a_node_that_is_gone_lends_its_memory_to_no_other():
    owner = Owner()
    for i in range(100):
        node = Node("same", owner)
        assert node.heavy(i)[0] == 1
        assert node.heavy(i)[0] == 1
        del node
        if i % 10 == 9:
            free_stale_pool_cache(owner, ())


# -- whose memory it is -------------------------------------------------------------------------------


class Bare:
    """A node that can't be hashed, referred to weakly, or compared."""

    __slots__ = ("name", "scaffold")

    def __init__(self, name, owner):
        self.name, self.scaffold = name, owner

    def __eq__(self, other):
        raise AssertionError("nodes are not compared")

    __hash__ = None

    def get_node_name(self):
        return self.name

    @pool_cache
    def loaded(self):
        return self.name


class Equal(Node):
    """A node that is equal to all others of its class."""

    def __eq__(self, other):
        return isinstance(other, Equal)

    def __hash__(self):
        return 1


@pytest.mark.parametrize("kind", [Bare, Equal])
def test_a_new_node_never_gets_the_value_of_one_that_is_gone(kind):
    method = "loaded" if kind is Bare else "heavy"
    seen = []
    for number in range(300):
        node = kind(f"node {number}", PoolOwner())
        first = getattr(node, method)()
        seen.append(first if kind is Bare else (first[0], node.calls))
        del node
        gc.collect(0)
    assert seen == ([f"node {number}" for number in range(300)] if kind is Bare else [(1, 1)] * 300)


def test_without_a_pool_the_memory_goes_with_its_owner():
    node = Node("node", PoolOwner())
    node.heavy()
    gone = weakref.ref(node), weakref.ref(node.scaffold)
    del node
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_a_copy_of_a_node_has_a_memory_of_its_own():
    import copy
    import pickle

    node = Node("node", Owner())
    node.other()
    node.calls = 10
    copies = [copy.copy(node), copy.deepcopy(node), pickle.loads(pickle.dumps(node))]
    assert [each.other() for each in copies] == [11, 11, 11]
    for each in copies[1:]:  # whose owners are copies, too
        free_stale_pool_cache(each.scaffold, ())
    assert [each.other() for each in (node, *copies)] == [1, 11, 12, 12]


def test_a_node_that_gets_another_owner_is_registered_there():
    node = Node("node", Owner())
    first = node.scaffold
    node.other()
    node.scaffold = Owner()
    assert node.other() == 2
    assert len(first._pool_cache) == len(node.scaffold._pool_cache) == 1
    free_stale_pool_cache(first, ())
    assert node.other() == 2  # that of the other owner is still there


def test_a_cached_method_can_be_cleared_and_says_what_it_has_like_that_of_functools():
    nodes = [Node(name, Owner()) for name in "ab"]
    before = Node.other.cache_info()  # type: ignore[attr-defined]
    for node in [*nodes, *nodes]:
        node.other()
    now = Node.other.cache_info()  # type: ignore[attr-defined]
    assert (now.hits - before.hits, now.misses - before.misses, now.currsize - before.currsize) == (2, 2, 2)
    assert now.maxsize is None
    Node.other.cache_clear()  # type: ignore[attr-defined]
    assert Node.other.cache_info() == (0, 0, None, 0)  # type: ignore[attr-defined]
    assert [node.other() for node in nodes] == [2, 2]
    assert all(len(cleanups) == 1 for node in nodes for cleanups in node.scaffold._pool_cache.values())
    assert Node.other.__wrapped__(nodes[0]) == 3  # type: ignore[attr-defined]


def test_a_rank_clears_its_own_memory_only():
    def program(comm):
        import bsbpool

        owner = bsbpool.Owner(comm)
        with owner.create_job_pool(quiet=True) as pool:
            node = Node("node", owner)
            node.other()
            comm.barrier()
            if comm.rank == 0:
                Node.other.cache_clear()  # type: ignore[attr-defined]
            comm.barrier()
            seen = Node.other.cache_info().currsize, node.other()  # type: ignore[attr-defined]
            pool.execute()
        return seen

    assert simulate(program, ranks=3).results == [(0, 2), (1, 1), (1, 1)]
