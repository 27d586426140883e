"""Random cases for a pool: what main, its listeners, callbacks and schedulers do, what jobs do, and what befalls ranks.

A `Case` is plain data: its text, as Hypothesis prints it, is all that it takes to run it again (``run(case)``).
Jobs are named by numbers that count backwards or wrap around, so that whatever is left out, the rest still means
something: that is what lets Hypothesis shrink. What has to hold of a run is said in `invariants`.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

from faker import Faker
from greenlet import GreenletExit, getcurrent
from hypothesis import strategies as st
from invariants import Run

import bsbpool
from bsbpool.errors_and_facts import in_words
from bsbpool.exceptions import JobInterrupted
from bsbpool.pool import (
    JobPoolError,
    JobStatus,
    PoolJobAddedProgress,
    PoolJobUpdateProgress,
    PoolStatusProgress,
    RankLostError,
    WorkflowError,
    get_node_cache_items,
    pool_cache,
)
from bsbpool.trace.format import fields_of
from bsbpool_sim import Script, simulate

# -- names that look real ----------------------------------------------------------------------------


def _names_and_contexts() -> tuple[list[str], list[dict[str, Any]]]:
    fake = Faker(["en_US", "it_IT", "ja_JP", "de_DE"])
    fake.seed_instance(20080)
    cells = [f"{fake.word()}_{kind}_cell".lower() for kind in ("granule", "golgi", "purkinje", "basket", "stellate")]
    names = [f"{{root}}.placement.{cell}" for cell in cells]
    names += [f"{{root}}.connectivity.{a}_to_{b}" for a, b in itertools.pairwise(cells)]
    names += [fake.name() for _ in range(8)] + [fake.sentence(3) for _ in range(4)]
    contexts: list[dict[str, Any]] = [{}]
    contexts += [
        {
            "chunk": [fake.random_int(0, 20) for _ in range(3)],
            "morphology": fake.file_path(extension="swc"),
            "author": fake.name(),
            "note": fake.text(60),
            "density": fake.pyfloat(right_digits=3, positive=True, max_value=5),
        }
        for _ in range(12)
    ]
    contexts += [{"chunk": c["chunk"]} for c in contexts[1:5]]
    return names, contexts


NAMES, CONTEXTS = _names_and_contexts()

#: Nodes with a cached method, on every rank.
NODES = NAMES[:3]


# -- what a case says --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Queue:
    """Queue a job, or some that are alike.

    :ivar back: what it depends on: jobs that were queued so many before it.
    :ivar takes: seconds.
    :ivar ends: ``returns``, or how else; see `work`.
    :ivar requires: nodes whose cached item it declares.
    :ivar uses: nodes whose cached method it calls.
    :ivar places: the node of which it is a placement job.
    :ivar then: what its callback does on completion.
    :ivar limit: its time limit, in seconds.
    """

    back: tuple[int, ...] = ()
    takes: float = 0.0
    ends: str = "returns"
    value: Any = None
    requires: tuple[int, ...] = ()
    uses: tuple[int, ...] = ()
    places: int | None = None
    then: tuple[Any, ...] = ()
    limit: float | None = None
    copies: int = 1
    name: str = NAMES[0]
    context: int = 0


@dataclass(frozen=True)
class Cancel:
    """Cancel the job with this number, of those that there are; or the one so many after the last that started."""

    which: int
    near: bool = False


@dataclass(frozen=True)
class Wait:
    """Sleep."""

    seconds: float


@dataclass(frozen=True)
class ByHand:
    """Do something by hand to a job, counted as in `Cancel`: ``set`` its result, ``fail`` it, or ``run`` it on main."""

    how: str
    which: int
    near: bool = False


@dataclass(frozen=True)
class Raise:
    """Raise an error."""


@dataclass(frozen=True)
class Node:
    """What a scheduler does with a node; `after`: nodes before it in its schedule that it depends on."""

    steps: tuple[Any, ...]
    after: tuple[int, ...] = ()


@dataclass(frozen=True)
class Schedule:
    """Schedule nodes."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Listener:
    """A listener.

    :ivar handles: failures of ``none``, ``all``, or ``odd`` jobs.
    :ivar acts: what it does at which of its notifications: number and step.
    """

    handles: str = "none"
    max_wait: float | None = None
    acts: tuple[tuple[int, Any], ...] = ()


