"""What BSB's code, its plugins and its tests hand to a pool, and users of both: this pool takes each of these.

Gone through for it: all that `bsb`, `bsb_hdf5`, `bsb_otel` and BSB's own tests pass to a pool (bsb-core 8.0.2, 7.6.0).

=============================  =====================================================================================
`JobPool(...)`                 `id`: seconds since 1970, the same for pools of one second; `fail_fast`: True, None;
                               `workflow`: None, a `Workflow`
`add_listener(l, max_wait)`    `max_wait`: None, 0.04, 1; a number of NumPy's. A listener whose `__enter__` returns None
`queue(f, args, ...)`          `f`: a function within a function, a lambda; `args`: None, tuple, list; `kwargs`: None;
                               context: `submitter` (a node), `uri`, `node`, `number`: texts and numbers, of NumPy too
`queue_placement(s, chunk)`    `chunk`: an array, a list, a tuple, BSB's `Chunk`, None
`queue_connectivity(s, a, b)`  `a`, `b`: None, an empty list, lists, sets and arrays of chunks, one-shot iterators
`deps=`                        None, an empty set, sets, lists, tuples, generators, `itertools.chain`
`cache_items=`                 None, an empty list, lists, sets; integers of NumPy
`schedule(nodes, scheduler)`   lists, sets (of hooks), values of a mapping, generators, arrays; `scheduler`: None
`get_submissions_of(s)`        a node, something that can't be hashed, an array
`execute(return_results)`      left out, False, True
=============================  =====================================================================================
"""

import itertools

import numpy as np
import pytest
from helpers import Ear, double, executed, nothing

from bsbpool.owner import Owner
from bsbpool.pool import JobPool, JobPoolError, JobStatus, SubmissionContext, Workflow
from bsbpool.pool.dependencies import check_dependencies


class Strategy:
    """What is left of a strategy of BSB's."""

    def __init__(self, name, depends_on=()):
        self.name = name
        self.depends_on = depends_on

    def get_node_name(self):
        return f"{{root}}.placement.{self.name}"

    def get_indicators(self):
        return {}

    def place(self, chunk, indicators):
        return np.asarray(chunk).tolist() if chunk is not None else None

    def _get_connect_args_from_job(self, before, after):
        return before, after

    def connect(self, before, after):
        return [None if roi is None else sorted(tuple(map(int, chunk)) for chunk in roi) for roi in (before, after)]


def results(worlds, fill, **options):
    """The results, on main, of the jobs that `fill(pool, strategy)` returns; and what else it says of them."""

    def program(comm):
        strategy = Strategy("s")
        owner = Owner(comm, placement={"s": strategy}, connectivity={"s": strategy})
        with JobPool(options.get("id", 1), owner, options.get("fail_fast"), options.get("workflow")) as pool:
            jobs = fill(pool, strategy) if pool.is_main() else []
            returned = pool.execute(True)
            return [returned[job] for job in jobs], [job.status for job in jobs]

    returned, statuses = worlds(program)[0]
    assert statuses == [JobStatus.SUCCESS] * len(returned)
    return returned


@pytest.mark.parametrize("fail_fast", [None, False, True, np.bool_(False)])
@pytest.mark.parametrize("id", [1795908915, np.int64(7)])
def test_a_pool_is_made_as_bsb_makes_it(worlds, fail_fast, id):
    assert results(worlds, lambda pool, _: [pool.queue(double, (2,))], id=id, fail_fast=fail_fast) == [4]
    workflow = Workflow(["pipelines", "placement"])
    assert results(worlds, lambda pool, _: [pool.queue(double, (2,))], workflow=workflow) == [4]


@pytest.mark.parametrize("max_wait", [None, 0.04, 1, np.float32(0.5), np.float64(0.5), np.int64(3)])
def test_a_listener_wants_a_ping_after_a_number_of_any_kind(worlds, max_wait):
    def program(comm):
        def fill(pool):
            pool.queue(nothing)

        return executed(comm, fill, listeners=[(Ear(), max_wait)]).get("statuses")

    assert worlds(program)[0] == ["success"]


