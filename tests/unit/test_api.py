"""The public names: where they are, their signatures, and that importing them costs nothing."""

import importlib
import inspect
import os
import subprocess
import sys

import pytest
from launching import unmeasured

import bsbpool
from bsbpool import pool
from bsbpool.exceptions import JobErroredError

NONE = inspect.Parameter.empty
ARGUMENTS = {"args": NONE, "kwargs": NONE, "deps": None, "cache_items": None}

#: The API page (the seed): each callable with its parameters and their defaults.
PAGE = {
    "mpi.MPIModule": {"module": NONE},
    "mpilock.MPILockModule": {"module": NONE},
    "pool.ConnectivityJob": {"pool": NONE, "strategy": NONE, "pre_roi": NONE, "post_roi": NONE, "deps": None},
    "pool.FunctionJob": {"pool": NONE, "f": NONE, **ARGUMENTS, "context": NONE},
    "pool.Job": {"pool": NONE, "submission_context": NONE, **ARGUMENTS},
    "pool.Job.run": {"self": NONE, "timeout": None},
    "pool.JobPool": {"id": NONE, "scaffold": NONE, "fail_fast": False, "workflow": None},
    "pool.JobPool.add_notification": {"self": NONE, "notification": NONE},
    "pool.JobPool.change_status": {"self": NONE, "status": NONE},
    "pool.JobPool.execute": {"self": NONE, "return_results": False},
    "pool.JobPool.get_required_cache_items": {"self": NONE},
    "pool.PlacementJob": {"pool": NONE, "strategy": NONE, "chunk": NONE, "deps": None},
    "pool.PoolJobUpdateProgress": {"pool": NONE, "job": NONE, "old_status": NONE},
    "pool.PoolProgress": {"pool": NONE, "reason": NONE},
    "pool.PoolStatusProgress": {"pool": NONE, "old_status": NONE},
    "pool.SubmissionContext": {"submitter": NONE, "chunks": None, "kwargs": NONE},
    "pool.Workflow": {"phases": NONE},
    "pool.dispatcher": {"pool_id": NONE, "job_args": NONE},
}

#: What REFERENCE.md adds to the page.
REFERENCE = {
    "_util.ErrorModule": {"message": NONE},
    "_util.MockModule": {"module": NONE},
    "mpi.MPIService": {"comm": None},
    "mpi.MPIService.abort": {"self": NONE, "errorcode": 1},
    "mpi.MPIService.allgather": {"self": NONE, "obj": NONE},
    "mpi.MPIService.barrier": {"self": NONE},
    "mpi.MPIService.bcast": {"self": NONE, "obj": NONE, "root": 0},
    "mpi.MPIService.gather": {"self": NONE, "obj": NONE, "root": 0},
    "mpi.MPIService.get_communicator": {"self": NONE},
    "mpi.MPIService.get_rank": {"self": NONE},
    "mpi.MPIService.get_size": {"self": NONE},
    "mpi.MPIService.try_all": {"self": NONE, "default_exception": None},
    "mpi.MPIService.try_main": {"self": NONE},
    "mpi.MPIService.window": {"self": NONE, "buffer": NONE},
    "mpilock.Controller.close": {"self": NONE},
    "mpilock.Controller.read": {"self": NONE},
    "mpilock.Controller.single_write": {"self": NONE, "handle": None, "rank": None},
    "mpilock.Controller.write": {"self": NONE},
    "mpilock.Fence.collect": {"self": NONE},
    "mpilock.Fence.guard": {"self": NONE},
    "mpilock.Fence.share": {"self": NONE, "obj": NONE},
    "owner.Owner.create_job_pool": {"self": NONE, "fail_fast": None, "quiet": False},
    "owner.Owner.register_listener": {"self": NONE, "listener": NONE, "max_wait": None},
    "owner.Owner.register_pool_cached_item": {"self": NONE, "id": NONE, "cleanup": NONE},
    "owner.Owner.remove_listener": {"self": NONE, "listener": NONE},
    "pool.Job.cancel": {"self": NONE, "reason": None},
    "pool.Job.change_status": {"self": NONE, "status": NONE},
    "pool.Job.execute": {"job_owner": NONE, "args": NONE, "kwargs": NONE},
    "pool.Job.on_completion": {"self": NONE, "callback": NONE},
    "pool.Job.serialize": {"self": NONE},
    "pool.Job.set_exception": {"self": NONE, "error": NONE},
    "pool.Job.set_result": {"self": NONE, "value": NONE},
    "pool.JobErroredError": {"message": NONE, "error": NONE},
    "pool.JobPool.add_listener": {"self": NONE, "listener": NONE, "max_wait": None},
    "pool.JobPool.get_owner": {"id": NONE},
    "pool.JobPool.get_submissions_of": {"self": NONE, "submitter": NONE},
    "pool.JobPool.get_tmp_folder": {"id": NONE},
    "pool.JobPool.is_main": {"self": NONE},
    "pool.JobPool.notify": {"self": NONE},
    "pool.JobPool.ping": {"self": NONE},
    "pool.JobPool.queue": {
        "self": NONE, "f": NONE, "args": None, "kwargs": None, "deps": None, "context": NONE,
    },
    "pool.JobPool.queue_connectivity": {
        "self": NONE, "strategy": NONE, "pre_roi": NONE, "post_roi": NONE, "deps": None,
    },
    "pool.JobPool.queue_placement": {"self": NONE, "strategy": NONE, "chunk": NONE, "deps": None},
    "pool.JobPool.raise_unhandled": {"self": NONE},
    "pool.JobPool.schedule": {"self": NONE, "nodes": NONE, "scheduler": None},
    "pool.PoolJobAddedProgress": {"pool": NONE, "job": NONE},
    "pool.Workflow.next_phase": {"self": NONE},
    "pool.free_stale_pool_cache": {"owner": NONE, "required_cache_items": NONE},
    "pool.get_node_cache_items": {"node": NONE},
}  # fmt: skip