@dataclass(frozen=True)
class Fate:
    """What befalls a rank; `leaves`: it ``raises`` or ``skips`` instead of calling execute()."""

    slower: float = 1.0
    pauses: tuple[tuple[float, float], ...] = ()
    dies: float | None = None
    leaves: str | None = None


@dataclass(frozen=True)
class Case:
    """All there is to a run."""

    ranks: int = 2
    steps: tuple[Any, ...] = ()
    listeners: tuple[Listener, ...] = (Listener(),)
    fates: tuple[tuple[int, Fate], ...] = ()
    fail_fast: bool = False
    retries: int = 0
    executes: bool = True
    latency: float = 0.0
    bandwidth: float | None = None
    delays: tuple[tuple[int, int, float], ...] = ()
    shuffled: bool = False
    seed: int = 0


# -- strategies --------------------------------------------------------------------------------------


@st.composite
def rarely(draw, times, odd, usual):
    """`usual`, but one in so many times `odd` (`one_of` makes each as likely)."""
    return draw(odd if draw(st.integers(1, times)) == times else usual)


numbers = st.integers(0, 60)
limits = st.sampled_from([None, None, 0.00001, 0.0003, 0.02, 2.0])
backs = st.integers(1, 12)
durations = st.sampled_from([0.0, 0.00001, 0.0002, 0.0015, 0.004, 0.05, 1.0, 7.5])
tiny = st.sampled_from([0.0, 0.000005, 0.00005, 0.0002, 0.0007])
endings = st.sampled_from(
    ["returns"] * 40
    + ["raises"] * 4
    + ["goes on"] * 3
    + ["untold result", "untold argument", "untold error", "exits", "kills", "returns much", "interrupts"]
)
values = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.booleans(), max_size=3))
some_nodes = st.sampled_from([(), (), (), (0,), (1,), (0, 1), (2,), (0, 1, 2)])


by_hand = st.builds(ByHand, st.sampled_from(["set", "fail", "run"]), numbers, st.booleans())


def small_steps(inside: int = 1) -> st.SearchStrategy[Any]:
    """What a listener or a callback does: one thing."""
    job = queues(then=st.just(()) if inside == 0 else thens)
    return rarely(12, st.just(Raise()), st.one_of(job, st.builds(Cancel, numbers), rarely(3, by_hand, job)))


@st.composite
def queues(draw, back=None, takes=durations, then=None, ends=endings, copies=None):
    """A job. Most of what can be odd about it is not."""
    odd = draw(st.integers(0, 3)) == 3
    cached = draw(st.integers(0, 3)) == 3
    requires = draw(some_nodes) if cached else ()
    uses = draw(st.one_of(st.just(requires), some_nodes)) if cached else ()
    return Queue(
        back=draw(st.lists(backs, max_size=3).map(tuple)) if back is None else back,
        takes=draw(takes),
        ends=draw(ends),
        value=draw(values) if odd else None,
        requires=requires,
        uses=uses,
        places=draw(st.sampled_from([None, 0, 1])) if cached else None,
        then=draw(thens if then is None else then) if odd else (),
        limit=draw(limits) if odd else None,
        copies=1 if copies is None else draw(copies),
        name=draw(st.sampled_from(NAMES)),
        context=draw(st.integers(0, len(CONTEXTS) - 1)) if odd else 0,
    )


thens = st.deferred(lambda: rarely(3, small_steps(0).map(lambda step: (step,)), st.just(())))


