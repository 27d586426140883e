"""What the tests with BSB have in common."""

import os

import pytest

#: BSB's windows stay open until the end, which MPICH's transport would say a hundred times.
os.environ.setdefault("UCX_LOG_LEVEL", "error")


@pytest.fixture(autouse=True, scope="session")
def locks_keep_their_memory():
    """The memory of mpilock's locks stays until the end.

    MPI needs the memory of a window until the window is freed. A lock of mpilock 2.2.1 that is garbage gives its memory
    back and leaves its windows open: another rank that locks, or unlocks, later writes into what is somebody else's by
    then, and the process aborts at a later ``malloc``. A program has one scaffold, which stays; tests have many.
    """
    import mpilock

    kept, init = [], mpilock.WindowController.__init__

    def initialise(self, *args, **kwargs):
        kept.append(self)
        init(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mpilock.WindowController, "__init__", initialise)
        yield


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """A scaffold without a name for its storage makes one where it is."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """No default listener, but where a test asks for one."""
    import bsb.options

    monkeypatch.setattr(bsb.options, "quiet", True, raising=False)


@pytest.fixture
def installed():
    """BSB uses this pool meanwhile."""
    import bsbpool.bsb

    bsbpool.bsb.install()
    yield bsbpool.bsb
    bsbpool.bsb.uninstall()
