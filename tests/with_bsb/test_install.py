"""`bsbpool.bsb.install` and `uninstall`, in this process: which names become whose, and that a compile goes on as ever.

Tests with processes of their own are in `test_install_processes.py`.
"""

import contextlib
import importlib
import sys
import textwrap
import types
import warnings
import weakref

import bsb
import bsb.core
import bsb.exceptions
import bsb.services
import bsb.services._pool_listeners as listeners
import bsb.services.pool as theirs
import pytest
from bsb import MPI, AfterConnectivityHook, AfterPlacementHook, PlacementStrategy, Scaffold, config
from networks import network

import bsbpool.bsb.installing
import bsbpool.bsb.versions
import bsbpool.exceptions
import bsbpool.pool as ours
from bsbpool import Owner
from bsbpool.exceptions import DependencyError

IS_MAIN = MPI.get_rank() == 0
#: What BSB's pool has itself. Weak references, since all else that holds one of these holds ours meanwhile.
STOCK = {name: weakref.ref(value) for name, value in vars(theirs).items() if callable(value)}
#: The public names of BSB's pool, but for modules and the like that it has imported itself.
NAMES = [
    name
    for name, value in vars(theirs).items()
    if not name.startswith("_") and getattr(value, "__module__", "").startswith(("bsb.services.pool", "bsb.exceptions"))
]


def stock(name):
    return STOCK[name]()


def test_the_names_that_are_tested_are_those_of_bsbs_api():
    assert {"JobPool", "Job", "JobStatus", "WorkflowError", "JobCancelledError", "pool_cache", "dispatcher"} < {*NAMES}
    assert len(NAMES) == 24


# -- whose names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_each_name_of_bsbs_pool_is_this_projects(name, installed):
    assert getattr(theirs, name) is getattr(ours, name) is not stock(name)


def test_the_services_the_errors_and_the_package_have_the_same_objects(installed):
    for name in ("JobPool", "WorkflowError", "pool_cache"):
        assert getattr(bsb.services, name) is getattr(bsb, name) is getattr(ours, name)
    for name in ("JobPoolError", "JobPoolContextError", "JobCancelledError", "JobSchedulingError", "DependencyError"):
        assert getattr(bsb.exceptions, name) is getattr(bsb, name) is getattr(bsbpool.exceptions, name)
    assert bsb.core.JobPool is ours.JobPool and bsb.core.Workflow is ours.Workflow
    assert listeners.JobStatus is ours.JobStatus and listeners.PoolProgressReason is ours.PoolProgressReason


EARLY = """
    import bsb.services.pool as pool
    from bsb import JobPool, JobPoolError
    from bsb.services.pool import JobStatus, PoolProgressReason as Reason, WorkflowError
    from bsb.exceptions import ScaffoldError

    ENDED = (JobStatus.SUCCESS, JobStatus.FAILED)
    GROUPS = [JobStatus.RUNNING, ("waits", JobStatus.PENDING)]
    BOTH = frozenset({JobStatus.SUCCESS, "success"})
    SETS = {JobStatus.SUCCESS}
    COLOURS = {JobStatus.SUCCESS: "green", JobStatus.FAILED: "red", None: JobStatus.PENDING}
    CAUGHT = (JobPoolError, WorkflowError)

    class Listener:
        good = JobStatus.SUCCESS

        def __init__(self, reason=Reason.JOB_STATUS_CHANGE, *, status=JobStatus.SUCCESS):
            self.reason, self.status, self.heard = reason, status, []

        def __call__(self, progress):
            if progress.reason is self.reason and progress.status is self.status and progress.status in ENDED:
                self.heard.append(progress.job.name)

    def enclosing():
        status = JobStatus.SUCCESS

        def colour(job):
            return COLOURS[job.status], job.status is status
        return colour

    colour = enclosing()
    listener = Listener()
    everything = lambda: [
        pool.JobStatus, JobPool, JobPoolError, JobStatus, Reason, WorkflowError, ENDED, *ENDED, GROUPS[0], *GROUPS[1],
        SETS, BOTH, *COLOURS, *COLOURS.values(), *CAUGHT, Listener.good, listener.reason, listener.status,
        *Listener.__init__.__defaults__, *Listener.__init__.__kwdefaults__.values(),
        colour.__closure__[0].cell_contents,
    ]
"""