@st.composite
def shapes(draw):
    """Jobs that hang together: a chain, a fan, a diamond, a swarm of short ones, or anything."""
    shape = draw(st.sampled_from(["one", "chain", "fan", "diamond", "swarm", "any"]))
    if shape == "one":
        return [draw(queues())]
    if shape == "chain":
        return [draw(queues(back=(1,) if i else ())) for i in range(draw(st.integers(2, 6)))]
    if shape == "fan":
        width = draw(st.integers(2, 6))
        steps = [draw(queues(back=()))] + [draw(queues(back=(i + 1,))) for i in range(width)]
        return steps + ([draw(queues(back=tuple(range(1, width + 1))))] if draw(st.booleans()) else [])
    if shape == "diamond":
        return [draw(queues(back=b)) for b in ((), (1,), (2,), (1, 2))]
    if shape == "swarm":
        swarm = draw(queues(back=(), takes=tiny, copies=st.sampled_from([6, 12, 25, 60, 120])))
        return [swarm, *draw(st.lists(queues(), max_size=2))]
    return [draw(queues()) for _ in range(draw(st.integers(2, 6)))]


graphs = st.lists(shapes(), min_size=1, max_size=4).map(lambda lists: [step for each in lists for step in each])

later_steps = st.lists(
    rarely(
        16,
        st.just(Raise()),
        st.one_of(st.builds(Wait, durations), queues(), st.builds(Cancel, numbers), shapes().map(tuple), by_hand),
    ),
    max_size=6,
).map(lambda steps: tuple(s for each in steps for s in (each if isinstance(each, tuple) else (each,))))

nodes = st.builds(Node, later_steps, rarely(3, st.tuples(st.integers(0, 3)), st.just(())))
schedules = st.builds(Schedule, st.lists(nodes, min_size=1, max_size=3).map(tuple))

listeners = st.builds(
    Listener,
    st.sampled_from(["none", "none", "all", "odd"]),
    st.sampled_from([None, None, 0.1, 0.5, 3.0]),
    st.lists(st.tuples(st.integers(0, 80), rarely(6, schedules, small_steps())), max_size=3).map(tuple),
)

fates = st.one_of(
    st.builds(Fate, slower=st.sampled_from([3.0, 0.5, 100.0])),
    st.builds(Fate, pauses=st.lists(st.tuples(durations, st.sampled_from([0.001, 0.1, 2.0])), max_size=2).map(tuple)),
    st.builds(Fate, dies=st.one_of(durations, st.floats(0, 0.02, allow_nan=False).map(lambda x: round(x, 7)))),
    st.builds(Fate, slower=st.sampled_from([1.0, 3.0]), dies=durations, pauses=st.just(((0.0005, 0.003),))),
    st.builds(Fate, leaves=st.sampled_from(["raises", "skips"])),
)


@st.composite
def cases(draw):
    """A case, calm or wild."""
    ranks = draw(st.sampled_from([2, 3, 1, 4, 5, 6, 2, 3]))
    steps = list(draw(graphs))
    if draw(st.integers(0, 2)) == 2:
        steps += draw(st.lists(schedules, min_size=1, max_size=2))
        steps += draw(st.lists(queues(), max_size=2))
    if draw(st.integers(0, 4)) == 4:
        calm = st.one_of(st.builds(Cancel, numbers), st.builds(Wait, durations), by_hand)
        extra = draw(rarely(6, st.just(Raise()), calm))
        steps.insert(draw(st.integers(0, len(steps))), extra)
    a_rank, late = st.integers(0, ranks - 1), st.sampled_from([0.00002, 0.003, 0.5])
    fated: tuple[tuple[int, Fate], ...] = ()
    if draw(st.integers(0, 2)) == 2:
        fated = tuple(sorted(draw(st.dictionaries(a_rank, fates, max_size=3)).items(), key=str))
    elif ranks > 2 and draw(st.integers(0, 4)) == 4:
        # Two that are lost at once, or as good as that.
        dies = draw(durations)
        fated = ((1, Fate(dies=dies)), (ranks - 1, Fate(dies=draw(st.sampled_from([dies, dies + 0.00001])))))
    return Case(
        ranks=ranks,
        steps=tuple(steps),
        listeners=draw(st.lists(listeners, max_size=3).map(tuple)),
        fates=fated,
        fail_fast=draw(st.integers(0, 3)) == 3,
        retries=draw(st.sampled_from([0, 0, 1, 3])),
        executes=draw(st.integers(0, 30)) != 30,
        latency=draw(st.sampled_from([0.0, 0.0, 0.000001, 0.00005, 0.004, 0.2])),
        bandwidth=draw(st.sampled_from([None, None, None, 1e6])),
        delays=draw(rarely(3, st.tuples(st.tuples(a_rank, a_rank, late)), st.just(()))),
        shuffled=draw(st.booleans()),
        seed=draw(st.integers(0, 50)),
    )


