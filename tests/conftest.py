"""How the tests run in their worlds. Under plain pytest: this process, and simulated ranks. Under
``mpirun -n N pytest``: the real ranks; every one of them runs pytest, and rank 0 reports.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib.util
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import pytest
import watching
from launching import WITHOUT

#: Seconds after which a test ends its process, with the stacks of all threads: on real ranks the run is over; here the
#: others go on in a new process.
LIMIT = 900

_STDERR = pytest.StashKey()

MPI_SIZE = int(os.environ.get("PMI_SIZE") or os.environ.get("OMPI_COMM_WORLD_SIZE") or 1)

#: Where the tests are that run on real ranks too. Each rank would import all others for nothing.
ON_RANKS = ["mpi", "pool", "with_bsb"]

# BSB has an environment of its own: `run.py` makes it.
collect_ignore = [] if importlib.util.find_spec("bsb") else ["with_bsb"]
if MPI_SIZE > 1:
    collect_ignore += {each.name for each in Path(__file__).parent.iterdir() if each.is_dir()} - {*ON_RANKS}


def comm_world():
    from mpi4py import MPI

    return MPI.COMM_WORLD


class OwnFolder:
    """Gives each rank a folder of its own for `tmp_path`: pytest's common one is tidied by all of them at once."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config):
        config.option.basetemp = tempfile.mkdtemp(prefix="bsbpool-tests-")

    def pytest_unconfigure(self, config):
        shutil.rmtree(config.option.basetemp, ignore_errors=True)


def pytest_addoption(parser, pluginmanager):
    parser.addoption("--huge", action="store_true", help="Run the tests that take 10 GB of memory, and only these.")
    if MPI_SIZE > 1:
        pluginmanager.register(OwnFolder())


@pytest.fixture
def pytester(pytester, monkeypatch):
    """Pytest's, whose processes don't load what no test there uses: it takes them longer than the tests do."""
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(WITHOUT))
    return pytester


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    if MPI_SIZE == 1:
        watching.watch()
        no_deadlines()
    # The real one: what a rank says when it gives up must not end in a captured file.
    config.stash[_STDERR] = os.fdopen(os.dup(2), "w")
    if MPI_SIZE > 1 and comm_world().Get_rank() > 0:
        config.pluginmanager.unregister(name="terminalreporter")


def pytest_unconfigure(config):
    _measure_again()
    config.stash[_STDERR].close()


def no_deadlines():
    """Hypothesis does not look at the clock: how long an example takes depends on what else the machine does."""
    if importlib.util.find_spec("hypothesis") is None:
        return
    from hypothesis import settings

    settings.register_profile("suite", settings.default, deadline=None)
    settings.load_profile("suite")


def pytest_collection_modifyitems(config, items):
    items[:] = [i for i in items if bool(i.get_closest_marker("huge")) is config.getoption("--huge", False)]
    if MPI_SIZE > 1:
        # Only what is about ranks: all else would run the same on each of them.
        items[:] = [i for i in items if i.get_closest_marker("mpi") or _has_world(i)]
    else:
        for item in items:
            if (item.get_closest_marker("mpi") or _has_world(item)) and item.path.parent.name not in ON_RANKS:
                raise pytest.UsageError(f"{item.nodeid} is about ranks: its place is in {' or '.join(ON_RANKS)}")
        items[:] = [i for i in items if not i.get_closest_marker("mpi")]


def pytest_collection_finish():
    """Later collections of garbage leave out what the tests were collected with, which they would look at for long."""
    gc.collect()
    gc.freeze()


