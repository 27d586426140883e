"""Values of the user's pass through the pool untouched: it asks none of them whether it is true, equal to another one,
hashable, or how long, and takes a text only where that can't stop anything."""

import pytest
from helpers import executed, nothing

import bsbpool
from bsbpool.exceptions import JobPoolError, WorkflowError
from bsbpool.pool import ConnectivityJob, FunctionJob, Job, PlacementJob, SubmissionContext
from bsbpool.trace import read_trace
from bsbpool.trace.listener import TraceRecorder
from bsbpool_sim import RankErrors, Script, simulate

np = pytest.importorskip("numpy")


class Asked(Exception):
    """Somebody asked a value of the user's."""


def _refuse(what):
    def method(self, *args, **kwargs):
        raise Asked(f"it was asked for {what}")

    return method


ASKED = (
    "bool", "eq", "ne", "lt", "le", "gt", "ge", "hash", "len", "contains", "str", "repr", "format", "iter", "getitem",
    "index", "int", "float", "length_hint", "bytes", "fspath", "call", "enter", "exit", "get", "set", "add", "radd",
)  # fmt: skip


class Hostile:
    """Raises whatever it is asked for, but for its class, its attributes, and how it is pickled."""

    def __init__(self, mark=0):
        self.mark = mark

    locals().update({f"__{name}__": _refuse(name) for name in ASKED if name not in ("call", "get", "set")})


class HostileError(ValueError):
    """An exception that can only be raised and caught."""

    def __init__(self, mark=0):
        super().__init__(mark)
        self.mark = mark

    locals().update({f"__{name}__": _refuse(name) for name in ("bool", "eq", "ne", "hash", "len", "str", "repr")})


def marks(owner, *values, **named):
    return [value.mark for value in values], {name: value.mark for name, value in named.items()}


def same(owner, value):
    return value


def raises(owner, error):
    raise error


def add(owner, *values):
    return sum(int(value) for value in values)


# -- arguments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "result"),
    [
        (np.array([0]), 0),
        (np.array([5]), 5),
        (np.array([0, 1]), 1),
        (np.array([]), 0),
        (np.array([0, 2], dtype=object), 2),
        ([0], 0),
        (range(3), 3),
        (iter([1, 2]), 3),
        ({7: None}.keys(), 7),
        ((), 0),
        (None, 0),
    ],
)
def test_args_are_a_sequence_whatever_they_are_kept_in(worlds, args, result):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            job = pool.queue(add, args if not hasattr(args, "__next__") else iter([1, 2]))  # type: ignore[arg-type]
            pool.execute()
            return job.result if pool.is_main() else None

    assert worlds(program)[0] == result


@pytest.mark.ranks(1)
@pytest.mark.parametrize("args", [np.array(5), 5, "text", b"ab", {"x": 1}, Hostile()])
def test_what_is_no_sequence_is_refused_with_what_would_be_right(worlds, args):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool, pytest.raises((TypeError, Asked)):
            pool.queue(add, args)

    worlds(program)


def test_arguments_context_submitter_and_results_are_handed_on(worlds):
    def program(comm):
        def fill(pool):
            jobs = [
                pool.queue(marks, (Hostile(1), Hostile(2)), {"named": Hostile(3)}),
                pool.queue(marks, [Hostile(4)], None, [], note=Hostile(), submitter=Hostile(), chunk=np.array([1, 2])),
                pool.queue(same, (Hostile(5),), context={"priority": Hostile(), "array": np.array([[1]])}),
            ]
            jobs.append(pool.queue(same, (np.zeros(2),), deps=np.array(jobs, dtype=object)))
            texts = [str(job) + repr(job) + job.name + job.description for job in jobs]
            assert "whose text raises Asked" in texts[1]

            def look():
                assert pool.get_submissions_of(jobs[1].submitter) == [jobs[1]]
                return jobs[0].result, jobs[1].result, jobs[2].result.mark, jobs[3].result.tolist()

            return look

        heard = []
        outcome = executed(comm, fill, listeners=[lambda progress: heard.append(progress.reason)])
        outcome["returned"] = None
        return outcome["error"], outcome["seen"] if heard else None

    error, seen = worlds(program)[0]
    assert error is None
    assert seen == (([1, 2], {"named": 3}), ([4], {}), 5, [0.0, 0.0])