def component(name, source, folder=None):
    """A module of a user's. With a folder it has a file."""
    if folder is not None:
        (folder / f"{name}.py").write_text(textwrap.dedent(source))
        return importlib.import_module(name)
    module = sys.modules[name] = types.ModuleType(name)
    exec(textwrap.dedent(source), module.__dict__)
    return module


@pytest.fixture
def own_modules(tmp_path, monkeypatch):
    """Modules can be imported from the test's folder, and are forgotten."""
    monkeypatch.syspath_prepend(tmp_path)
    before = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - before:
        if name.startswith("component"):
            del sys.modules[name]


def test_what_a_component_holds_since_before_is_this_projects(own_modules):
    early = component("component_early", EARLY)
    held = early.everything()
    bsbpool.bsb.install()
    try:
        assert early.JobPool is ours.JobPool and early.WorkflowError is ours.WorkflowError
        assert early.ENDED == (ours.JobStatus.SUCCESS, ours.JobStatus.FAILED)
        assert early.GROUPS == [ours.JobStatus.RUNNING, ("waits", ours.JobStatus.PENDING)]
        assert {ours.JobStatus.SUCCESS} == early.SETS < early.BOTH and len(early.BOTH) == 2
        assert [*early.COLOURS.items()] == [
            (ours.JobStatus.SUCCESS, "green"), (ours.JobStatus.FAILED, "red"), (None, ours.JobStatus.PENDING)
        ]  # fmt: skip
        assert (ours.JobPoolError, ours.WorkflowError) == early.CAUGHT
        assert early.Listener.good is ours.JobStatus.SUCCESS and early.Listener().status is ours.JobStatus.SUCCESS
        scaffold = Scaffold()
        scaffold.register_listener(early.listener)
        with scaffold.create_job_pool() as pool:
            job = pool.queue(len_of, ("abc",), submitter="me") if pool.is_main() else None
            pool.execute()
        if job is not None:
            assert early.colour(job) == ("green", True) and early.listener.heard == ["me"]
    finally:
        bsbpool.bsb.uninstall()
    assert all(a is b for a, b in zip(early.everything(), held, strict=True))


def len_of(owner, text):
    return len(text)


def test_a_component_that_is_imported_later_has_this_projects_and_afterwards_bsbs(own_modules):
    bsbpool.bsb.install()
    late = component("component_late", "from bsb.services import JobPool\nfrom bsb.services.pool import JobStatus as S")
    mixed = """
        from bsb.services.pool import JobStatus
        from bsbpool.pool import WorkflowError, JobStatus as OurStatus
    """
    mixed = component("component_mixed", mixed, own_modules)
    assert late.JobPool is ours.JobPool and late.S is mixed.JobStatus is mixed.OurStatus is ours.JobStatus
    bsbpool.bsb.uninstall()
    assert late.JobPool is stock("JobPool")
    assert late.S is mixed.JobStatus is stock("JobStatus")
    # What it asked this project for it keeps.
    assert mixed.OurStatus is ours.JobStatus and mixed.WorkflowError is ours.WorkflowError


def test_what_was_this_projects_before_stays_so(own_modules):
    module = component("component_ours", "from bsbpool.pool import JobStatus, JobPool")
    bsbpool.bsb.install()
    bsbpool.bsb.uninstall()
    assert module.JobStatus is ours.JobStatus and module.JobPool is ours.JobPool


def snapshot():
    """All that modules of BSB and this one hold, their classes too."""
    held: dict[tuple, object] = {}
    for name, module in [*sys.modules.items()]:
        if name.partition(".")[0] in ("bsb", "bsb_hdf5", "bsb_otel", __name__):
            for key, value in vars(module).items():
                held[name, key] = value
                if isinstance(value, type) and value.__module__ == name:
                    held.update({(name, key, attribute): each for attribute, each in vars(value).items()})
    return held