PROPERTIES = {
    "mpi.MPIModule": ["COMM_WORLD"],
    "pool.Job": ["context", "description", "error", "name", "pool_id", "result", "status", "submitter"],
    "pool.JobPool": ["id", "jobs", "owner", "parallel", "scheduling", "status", "workflow"],
    "pool.PoolJobAddedProgress": ["job"],
    "pool.PoolJobUpdateProgress": ["job", "old_status", "status"],
    "pool.PoolProgress": ["jobs", "reason", "status", "workflow"],
    "pool.PoolStatusProgress": ["old_status", "status"],
    "pool.SubmissionContext": ["chunks", "context", "name", "submitter"],
    "pool.Workflow": ["finished", "phase", "phases"],
}

ENUMS = {
    "JobStatus": {s.upper(): s for s in ["pending", "queued", "running", "success", "failed", "cancelled", "aborted"]},
    "PoolStatus": {s.upper(): s for s in ("scheduling", "executing", "closing")},
    "PoolProgressReason": {
        "POOL_STATUS_CHANGE": 1, "JOB_ADDED": 2, "JOB_STATUS_CHANGE": 3, "MAX_TIMEOUT_PING": 4,
    },
}  # fmt: skip


def find(path):
    module, *names = path.split(".")
    found = importlib.import_module(f"bsbpool.{module}")
    for name in names:
        found = getattr(found, name)
    return found


def python(code, *options):
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**unmeasured(), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip


@pytest.mark.parametrize(("path", "expected"), [*PAGE.items(), *REFERENCE.items()])
def test_a_public_name_has_the_signature_of_the_reference(path, expected):
    parameters = inspect.signature(find(path)).parameters
    given = {name: p.default for name, p in parameters.items()}
    assert {name: given.get(name, "missing") for name in expected} == expected
    assert list(given)[: len(expected)] == list(expected)
    # More there may be, if nobody has to give it.
    assert all(given[name] is not NONE for name in given if name not in expected)


@pytest.mark.parametrize("path", ["pool.FunctionJob", "pool.JobPool.queue", "pool.SubmissionContext"])
def test_context_is_given_by_keyword(path):
    assert [*inspect.signature(find(path)).parameters.values()][-1].kind is inspect.Parameter.VAR_KEYWORD


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, names in PROPERTIES.items() for name in names])
def test_a_property_of_the_reference_is_one(path, name):
    assert isinstance(inspect.getattr_static(find(path), name), property)


@pytest.mark.parametrize(("name", "members"), ENUMS.items())
def test_an_enum_has_the_members_and_values_of_the_page(name, members):
    enum = getattr(pool, name)
    assert {m.name: m.value for m in enum} == members
    assert all(enum(value) is enum[key] for key, value in members.items())


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("JobPoolError", Exception),
        ("JobCancelledError", pool.JobPoolError),
        ("JobPoolContextError", pool.JobPoolError),
        ("JobSchedulingError", pool.JobPoolError),
        ("DependencyError", Exception),
        ("WorkflowError", ExceptionGroup),
    ],
)
def test_an_error_is_of_its_kind(name, base):
    assert issubclass(find(f"exceptions.{name}"), base)