def test_what_is_no_number_of_seconds_is_refused():
    with JobPool(1, Owner()) as pool:
        for wrong in (0, -1, np.float64(-1), "1", True, float("nan")):
            with pytest.raises(ValueError, match="max_wait is a number of seconds above 0"):
                pool.add_listener(Ear(), wrong)  # type: ignore[arg-type]
        pool.execute()


def test_functions_and_arguments(worlds):
    def fill(pool, strategy):
        def within(owner, *args, **kwargs):
            return args, kwargs

        return [
            pool.queue(within),
            pool.queue(within, None, None, None),
            pool.queue(within, (), {}, ()),
            pool.queue(within, ("name",), submitter=strategy),
            pool.queue(within, [1, 2], uri="file:///a", node=np.int64(3), number=1),
            pool.queue(lambda owner, i, j: (i, j), (1, 2)),
        ]

    assert results(worlds, fill) == [((), {})] * 3 + [(("name",), {}), ((1, 2), {}), (1, 2)]


CHUNKS = [None, [0, 0, 1], (0, 0, 1), np.array([0, 0, 1]), np.array([0, 0, 1], dtype=np.int16)]


@pytest.mark.parametrize("chunk", CHUNKS, ids=lambda chunk: f"{type(chunk).__name__}")
def test_chunks(worlds, chunk):
    expected = None if chunk is None else [0, 0, 1]
    assert results(worlds, lambda pool, s: [pool.queue_placement(s, chunk)]) == [expected]


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (lambda: None, None),
        (list, []),
        (lambda: [(0, 0, 1)], [(0, 0, 1)]),
        (lambda: {(0, 0, 1), (0, 0, 2)}, [(0, 0, 1), (0, 0, 2)]),
        (lambda: np.array([[0, 0, 1], [0, 0, 2]]), [(0, 0, 1), (0, 0, 2)]),
        (lambda: [np.array([0, 0, 1])], [(0, 0, 1)]),
        (lambda: np.zeros((0, 3)), []),
        (lambda: iter([(0, 0, 1)]), [(0, 0, 1)]),
        (lambda: (chunk for chunk in [(0, 0, 2), (0, 0, 1)]), [(0, 0, 1), (0, 0, 2)]),
    ],
)
def test_regions(worlds, region, expected):
    def fill(pool, strategy):
        return [
            pool.queue_connectivity(strategy, region(), None),
            pool.queue_connectivity(strategy, [(0, 0, 0)], region()),
        ]

    assert results(worlds, fill) == [[expected, None], [[(0, 0, 0)], expected]]


def test_dependencies_come_in_any_collection(worlds):
    kinds: list = [
        set,
        list,
        tuple,
        iter,
        frozenset,
        lambda jobs: (job for job in jobs),
        lambda jobs: dict.fromkeys(jobs),
    ]
    kinds += [lambda jobs: dict.fromkeys(jobs).keys(), lambda jobs: itertools.chain(jobs[:1], jobs[1:])]
    kinds += [lambda jobs: np.array(jobs, dtype=object), lambda jobs: [*jobs, *jobs]]

    def fill(pool, strategy):
        jobs = [pool.queue(double, (n,)) for n in range(3)]
        last = [pool.queue(double, (n,), deps=kind(jobs)) for n, kind in enumerate(kinds)]
        none = [pool.queue(double, (n,), deps=deps) for n, deps in enumerate((None, (), set(), [], iter(())))]
        assert all(job.status is JobStatus.PENDING for job in last + none)
        return last + none

    assert results(worlds, fill) == [2 * n for n in range(len(kinds))] + [0, 2, 4, 6, 8]