def test_afterwards_all_is_as_it_was():
    before, bases = snapshot(), ours.JobPoolError.__mro__
    for _ in range(2):
        bsbpool.bsb.install()
        assert bsb.core.JobPool is ours.JobPool
        bsbpool.bsb.uninstall()
    after = snapshot()
    assert [key for key in before if after.get(key) is not before[key]] == []
    assert ours.JobPoolError.__mro__ == bases


def test_twice_is_once():
    assert not bsbpool.bsb.installed()
    bsbpool.bsb.uninstall()
    bsbpool.bsb.install()
    bsbpool.bsb.install()
    assert bsbpool.bsb.installed() and bsb.JobPool is ours.JobPool
    bsbpool.bsb.uninstall()
    assert not bsbpool.bsb.installed() and bsb.JobPool is stock("JobPool")


# -- errors --------------------------------------------------------------------------------------------


def test_bsbs_errors_catch_ours_by_whichever_name(installed):
    for name in ("JobPoolError", "JobPoolContextError", "JobCancelledError", "JobSchedulingError", "DependencyError"):
        error = getattr(bsbpool.exceptions, name)("boom")
        before = stock(name) if name in STOCK else Exception  # as somebody's local variable may hold it
        for kind in (getattr(bsb.exceptions, name), before, bsb.exceptions.ScaffoldError):
            with pytest.raises(kind, match="boom"):
                raise error
        assert str(error) == "boom" and type(error) is getattr(bsb.exceptions, name)
    with pytest.raises(stock("WorkflowError")):
        raise ours.WorkflowError("all", [ours.JobErroredError("one", ValueError("boom"))])
    assert issubclass(ours.JobErroredError, stock("JobErroredError"))
    assert issubclass(bsbpool.exceptions.RankLostError, bsb.exceptions.JobPoolError)


def test_ours_keep_their_own_kinds_of_messages(installed):
    error = bsbpool.exceptions.TraceError("run.trace", 3, "100% %s wrong%")
    assert str(error) == "run.trace, line 3: 100% %s wrong%"
    assert str(ours.JobPoolError("50% of 20% is %10")) == "50% of 20% is %10"
    inner = ValueError("boom")
    failed = ours.JobErroredError("a job failed", inner)
    assert str(failed) == "a job failed" and failed.error is failed.__cause__ is inner
    part, rest = ours.WorkflowError("all", [failed, ours.JobPoolError("x")]).split(ours.JobPoolError)
    assert type(part) is type(rest) is ours.WorkflowError is bsb.WorkflowError


def fails(owner):
    raise bsb.exceptions.JobPoolError("of a job's own")


def test_bsbs_errors_travel_as_themselves(installed):
    scaffold = Scaffold()
    with scaffold.create_job_pool() as pool:
        jobs = [pool.queue(fails), pool.queue(details)] if pool.is_main() else []
        with pytest.raises(bsb.WorkflowError) as caught:
            pool.execute()
    if jobs:
        assert [type(job.error) for job in jobs] == [bsb.exceptions.JobPoolError, bsb.exceptions.BootError]
        assert {each.error for each in caught.value.exceptions} == {job.error for job in jobs}
        assert str(jobs[1].error) == "no such thing: thing" and jobs[1].error.details["node"] == "thing"
    else:
        assert [str(each) for each in caught.value.exceptions] == ["See main node logs for details."]


def details(owner):
    raise bsb.exceptions.BootError("no such thing: %node%", "thing")


# -- what BSB does with it ------------------------------------------------------------------------------


@config.node
class Mark(AfterPlacementHook):
    def postprocess(self):
        return "placed", len(self.scaffold.get_placement_set("a"))


@config.node
class MarkToo(AfterConnectivityHook):
    def postprocess(self):
        return "connected", len(self.scaffold.get_connectivity_set("a_to_b"))


HOOKS = {
    "after_placement": {"mark": {"strategy": Mark}},
    "after_connectivity": {"mark_too": {"strategy": MarkToo}},
}