def test_values_of_a_recorded_pool_are_not_asked_either(worlds, tmp_path):
    path = tmp_path / "run.trace"

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            pool.add_listener(TraceRecorder(path))
            if pool.is_main():
                nested = {"list": [Hostile()], "dict": {Text("a"): Hostile()}, "set": {Text("b")}}
                pool.queue(marks, (Hostile(),), submitter=Hostile(), note=Hostile(), chunks=[Hostile()], context=nested)
            pool.execute()

    worlds(program)
    if path.exists():
        (job,) = read_trace(path).of("job")
        assert job["context"]["note"] == "<Hostile whose repr raises Asked>"


class Text(str):
    """A key that is a text, and can be hashed, and nothing else."""

    __hash__ = str.__hash__
    __len__ = __bool__ = __str__ = __repr__ = _refuse("something")


# -- other entry points ------------------------------------------------------------------------------------


class Strategy:
    def __init__(self, name):
        self.name = name

    def get_node_name(self):
        return self.name

    def get_indicators(self):
        return {}

    def place(self, chunk, indicators):
        return [each.mark for each in chunk] if isinstance(chunk, list) else int(chunk.sum())

    def _get_connect_args_from_job(self, pre, post):
        return pre, post

    def connect(self, pre, post):
        return [len(pre), None if post is None else len(post)]


def test_chunks_and_regions_may_be_arrays(worlds):
    def program(comm):
        owner = bsbpool.Owner(comm, placement={"p": Strategy("p")}, connectivity={"c": Strategy("c")})

        def fill(pool):
            place, connect = owner.placement["p"], owner.connectivity["c"]
            jobs = [
                pool.queue_placement(place, np.array([0, 0, 3])),
                pool.queue_placement(place, [Hostile(2)]),
                pool.queue_connectivity(connect, np.zeros((1, 3)), np.ones((2, 3))),
                pool.queue_connectivity(connect, [Hostile()], None),
            ]
            return lambda: [job.result for job in jobs]

        return executed(comm, fill, owner=owner)

    outcome = worlds(program)[0]
    assert (outcome["error"], outcome["seen"]) == (None, [3, [2], [1, 2], [1, None]])


def test_errors_are_raised_and_reported_whatever_they_are(worlds):
    def program(comm):
        def fill(pool):
            jobs = [pool.queue(raises, (HostileError(1),)), pool.queue(raises, (HostileError(2),), submitter="named")]
            jobs.append(pool.queue(nothing, deps=jobs))
            return lambda: [(job.status.value, getattr(job.error, "mark", type(job.error).__name__)) for job in jobs]

        outcome = {}
        with bsbpool.job_pool(comm, quiet=True) as pool:
            look = fill(pool) if pool.is_main() else None
            with pytest.raises(WorkflowError) as caught:
                pool.execute()
            if look:
                outcome = look()
                for job in pool.jobs:
                    with pytest.raises(JobPoolError, match="is not available"):
                        job.result  # noqa: B018
        return outcome, len(caught.value.exceptions)

    outcome, errors = worlds(program)[0]
    assert errors == 2
    assert outcome == [("failed", 1), ("failed", 2), ("cancelled", "JobCancelledError")]


def test_an_exception_that_takes_no_notes_fails_its_job_and_not_its_rank(worlds):
    def program(comm):
        def fill(pool):
            for _ in range(3):
                pool.queue(raises_without_notes)
            pool.queue(nothing)

        return executed(comm, fill)

    outcome = worlds(program)[0]
    assert outcome["statuses"] == ["failed"] * 3 + ["success"]


def raises_without_notes(owner):
    error = ValueError("no notes")
    error.__notes__ = "no list"  # type: ignore[assignment]
    raise error


@pytest.mark.parametrize("returned", [np.array([1, 2]), np.array([]), Hostile()])
def test_what_a_listener_returns_matters_only_for_a_failed_job(worlds, returned):
    def program(comm):
        def fill(pool):
            pool.queue(nothing)
            pool.queue(raises, (ValueError("boom"),))
            pool.queue(nothing)

        outcome = executed(comm, fill, listeners=[lambda progress: returned])
        return outcome["error"], outcome.get("statuses")

    error, statuses = worlds(program)[0]
    assert statuses == ["success", "failed", "success"]
    (failure,) = error
    assert failure.startswith("JobErroredError: ")