@st.composite
def crowds(draw):
    """A case with many short jobs, which are sent ahead, and much that changes its mind about them."""
    ranks = draw(st.integers(2, 4))
    calm = st.sampled_from(["returns"] * 29 + ["raises"])
    swarm = queues(back=(), takes=tiny, copies=st.sampled_from([12, 40, 120]), ends=calm)
    stray = st.builds(Queue, takes=tiny, uses=st.sampled_from([(0,), (0, 1)]))  # takes items in that it did not declare
    steps = [draw(swarm), *draw(st.lists(st.one_of(swarm, stray, queues()), max_size=3))]
    soon = st.builds(Wait, st.sampled_from([0.0, 0.00002, 0.0004, 0.001, 0.003]))
    cancels = st.one_of(st.builds(Cancel, st.integers(0, 400)), st.builds(Cancel, st.integers(0, 12), st.just(True)))
    doings = st.lists(st.one_of(soon, cancels, queues(takes=tiny)), max_size=12)
    steps += [Schedule((Node(tuple(draw(doings))),)) for _ in range(draw(st.integers(0, 2)))]
    acts = st.lists(st.tuples(st.integers(0, 900), rarely(6, small_steps(), cancels)), max_size=8).map(tuple)
    death = st.floats(0, 0.01, allow_nan=False).map(lambda seconds: Fate(dies=round(seconds, 7)))
    pause = st.floats(0, 0.01, allow_nan=False).map(lambda seconds: Fate(pauses=((round(seconds, 6), 0.004),)))
    slow = st.sampled_from([Fate(slower=8.0), Fate(slower=0.2)])
    fated = draw(st.one_of(st.just({}), st.dictionaries(st.integers(1, ranks - 1), st.one_of(death, pause, slow))))
    return Case(
        ranks=ranks,
        steps=tuple(steps),
        listeners=(Listener(draw(st.sampled_from(["none", "all"])), None, draw(acts)),),
        fates=tuple(fated.items()),
        fail_fast=draw(st.integers(0, 3)) == 3,
        retries=draw(st.sampled_from([0, 1])),
        latency=draw(st.sampled_from([0.0, 0.000001, 0.00002, 0.0003])),
        shuffled=draw(st.booleans()),
        seed=draw(st.integers(0, 50)),
    )


# -- what jobs do ------------------------------------------------------------------------------------


class Untold(Exception):
    """An exception that can't be made from its arguments, so that it does not travel."""

    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


class Thrown(Exception):
    """What a step raises."""


class Place:
    """A node of one rank, with a method whose results are cached."""

    def __init__(self, number, owner):
        self.number = number
        self.name = NODES[number]
        self.scaffold = owner

    def get_node_name(self):
        return self.name

    @pool_cache
    def tree(self):
        return f"the tree of {self.name}"

    def get_indicators(self):
        return {}

    def place(self, job, indicators):
        return work(self.scaffold, job)


ITEMS = [get_node_cache_items(Place(number, None))[0] for number in range(len(NODES))]


def work(owner, job, *args):
    """What every job does; how it ends is in its plan."""
    return owner.record.work(owner, job)


class Owner(bsbpool.Owner):
    """An owner that writes down what is cached and freed."""

    def __init__(self, comm, record):
        self.record = record
        self.rank = comm.rank
        super().__init__(comm, placement={NODES[i]: Place(i, self) for i in range(len(NODES))})

    def register_pool_cached_item(self, id, cleanup):
        self.record.take(self.rank, id)

        def noted():
            self.record.free(self.rank, id)
            cleanup()

        super().register_pool_cached_item(id, noted)


class Gently(Script):
    """A script whose rules need not match: whether a job comes at all is up to chance."""

    def check(self, cluster):
        pass