def _has_world(item):
    """Whether it is a test in worlds, and one of them has room for it; those with BSB live in BSB's own."""
    spec = getattr(item, "callspec", None)
    return item.path.parent.name == "with_bsb" or (spec is not None and isinstance(spec.params.get("worlds"), Case))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    limit = 10 * LIMIT if item.get_closest_marker("huge") else LIMIT
    if item.config.getoption("--hypothesis-profile", None) != "thorough":
        faulthandler.dump_traceback_later(limit, exit=True, file=item.config.stash[_STDERR])
    watching.watching = not item.get_closest_marker("unwatched")
    try:
        with _measured(item):
            return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def pytest_enter_pdb():
    faulthandler.cancel_dump_traceback_later()  # a person takes their time


#: The files of tests whose processes run lines that no test runs in its own process. Only there, and in tests with the
#: mark `measured`, coverage is measured in what tests start, since it takes a short process more time than all else.
PROCESSES = {"test_compiles.py", "test_explore_pytest.py"}


#: Coverage's measurement that is stopped for tests with the mark `unmeasured`, from the first to the next that is
#: measured: beginning again costs more than most tests, since it sets each line up anew.
_stopped = None


def _measure_again():
    global _stopped
    if _stopped is not None:
        _stopped.start()
        _stopped = None


@contextlib.contextmanager
def _measured(item):
    """While it is entered, coverage is measured where a test wants it, if it is measured at all."""
    global _stopped
    coverage = sys.modules.get("coverage")
    measuring = _stopped or (coverage and coverage.Coverage.current())
    here = not item.get_closest_marker("unmeasured")
    in_processes = here and (item.path.name in PROCESSES or item.get_closest_marker("measured"))
    if here:
        _measure_again()
    if not measuring or in_processes:
        yield
        return
    environment = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith("COVERAGE_")}
    if not here and _stopped is None:
        measuring.stop()
        _stopped = measuring
    try:
        yield
    finally:
        os.environ.update(environment)


@pytest.fixture
def comm():
    """Says to the plugin for pytest that the mark `ranks` is not meant for it here: the worlds below have its ranks."""
    raise RuntimeError("tests here run in `worlds`")


class Local:
    """This process alone."""

    name = "local"
    simulated = False

    def fits(self, ranks):
        return ranks == 1

    def run(self, program, ranks, script=None):
        return [program(None)]


class Simulated:
    """Simulated ranks in virtual time."""

    name = "simulated"
    simulated = True

    def fits(self, ranks):
        return True

    def run(self, program, ranks, **options):
        from bsbpool_sim import simulate

        self.last = simulate(program, ranks, **options)
        return self.last.results


class Real:
    """Real MPI ranks: this process is one of them."""

    name = "mpi"
    simulated = False

    def fits(self, ranks):
        return 1 < ranks <= MPI_SIZE

    def run(self, program, ranks):
        world = comm_world()
        mine = world.Split(0 if world.rank < ranks else 1, world.rank)
        result, error = None, None
        if world.rank < ranks:
            try:
                result = program(mine)
            except BaseException:
                error = traceback.format_exc()
        results = world.allgather((result, error))
        mine.Free()
        errors = [f"rank {rank}:\n{error}" for rank, (_, error) in enumerate(results) if error]
        assert not errors, "\n".join(errors)
        return [result for result, _ in results[:ranks]]


WORLDS: list = [Real()] if MPI_SIZE > 1 else [Local(), Simulated()]


class Case:
    """A world and a number of ranks in it: ``worlds(program)`` gives the results by rank."""

    def __init__(self, world, ranks):
        self.world = world
        self.ranks = ranks
        self.parallel = ranks > 1
        self.simulated = world.simulated

    def __call__(self, program, **options):
        return self.world.run(program, self.ranks, **options)


def pytest_generate_tests(metafunc):
    """`worlds` makes a test run on 1, 2 and 4 ranks, or those of its ``ranks`` mark, in each world where they fit."""
    if "worlds" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("ranks")
    cases = [
        Case(world, ranks) for ranks in (marker.args if marker else (1, 2, 4)) for world in WORLDS if world.fits(ranks)
    ]
    metafunc.parametrize("worlds", cases, ids=[f"{c.world.name}-{c.ranks}" for c in cases])