def test_a_compile_with_hooks_runs_in_this_pool(tmp_path, installed):
    scaffold = network(tmp_path, **HOOKS)
    phases, jobs = [], {}

    def listener(progress):
        assert isinstance(progress, theirs.PoolProgress) and isinstance(progress.workflow, theirs.Workflow)
        if (
            progress.reason == theirs.PoolProgressReason.JOB_STATUS_CHANGE
            and progress.status == theirs.JobStatus.SUCCESS
        ):
            jobs.setdefault(progress.workflow.phase, []).append((progress.job.name, progress.job.result))
        if progress.workflow.phase not in phases:
            phases.append(progress.workflow.phase)

    scaffold.register_listener(listener)
    scaffold.compile(clear=True)
    if not IS_MAIN:
        assert phases == [] or {*phases} <= {"pipelines", "placement", "after_placement", "connectivity"}
        return
    assert phases == ["pipelines", "placement", "after_placement", "connectivity", "after_connectivity"]
    assert {phase: len(each) for phase, each in jobs.items()} == {
        "placement": 8, "after_placement": 1, "connectivity": 4, "after_connectivity": 1,
    }  # fmt: skip
    (placed, (word, cells)), (connected, (word_too, synapses)) = jobs["after_placement"] + jobs["after_connectivity"]
    assert (placed, word) == ("{root}.after_placement.mark", "placed") and cells == pytest.approx(100, abs=4)
    assert (connected, word_too) == ("{root}.after_connectivity.mark_too", "connected") and synapses == 200
    assert scaffold._pool_cache == {}


def test_a_strategy_that_fails_ends_the_compile_as_bsb_has_it(tmp_path, installed):
    @config.node
    class Failing(PlacementStrategy):
        def place(self, chunk, indicators):
            raise bsb.exceptions.PlacementError("no room in this chunk")

    scaffold = network(tmp_path, placement={"place_a": {
        "strategy": Failing, "cell_types": ["a"], "partitions": ["layer"],
    }})  # fmt: skip
    with pytest.raises(bsb.WorkflowError) as caught:
        scaffold.compile(clear=True)
    if IS_MAIN:
        assert {type(error.error) for error in caught.value.exceptions} == {bsb.exceptions.PlacementError}
    # The next one is not affected.
    with scaffold.create_job_pool() as pool:
        job = pool.queue(len_of, ("abc",)) if pool.is_main() else None
        assert pool.execute(return_results=True) == ({job: 3} if job is not None else {})