@dataclass
class Record:
    """Carries a case out, and writes down what happens, for `Run`."""

    case: Case
    run: Run
    plans: list[Queue] = field(default_factory=list)
    jobs: list[Any] = field(default_factory=list)
    pool: Any = None
    trace: Any = None
    main_task: Any = None
    warned: list[Any] = field(default_factory=list)
    raised: list[BaseException] = field(default_factory=list)
    #: job and rank of each KeyboardInterrupt that a job raised.
    interrupted: set[tuple[int, int]] = field(default_factory=set)
    nodes: int = 0

    # -- on any rank -------------------------------------------------------------------------------

    def program(self, comm):
        case, run, rank = self.case, self.run, comm.rank
        fate = dict(case.fates).get(rank, Fate())
        owner = Owner(comm, self)
        pool = owner.create_job_pool(quiet=True, fail_fast=case.fail_fast, retries=case.retries)
        if rank == 0:
            self.pool, self.trace, self.main_task = pool, comm.cluster.recorder.trace, getcurrent()
            for plan in case.listeners:
                pool.add_listener(Hears(self, plan), plan.max_wait)
        how = None
        try:
            with pool:
                if rank == 0:
                    self.carry_out(case.steps)
                    if not case.executes:
                        return
                    run.executed = True
                elif fate.leaves is not None:
                    run.own_trouble.add(rank)
                    if fate.leaves == "skips":
                        return
                    raise Thrown(f"on rank {rank}")
                try:
                    returned = pool.execute(return_results=True)
                    if rank == 0:
                        run.returned = {job.id: value for job, value in returned.items()}
                finally:
                    if rank == 0:
                        run.results = {j.id: j.result for j in pool.jobs if j.status is JobStatus.SUCCESS}
        except GreenletExit:
            raise
        except BaseException as error:
            how = described(error, self)
            if rank == 0:
                run.notes = list(getattr(error, "__notes__", ()))
        finally:
            if not comm.cluster.kernel.closing:
                run.left[rank] = how
                run.still_cached[rank] = list(owner._pool_cache)

    def work(self, owner, id):
        plan, run = self.plans[id], self.run
        run.started.append((id, owner.rank, len(self.trace)))
        try:
            if plan.takes:
                time.sleep(plan.takes / 2)
            trees = [owner.placement[NODES[node]].tree() for node in plan.uses]
            if plan.takes:
                time.sleep(plan.takes / 2)
            for node in plan.uses:
                assert ITEMS[node] in owner._pool_cache, f"item of node {node} was freed under job {id}"
            match plan.ends:
                case "raises":
                    raise ValueError(f"bad {plan.value!r} in job {id}")
                case "untold error":
                    raise Untold("one", id)
                case "exits":
                    raise SystemExit(3)
                case "interrupts":
                    self.interrupted.add((id, owner.rank))
                    raise KeyboardInterrupt
                case "untold result":
                    value: object = sys._getframe()  # nothing packs a frame
                case "goes on":
                    # As code that is not Python may: it is not interrupted.
                    until = time.monotonic() + min(3.0, 2 * plan.takes)
                    while (left := until - time.monotonic()) > 0:
                        with contextlib.suppress(JobInterrupted):
                            time.sleep(left)
                    value = (id, plan.value, trees)
                case "returns much":
                    value = bytes([id % 256]) * 1_000_100
                case _:
                    value = (id, plan.value, trees)
        except GreenletExit:
            raise  # its rank is dead, and is being tidied away: it may have run again since
        except BaseException as error:
            run.answers[id] = ("raised", type(error).__name__)
            raise
        run.answers[id] = ("returned", value)
        return value

    def take(self, rank, item):
        self.run.taken.append((len(self.trace), rank, item))

    def free(self, rank, item):
        self.run.freed.append((len(self.trace), rank, item))

    # -- on main -----------------------------------------------------------------------------------

    def carry_out(self, steps):
        for step in steps:
            match step:
                case Queue():
                    for _ in range(step.copies):
                        self.queue(step)
                case Cancel() if self.jobs:
                    last = self.run.started[-1][0] + 1 if step.near and self.run.started else 0
                    self.cancel(self.jobs[(last + step.which) % len(self.jobs)])
                case ByHand() if self.jobs:
                    last = self.run.started[-1][0] + 1 if step.near and self.run.started else 0
                    self.by_hand(step.how, self.jobs[(last + step.which) % len(self.jobs)])
                case Wait():
                    time.sleep(step.seconds)
                case Raise():
                    self.throw()
                case Schedule():
                    self.schedule(step.nodes)

    def throw(self):
        error = Thrown(f"thrown as number {len(self.raised)}")
        self.raised.append(error)
        if getcurrent() is self.main_task:
            self.run.thrown.append(str(error))
        raise error

    def queue(self, plan):
        id = len(self.jobs)
        deps = [self.jobs[-back] for back in dict.fromkeys((b - 1) % id + 1 for b in plan.back)] if id else []
        requires = [ITEMS[node] for node in plan.requires]
        self.plans.append(plan)
        try:
            if plan.places is not None and plan.ends != "kills":
                job = self.pool.queue_placement(
                    self.pool.owner.placement[NODES[plan.places]], id, deps, timeout=plan.limit
                )
            else:
                args = (id, (x for x in "a generator")) if plan.ends == "untold argument" else (id,)
                context = {"kills after": plan.takes} if plan.ends == "kills" else CONTEXTS[plan.context]
                job = self.pool.queue(
                    work, args, deps=deps, submitter=f"{plan.name} {id}", cache_items=requires, timeout=plan.limit,
                    **context,
                )  # fmt: skip
        except JobPoolError:
            self.plans.pop()
            assert self.pool.status is bsbpool.pool.PoolStatus.CLOSING, "a job was refused by an open pool"
            return
        assert job.id == id, f"job {id} became {job.id}"
        self.jobs.append(job)
        if plan.ends == "untold result" or (plan.ends == "untold argument" and plan.places is None):
            self.run.untold.add(id)
        if plan.then:
            job.on_completion(lambda _: self.carry_out(plan.then))

    def cancel(self, job):
        reason = f"reason {len(self.run.requests)}"
        place = len(self.run.requests)
        self.run.requests.append((job.id, reason, False))
        warned = len(self.warned)
        job.cancel(reason)
        done = not any(task is getcurrent() for task in self.warned[warned:])
        self.run.requests[place] = (job.id, reason, done)

    def by_hand(self, how, job):
        """Not every job can be set by hand at any time; one that is run here ends here, and nobody waits for that."""
        run = self.run
        try:
            if how == "run":
                run.on_main.add(job.id)
                job.run(timeout=0.0001)
            elif how == "set":
                job.change_status(JobStatus.SUCCESS)
                run.set_by_hand.add(job.id)
            else:
                job.change_status(JobStatus.FAILED)
                run.set_by_hand.add(job.id)
        except JobPoolError:
            pass

    def schedule(self, plans):
        try:
            made = []
            for plan in plans:
                made.append(Scheduled(self, f"{NAMES[self.nodes % len(NAMES)]} node {self.nodes}", plan, made))
                self.nodes += 1
            self.pool.schedule(made)
        except JobPoolError:
            assert self.pool.status is bsbpool.pool.PoolStatus.CLOSING, "a schedule was refused by an open pool"


