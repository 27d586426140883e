"""What the tests with BSB have in common."""

import os
import sys
from pathlib import Path

import pytest

# `launching`, which starts commands in processes of their own, is there.
sys.path.append(str(Path(__file__).parents[1] / "unit"))

#: BSB's windows stay open until the end, which MPICH's transport would say a hundred times.
os.environ.setdefault("UCX_LOG_LEVEL", "error")


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