def test_the_default_listener_says_what_becomes_of_jobs(capsys, installed):
    scaffold = Scaffold()
    with scaffold.create_job_pool(quiet=False) as pool:
        if pool.is_main():
            pool.queue(len_of, ("abc",), submitter="me")
        pool.execute()
    said = [line.rpartition("BSB] ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said == ([f"JobStatus.{status} me" for status in ("QUEUED", "RUNNING", "SUCCESS")] if IS_MAIN else [])


class Screen:
    """In place of a terminal, which would be asked what it can do."""

    def __getattr__(self, name):
        return contextlib.nullcontext


def test_the_default_listener_of_a_terminal_draws_what_becomes_of_jobs(monkeypatch, installed):
    monkeypatch.setattr(listeners, "Terminal", Screen)
    listener, drawn = listeners.TTYTerminalListener(1_000_000), []
    listener._ui.display = lambda: drawn.append(listener._ui.items[0].text)
    scaffold = Scaffold()
    scaffold._workflow = theirs.Workflow(["placement", "connectivity"])
    scaffold.register_listener(listener, 1 / 25)
    with scaffold.create_job_pool() as pool:
        if pool.is_main():
            first = pool.queue(len_of, ("abc",), submitter="me")
            pool.queue(len_of, ("abc",), submitter="you", deps=[pool.queue(fails, deps=[first], submitter="it")])
        with pytest.raises(bsb.WorkflowError):
            pool.execute()
    if IS_MAIN:
        last = drawn[-1]
        assert "Workflow: placement | connectivity\nPhase: placement\nStatus: CLOSING" in last
        assert "(🗙 1/⊘ 1/✔ 1/3)" in last
        assert any("(→ 1/✔ 0/3)" in each for each in drawn)


def test_chunks_of_a_submission_are_a_list_of_bsbs_chunks(installed):
    context = theirs.SubmissionContext("me", chunks=[(0, 1, 0), bsb.Chunk((0, 0, 0), (1, 1, 1)), (0, 1, 0)])
    assert [type(chunk) for chunk in context.chunks] == [bsb.Chunk] * 2
    assert [chunk.tolist() for chunk in context.chunks] == [[0, 0, 0], [0, 1, 0]]
    assert theirs.SubmissionContext("me").chunks is None


# -- caches --------------------------------------------------------------------------------------------


@config.node
class Caching:
    """A node whose method was decorated before this pool was there."""

    name = config.attr(type=str)
    calls = 0

    @bsb.pool_cache
    def heavy(self):
        type(self).calls += 1
        return self.name


def use(owner, name):
    return owner.nodes[name].heavy(), len(owner._pool_cache)


def both_in_use(owner):
    nodes = owner.nodes
    before = Caching.calls
    return [nodes["x"].heavy(), nodes["y"].heavy(), Caching.calls - before, len(owner._pool_cache)]


def test_what_bsb_has_decorated_is_cached_per_node(installed):
    scaffold = Scaffold()
    scaffold.nodes = {name: Caching(name=name) for name in "xy"}  # type: ignore[call-arg]
    for name, node in scaffold.nodes.items():
        node.scaffold = scaffold
        node.get_node_name = lambda name=name: name
    items = {name: theirs.get_node_cache_items(node) for name, node in scaffold.nodes.items()}
    assert all(len(each) == 1 for each in items.values()) and items["x"] != items["y"]
    with scaffold.create_job_pool() as pool:
        jobs = []
        if pool.is_main():
            first = [pool.queue(use, (name,), cache_items=items[name]) for name in "xy" for _ in range(MPI.get_size())]
            # From here on only y is required: x is freed, and y is not computed again.
            jobs = [pool.queue(use, ("y",), cache_items=items["y"], deps=first)]
        pool.execute()
        if jobs and MPI.get_size() == 1:
            assert [job.result for job in first + jobs] == [("x", 1), ("y", 1), ("y", 1)]
            assert Caching.calls == 2
    assert scaffold._pool_cache == {}
    assert scaffold.nodes["x"].heavy.get_pool_cache_id(scaffold.nodes["x"]) == items["x"][0]


def test_an_indicator_is_cached_as_ever(tmp_path, installed):
    scaffold = network(tmp_path)
    strategy = scaffold.placement["place_a"]
    assert strategy.get_indicators() is strategy.get_indicators()
    assert [*scaffold._pool_cache] == [strategy.get_indicators.get_pool_cache_id(strategy)]
    theirs.free_stale_pool_cache(scaffold, set())
    assert scaffold._pool_cache == {}


# -- bad input -----------------------------------------------------------------------------------------


def test_in_the_midst_of_an_open_pool_of_bsbs_nothing_is_changed():
    before = snapshot()
    with Scaffold().create_job_pool() as pool:
        with pytest.raises(ours.JobPoolError, match=r"install\(\) was called"):
            bsbpool.bsb.install()
        assert type(pool) is stock("JobPool") and not bsbpool.bsb.installed()
        job = pool.queue(len_of, ("abc",)) if pool.is_main() else None
        pool.execute()
        assert job is None or job.result == 3
    assert [key for key, value in snapshot().items() if value is not before.get(key)] == []


@pytest.mark.parametrize("made_by", ["BSB", "this project"])
def test_in_the_midst_of_an_open_pool_of_ours_nothing_is_changed(made_by):
    if made_by == "BSB":
        bsbpool.bsb.install()
        pool, what = Scaffold().create_job_pool(), bsbpool.bsb.uninstall
    else:
        pool, what = Owner().create_job_pool(quiet=True), bsbpool.bsb.install
    with pool:
        with pytest.raises(ours.JobPoolError, match="was called while a pool is open: call it before the pool opens"):
            what()
        assert bsbpool.bsb.installed() == (made_by == "BSB")
        pool.execute()
    bsbpool.bsb.uninstall()
    bsbpool.bsb.install()
    bsbpool.bsb.uninstall()
    assert bsb.JobPool is stock("JobPool")


def test_a_class_that_derives_from_bsbs_job_must_come_later():
    class Own(theirs.Job):
        @staticmethod
        def execute(job_owner, args, kwargs):
            return args

    before = snapshot()
    with pytest.raises(ours.JobPoolError, match=r"Own derives from BSB's own Job: call bsbpool.bsb.install\(\) before"):
        bsbpool.bsb.install()
    assert [key for key, value in snapshot().items() if value is not before.get(key)] == []
    assert not bsbpool.bsb.installed() and Own.__bases__ == (theirs.Job,)
    del Own
    bsbpool.bsb.install()  # nobody has it any more
    bsbpool.bsb.uninstall()


def test_a_class_that_derives_from_this_projects_job_runs(installed):
    class Own(theirs.Job):
        @staticmethod
        def execute(job_owner, args, kwargs):
            return args

    scaffold = Scaffold()
    with scaffold.create_job_pool() as pool:
        job = Own(pool, theirs.SubmissionContext("me"), (1, 2), {}) if pool.is_main() else None
        pool.execute()
        assert job is None or job.result == (1, 2)


def test_a_pool_that_this_project_does_not_know_is_left_alone(monkeypatch):
    def novelty(self):
        pass

    for target, name, value, says in (
        (theirs.JobPool, "novelty", novelty, "JobPool has novelty"),
        (
            theirs.JobPool,
            "queue",
            lambda self, f, args=None, kwargs=None, deps=None, priority=0: None,
            "takes priority",
        ),
        (theirs, "Novelty", type("Novelty", (), {"__module__": theirs.__name__}), "it has Novelty"),
        (theirs.Job, "novelty", property(novelty), "Job has novelty"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, value, raising=False)
            before = snapshot()
            with pytest.raises(DependencyError, match=rf"{says}.*Tested: bsb-core .*8\.0\.2") as caught:
                bsbpool.bsb.install()
            assert "BSB goes on with its own" in str(caught.value)
            assert [key for key, each in snapshot().items() if each is not before.get(key)] == []
    assert not bsbpool.bsb.installed()


def test_a_version_that_is_not_tested_but_looks_the_same_is_taken_with_a_warning(monkeypatch):
    monkeypatch.setattr(bsbpool.bsb.versions, "version", lambda: "8.9.0")
    with pytest.warns(UserWarning, match=r"not tested with bsb-core 8\.9\.0, but with .*8\.0\.2"):
        bsbpool.bsb.install()
    assert bsb.JobPool is ours.JobPool
    bsbpool.bsb.uninstall()


def test_the_version_here_is_one_that_is_tested():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bsbpool.bsb.install()
    bsbpool.bsb.uninstall()
    assert bsbpool.bsb.version() in bsbpool.bsb.TESTED and bsbpool.bsb.unknown() is None


def test_an_install_that_is_interrupted_is_taken_back(monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    before = snapshot()
    monkeypatch.setattr(bsbpool.bsb.installing, "put_above", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bsbpool.bsb.install()
    assert [key for key, value in snapshot().items() if value is not before.get(key)] == []
    assert not bsbpool.bsb.installed()


def test_a_service_that_a_user_registered_gives_way_meanwhile():
    class Mine(stock("JobPool")):  # type: ignore[misc]
        pass

    bsb.services.register_service("JobPool", Mine)
    try:
        with pytest.raises(ours.JobPoolError, match="Mine derives from BSB's own JobPool"):
            bsbpool.bsb.install()
        assert bsb.services.JobPool is Mine
    finally:
        bsb.services.register_service("JobPool", stock("JobPool"))