class Scheduled:
    """A node for a scheduler."""

    def __init__(self, record, name, plan, before):
        self.record = record
        self.name = name
        self.plan = plan
        self.depends_on = [before[k % len(before)] for k in plan.after] if before else []
        self.failed = False

    def get_node_name(self):
        # Asked for by the pool right before it looks at the node: one that depends on a failed one fails too.
        if not self.failed and any(node.failed for node in self.depends_on):
            self.fail()
        return self.name

    def fail(self):
        self.failed = True
        self.record.run.failed_nodes.append(self.name)

    def queue(self, pool):
        try:
            self.record.carry_out(self.plan.steps)
        except GreenletExit:
            raise
        except BaseException:
            self.fail()
            raise


class Hears:
    """A listener that writes down what it hears, and acts as planned."""

    def __init__(self, record, plan):
        self.record = record
        self.plan = plan
        self.heard = []
        record.run.heard.append(self.heard)

    def __call__(self, progress):
        run = self.record.run
        if getcurrent().kernel.closing:  # type: ignore[attr-defined]
            return False  # main is dead, and is being tidied away
        number = len(self.heard)
        self.heard.append(_word(progress))
        for at, step in self.plan.acts:
            if at == number:
                self.record.carry_out((step,))
        if not isinstance(progress, PoolJobUpdateProgress) or self.plan.handles == "none":
            return False
        job = progress.job.id
        if self.plan.handles == "odd" and job % 2 == 0:
            return False
        if progress.status in (JobStatus.FAILED, JobStatus.ABORTED):
            run.handled.add(job)
        return True