@pytest.mark.ranks(1)
def test_a_failure_says_that_a_listener_returned_something_that_is_neither_true_nor_false(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            pool.add_listener(lambda progress: np.array([1, 2]))
            pool.queue(raises, (ValueError("boom"),))
            with pytest.raises(WorkflowError) as caught:
                pool.execute()
        return caught.value.exceptions[0].__notes__

    ((note,),) = worlds(program)
    assert "A listener returned array([1, 2]), of which nobody can tell whether it is true" in note


def test_nodes_and_what_they_depend_on_are_not_asked(worlds):
    class Node(Hostile):
        def __init__(self, name, depends_on):
            self.name, self.depends_on = name, depends_on

        def get_node_name(self):
            return self.name

    def program(comm):
        called = []

        def schedule(node):
            called.append(node.name)
            if node.name == "bad":
                raise HostileError

        first, bad = Node("first", None), Node("bad", np.array([], dtype=object))
        nodes = np.empty(4, dtype=object)
        nodes[:] = [first, bad, Node("of first", np.array([first], dtype=object)), Node("of bad", [first, bad])]
        with bsbpool.job_pool(comm, quiet=True) as pool:
            pool.schedule(nodes, schedule)
            with pytest.raises(WorkflowError) as caught:
                pool.execute()
        return called, [str(error) for error in caught.value.exceptions]

    called, errors = worlds(program)[0]
    assert called == ["first", "bad", "of first"]
    assert errors[0] == "bad was not scheduled: HostileError: (its text raises Asked)"
    assert errors[1] == "of bad was not scheduled: it depends on bad, which was not scheduled"


def test_numbers_of_numpy_are_numbers(worlds):
    def program(comm):
        owner = bsbpool.Owner(comm)
        outcome: object = {}
        with owner.create_job_pool(quiet=True, retries=np.int64(1), job_timeout=np.float32(50)) as pool:
            pool.add_listener(lambda progress: None, max_wait=np.int32(5))
            if pool.is_main():
                jobs = [
                    pool.queue(nothing, cache_items=np.array([1, 2]), timeout=np.int64(20)),
                    pool.queue(nothing, cache_items=[np.uint8(3)]),
                    pool.queue(nothing, cache_items=np.array([], dtype=int)),
                ]
                outcome = [job.timeout for job in jobs], sorted(pool.get_required_cache_items())
            pool.execute()
        return outcome

    assert worlds(program)[0] == ([20, 50, 50], [1, 2, 3])


@pytest.mark.ranks(1)
@pytest.mark.parametrize(
    "call",
    [
        lambda pool: pool.queue(Hostile()),
        lambda pool: pool.queue(nothing, kwargs=Hostile()),
        lambda pool: pool.queue(nothing, deps=[Hostile()]),
        lambda pool: pool.queue(nothing, cache_items=[Hostile()]),
        lambda pool: pool.queue(nothing, cache_items=np.array([1.5])),
        lambda pool: pool.queue(nothing, timeout=Hostile()),
        lambda pool: pool.queue(nothing, timeout=np.array([1, 2])),
        lambda pool: pool.queue(nothing, timeout=float("nan")),
        lambda pool: pool.queue(nothing, context=Hostile()),
        lambda pool: pool.add_listener(Hostile()),
        lambda pool: pool.add_listener(nothing, max_wait=Hostile()),
        lambda pool: pool.add_listener(nothing, max_wait=np.array([1.0, 2.0])),
        lambda pool: pool.schedule([], Hostile()),
        lambda pool: pool.queue(nothing).on_completion(Hostile()),
        lambda pool: pool.queue(nothing).set_exception(Hostile()),
    ],
)
def test_a_wrong_argument_is_refused_by_the_pool_and_not_by_what_it_is_asked(worlds, call):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            with pytest.raises((TypeError, ValueError, JobPoolError)) as caught:
                call(pool)
            assert not isinstance(caught.value, Asked)
            pool.execute()

    worlds(program)


@pytest.mark.ranks(1)
def test_a_submitter_whose_name_raises_still_has_jobs(worlds):
    class Nameless:
        def get_node_name(self):
            raise LookupError

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            jobs = [pool.queue(nothing, submitter=submitter) for submitter in (Nameless(), Strategy)]
            pool.execute()
            return [job.name for job in jobs]

    assert worlds(program) == [["<Nameless whose get_node_name() raises LookupError>", str(Strategy)]]


def test_kwargs_are_those_of_the_moment_in_which_they_were_queued(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            named = {"a": Hostile(1)}
            job = pool.queue(marks, kwargs=named)
            named["b"] = Hostile(2)
            pool.execute()
            return job.result if pool.is_main() else None

    assert worlds(program)[0] == ([], {"a": 1})


def test_what_a_job_of_a_kind_of_its_own_is_given_is_not_asked(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            job = Marked(pool, SubmissionContext(Hostile(), Hostile(), priority=Hostile()), Hostile(1), Hostile(2))
            pool.execute()
            return job.result if pool.is_main() else None

    assert worlds(program)[0] == (1, 2)


class Marked(Job):
    @staticmethod
    def execute(job_owner, args, kwargs):
        return args.mark, kwargs.mark


@pytest.mark.ranks(1)
def test_the_kinds_of_jobs_take_arrays_when_they_are_made_by_hand(worlds):
    def program(comm):
        owner = bsbpool.Owner(comm, placement={"p": Strategy("p")}, connectivity={"c": Strategy("c")})
        with owner.create_job_pool(quiet=True) as pool:
            jobs = [
                FunctionJob(pool, add, np.array([0]), None, None, np.array([4])),
                PlacementJob(pool, owner.placement["p"], np.array([1]), np.array([], dtype=object)),
                ConnectivityJob(pool, owner.connectivity["c"], np.array([0, 1]), np.array([0])),
            ]
            pool.execute()
            return [job.result for job in jobs]

    assert worlds(program) == [[0, 1, [2, 1]]]


@pytest.mark.ranks(1)
def test_a_method_that_listens_is_removed_though_python_makes_it_anew(worlds):
    class Listens(Hostile):
        def hear(self, progress):
            self.mark += 1

    def program(comm):
        owner, one, other = bsbpool.Owner(comm), Listens(), Listens()
        owner.register_listener(one.hear)
        owner.register_listener(other.hear)
        owner.remove_listener(one.hear)
        with owner.create_job_pool(quiet=True) as pool:
            pool.execute()
        return one.mark, other.mark > 0

    assert worlds(program) == [(0, True)]


def test_a_communicator_that_is_simulated_asks_nothing_of_what_it_carries():
    def program(comm):
        value = Hostile(comm.rank)
        found = [comm.bcast(value).mark, [each.mark for each in comm.allgather(value)]]
        found.append(comm.sendrecv(value, (comm.rank + 1) % 2, 0, None, (comm.rank + 1) % 2, 0).mark)
        return [*found, comm.scatter([Hostile(5), Hostile(6)] if comm.rank == 0 else None).mark]

    assert simulate(program, 2).results == [[0, [0, 1], 1, 5], [0, [0, 1], 0, 6]]


@pytest.mark.parametrize("ranks", [1, 2])
def test_an_exception_that_is_asked_nothing_ends_a_simulated_program(ranks):
    def program(comm):
        raise HostileError(comm.rank)

    with pytest.raises(RankErrors) as caught:
        simulate(program, ranks)
    said = caught.value.message
    marks = {rank: error.mark for rank, error in caught.value.by_rank.items()}  # type: ignore[attr-defined]
    # Nothing else is to be asked of it, by pytest for one.
    caught.value.by_rank.clear()  # type: ignore[attr-defined]
    assert said.endswith("HostileError: <HostileError whose text raises Asked>")
    assert marks == {rank: rank for rank in range(ranks)}


def test_a_script_compares_what_can_be_compared():
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                for chunk in (np.array([0, 1]), np.array([0, 2]), np.int64(3), [0, 1], Hostile(), float("nan"), (0, 2)):
                    pool.queue(nothing, chunk=chunk, submitter="it")
            pool.execute()
            return [job.status.value for job in pool.jobs]

    script = Script().job(context={"chunk": (0, 1)}, takes=1).job(context={"chunk": 3}, takes=10)
    script.job(context={"chunk": np.array([0, 2])}, takes=100)
    simulation = simulate(program, 2, script=script)
    assert simulation.results[0] == ["success"] * 7
    assert simulation.elapsed == pytest.approx(100 + 1 + 10 + 100, abs=0.1)


@pytest.mark.ranks(1)
@pytest.mark.parametrize("name", ["__eq__", "__hash__"])
def test_a_kind_of_job_that_compares_jobs_is_refused(worlds, name):
    kind = type("Alike", (Marked,), {name: lambda self, *others: 1})

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            with pytest.raises(TypeError, match=r"a pool tells jobs apart by which object they are.*eq=False"):
                kind(pool, SubmissionContext("it"), (), {})
            return len(pool.jobs)

    assert worlds(program) == [0]