def test_dependencies_of_a_set_are_taken_in_the_order_in_which_they_were_queued():
    with JobPool(1, Owner()) as pool:
        jobs = [pool.queue(nothing) for _ in range(40)]
        last = pool.queue(nothing)
        assert check_dependencies(last, {*jobs}) == jobs
        assert check_dependencies(last, jobs[::-1]) == jobs[::-1]
        assert check_dependencies(last, dict.fromkeys(jobs[::-1])) == jobs[::-1]
        with pytest.raises(JobPoolError, match="is no job but"):
            check_dependencies(last, {*jobs, "a"})  # type: ignore[arg-type]
        pool.execute()


@pytest.mark.parametrize(
    "items", [None, [], (), {1, 2}, [1, 2], [np.int64(1)], np.array([1, 2], dtype=np.uint32), np.array([], dtype=int)]
)
def test_ids_of_cached_items(worlds, items):
    def fill(pool, strategy):
        job = pool.queue(nothing, cache_items=items)
        required = pool.get_required_cache_items()
        assert required == {*map(int, () if items is None else items)}
        assert {type(item) for item in required} <= {int}
        return [job]

    assert results(worlds, fill) == [None]


def test_what_is_no_id_of_a_cached_item_is_refused():
    with JobPool(1, Owner()) as pool:
        for wrong in (3, ["a"], [1.5], np.array([1.5]), "ab"):
            with pytest.raises(TypeError, match="cache_items lists ids of cached items"):
                pool.queue(nothing, cache_items=wrong)
        pool.execute()


class Hook:
    """Queues a job that says its name, as BSB's hooks do."""

    def __init__(self, name):
        self.name = name

    def get_node_name(self):
        return f"{{root}}.after_placement.{self.name}"

    def queue(self, pool):
        pool.queue(nothing, submitter=self)


@pytest.mark.parametrize(
    "nodes",
    [
        lambda hooks: hooks,
        set,
        frozenset,
        tuple,
        iter,
        lambda hooks: {hook.name: hook for hook in hooks}.values(),
        lambda hooks: (hook for hook in hooks),
        lambda hooks: np.array(hooks, dtype=object),
    ],
    ids=["list", "set", "frozenset", "tuple", "iterator", "values", "generator", "array"],
)
def test_nodes_are_scheduled_in_order_and_those_of_a_set_by_name(worlds, nodes):
    def program(comm):
        hooks = [Hook(name) for name in "abcdefgh"]
        with JobPool(1, Owner(comm)) as pool:
            pool.schedule(nodes(hooks))  # on other ranks than main nothing is scheduled
            pool.execute()
            return [job.name.rpartition(".")[2] for job in pool.jobs]

    assert worlds(program)[0] == [*"abcdefgh"]


def test_the_error_of_a_node_of_a_set_whose_name_raises_is_the_pools():
    class Broken:
        def get_node_name(self):
            raise RuntimeError("no name yet")

    with JobPool(1, Owner()) as pool:
        pool.schedule({Broken(), Hook("a")}, lambda node: None)
        with pytest.raises(ExceptionGroup) as caught:
            pool.execute()
    assert ["no name yet" in str(error) for error in caught.value.exceptions] == [True]


def test_submitters_are_told_apart_by_what_they_are(worlds):
    def fill(pool, strategy):
        array, listed = np.array([1, 2]), [1, 2]
        jobs = [pool.queue(nothing, submitter=each) for each in (strategy, array, listed, np.array([1, 2]), strategy)]
        assert pool.get_submissions_of(strategy) == [jobs[0], jobs[4]]
        assert pool.get_submissions_of(array) == [jobs[1]] and pool.get_submissions_of(listed) == [jobs[2]]
        return jobs

    assert results(worlds, fill) == [None] * 5


def test_a_submission_context_keeps_the_chunks_as_they_are_without_bsb():
    assert SubmissionContext("me").chunks is None
    assert SubmissionContext("me", chunks=[(0, 0, 1)], x=1).chunks == [(0, 0, 1)]