def _word(progress):
    if isinstance(progress, PoolStatusProgress):
        return "pool", progress.status.value
    if isinstance(progress, PoolJobAddedProgress):
        return "added", progress.job.id
    if isinstance(progress, PoolJobUpdateProgress):
        return "job", progress.job.id, progress.old_status.value, progress.status.value
    return ("ping",)


def _in_words(event):
    """The fields of an event by their names, errors as people read them; the facts of an error are beside it."""
    fields = fields_of(event)
    if fields.get("error") is not None:
        fields["facts"] = fields["error"]
        fields["error"] = in_words(fields["error"])
    return fields


def described(error, record):
    """What a rank raised: ``("WorkflowError", parts)`` or ``("raised", text)``."""
    if not isinstance(error, WorkflowError):
        return "raised", str(error)
    parts: list[tuple] = []
    for each in error.exceptions:
        text = str(each)
        if isinstance(each, bsbpool.pool.JobErroredError):
            job = int(re.match(r"<\w+ (\d+) ", text)[1])
            assert each.error is record.jobs[job].error, "the error of another job"
            assert each.__cause__ is each.error
            parts.append(("job", job))
        elif isinstance(each, bsbpool.pool.JobSchedulingError):
            parts.append(("node", re.match(r"(.* node \d+) was not scheduled", text)[1]))
        elif isinstance(each, RankLostError) and (left := re.match(r"Rank (\d+) left", text)):
            parts.append(("rank", int(left[1])))
        elif "No rank is left" in text:
            parts.append(("nobody",))
        else:
            parts.append(("told", text))
    return "WorkflowError", parts


def run(case: Case, policy: Any = None) -> Run:
    """Run a case on simulated ranks, where the policy makes the choices; by default as the case says."""
    record = Record(case, Run(ranks=case.ranks))
    script = Gently(latency=case.latency, bandwidth=case.bandwidth)
    for seconds in (0.0, 0.00001, 0.0002, 0.0015, 0.004, 0.05, 1.0, 7.5, 0.000005, 0.00005, 0.0007):
        script.job(context={"kills after": seconds}, takes=seconds, kills=True)
    for rank, fate in case.fates:
        script.rank(rank, slower=fate.slower, pauses=fate.pauses, dies=fate.dies)
    for source, dest, delay in case.delays:
        script.link(source, dest, delay=delay)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda *_, **__: record.warned.append(getcurrent())
        simulation = simulate(
            record.program,
            case.ranks,
            seed=case.seed,
            script=script,
            policy=policy or ("shuffled" if case.shuffled else None),
            horizon=100_000,
            max_events=300_000,
        )
    found = record.run
    found.died = set(simulation.died)
    found.trace = simulation.trace
    found.events = [_in_words(event) for event in simulation.trace.events]
    found.lines = list(simulation.trace.lines())
    # What a job raises that is run by hand is its failure, whatever it is: nobody else is interrupted.
    by_hand = {e["job"] for e in found.events if e["e"] == "by_hand" and e["status"] == "running"}
    found.own_trouble |= {rank for job, rank in record.interrupted if job not in by_hand}
    for id, (how, value) in found.answers.items():  # of values that can't be compared only their type
        if id in found.untold and how == "returned":
            found.answers[id] = how, type(value).__name__
    found.results = {id: type(v).__name__ if id in found.untold else v for id, v in found.results.items()}
    if found.returned is not None:
        found.returned = {id: type(v).__name__ if id in found.untold else v for id, v in found.returned.items()}
    return found