def test_a_part_of_a_workflow_error_is_one():
    error = pool.WorkflowError("two", [ValueError(1), KeyError(2)])
    part = error.subgroup(KeyError)
    assert type(part) is pool.WorkflowError


def test_a_job_errored_error_holds_its_error_as_its_cause():
    cause = ValueError("bad")
    error = JobErroredError("job 3 failed", cause)
    assert (str(error), error.error, error.__cause__) == ("job 3 failed", cause, cause)


@pytest.mark.parametrize(
    ("path", "method"),
    [("pool.Job", "execute"), ("pool.FunctionJob", "execute"), ("pool.PlacementJob", "execute")],
)
def test_execute_of_a_job_is_static(path, method):
    assert isinstance(inspect.getattr_static(find(path), method), staticmethod)


def test_a_job_is_abstract():
    assert inspect.isabstract(pool.Job)


@pytest.mark.parametrize(
    "module", ["_util", "exceptions", "listeners", "mpi", "mpilock", "owner", "pool", "pool.caching", "trace", "worlds"]
)
def test_a_module_has_what_it_says_to_export(module):
    found = importlib.import_module(f"bsbpool.{module}")
    assert [name for name in getattr(found, "__all__", []) if not hasattr(found, name)] == []


@pytest.mark.parametrize("name", ["JobPool", "WorkflowError", "pool_cache"])
def test_the_package_hands_on_the_names_of_the_pool(name):
    assert getattr(bsbpool, name) is getattr(pool, name)


def test_the_package_hands_on_its_services():
    assert callable(bsbpool.register_service)
    assert bsbpool.MPI.get_size() >= 1
    assert callable(bsbpool.MPILock.sync)
    assert {"MPI", "MPILock", *bsbpool.__all__} <= set(dir(bsbpool))


# -- services ----------------------------------------------------------------------------------------


@pytest.fixture
def services(monkeypatch):
    """The services as they are; what a test registers is gone after it."""
    before = dict(vars(bsbpool))
    monkeypatch.setattr(bsbpool, "_services", dict(bsbpool._services))
    yield bsbpool._services
    for name in [*vars(bsbpool)]:
        if name not in before:
            delattr(bsbpool, name)
    vars(bsbpool).update({name: value for name, value in before.items() if name != "_services"})


def test_an_unknown_service_is_an_attribute_error_that_lists_the_services(services):
    bsbpool.register_service("Weather", object())
    with pytest.raises(AttributeError, match="no attribute 'Wether'; its services are MPI, MPILock, Weather") as caught:
        bsbpool.Wether  # noqa: B018
    assert type(caught.value) is AttributeError
    assert not hasattr(bsbpool, "Wether")


def test_a_registered_service_is_an_attribute_of_the_package(services):
    service = object()
    bsbpool.register_service("Weather", service)
    assert bsbpool.Weather is service
    assert "Weather" in dir(bsbpool)


@pytest.mark.parametrize("name", ["MPI", "MPILock", "Weather"])
def test_registering_a_service_again_replaces_it(services, name):
    bsbpool.register_service(name, "old")
    bsbpool.register_service(name, "new")
    assert getattr(bsbpool, name) == "new"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "named like an attribute"),
        ("two words", "named like an attribute"),
        ("3D", "named like an attribute"),
        ("register_service", "a part of bsbpool"),
        ("__version__", "a part of bsbpool"),
        ("JobPool", "a part of bsbpool"),
    ],
)
def test_a_service_can_not_be_named(services, name, message):
    with pytest.raises(ValueError, match=message):
        bsbpool.register_service(name, object())


def test_a_name_that_was_not_loaded_yet_is_no_free_name():
    code = "import bsbpool\ntry: bsbpool.register_service('JobPool', 5)\nexcept ValueError: print('refused')"
    assert python(code).stdout == "refused\n"


# -- what importing costs ----------------------------------------------------------------------------

HEAVY = ("numpy", "mpi4py", "pytest", "bsbpool_sim", "greenlet", "rich", "click", "cloudpickle")


@pytest.mark.parametrize("module", ["bsbpool", "bsbpool.pool"])
def test_importing_the_package_imports_nothing_heavy(module):
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert python(code).stdout == "[]\n"
