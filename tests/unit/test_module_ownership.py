"""Which modules each simulated rank loads for itself, and which all ranks share."""

import json

import click
import pytest

import bsbpool
from bsbpool_sim.python import module_ownership
from bsbpool_sim.python.module_ownership import Ownership, replaces_pool


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes packages that count as installed."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(module_ownership, "installed_folders", lambda: (str(folder.resolve()) + "/",))

    def make(name, text="", *others):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(text, encoding="utf-8")
        for other in others:
            (folder / name / other).write_text("", encoding="utf-8")
        return str(folder / name / "__init__.py")

    return make


def of(file, name, **options):
    return Ownership(**options).decide(name, file, [file.rpartition("/")[0]])


def test_what_lies_beside_a_program_is_its_own(tmp_path):
    assert of(str(tmp_path / "lib" / "__init__.py"), "lib")
    assert not of(str(tmp_path / "lib.abi3.so"), "lib")


def test_what_is_pythons_own_this_projects_or_installed_is_shared(installed):
    ownership = Ownership()
    assert not ownership.decide("json", json.__file__, json.__path__)
    assert not ownership.decide("bsbpool", bsbpool.__file__, bsbpool.__path__)
    assert not ownership.decide("click", click.__file__, click.__path__)
    assert not of(installed("tool"), "tool")


def test_what_is_installed_and_takes_something_from_mpi4py_is_each_ranks_own(installed):
    assert of(installed("direct", "from mpi4py import MPI\n"), "direct")
    assert of(installed("indirect", "import os, json\nfrom direct import x\n"), "indirect")
    assert of(installed("further", "try:\n    import indirect\nexcept ImportError: pass\n"), "further")
    assert not of(installed("text", "x = 'import mpi4py'\n# import mpi4py\n"), "text")


def test_what_is_compiled_is_shared(installed):
    assert not of(installed("fast", "import mpi4py\n", "_core.so"), "fast")
    assert not of(installed("faster", "import fast\n"), "faster")


def test_options_come_before_all_else(installed, tmp_path):
    assert of(installed("tool"), "tool", named=["tool.part"])
    assert not of(str(tmp_path / "lib.py"), "lib", shared=["lib.part"])


@pytest.mark.parametrize(
    ("code", "does"),
    [
        ("import bsbpool.bsb", True),
        ("import sys, bsbpool.bsb as pool", True),
        ("import sys; import bsbpool.bsb; bsbpool.bsb.install()", True),
        ("if True:\n    from bsbpool.bsb import install", True),
        ("from bsbpool import job_pool, bsb", True),
        ("import bsbpool\nfrom bsbpool import job_pool", False),
        ("import bsb\nimport bsbpool  # not bsbpool.bsb", False),
        ("text = 'import bsbpool.bsb'", False),
    ],
)
def test_a_program_that_imports_bsbpool_bsb_is_known_by_its_source(tmp_path, code, does):
    assert replaces_pool(code, "code") is does
    (tmp_path / "script.py").write_text(code)
    assert replaces_pool(str(tmp_path / "script.py"), "script") is does
    assert not replaces_pool("bsbpool", "module") and not replaces_pool(str(tmp_path), "script")


def test_what_another_pythons_packages_or_pips_target_holds_is_installed(tmp_path, monkeypatch):
    def package(folder, name, recorded=False):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
        if recorded:
            (folder / f"{name}-1.dist-info").mkdir()
            (folder / f"{name}-1.dist-info" / "RECORD").write_text(f"{name}/__init__.py,,\n")
        return str(folder / name / "__init__.py")

    monkeypatch.syspath_prepend(str(tmp_path / "target"))
    assert not of(package(tmp_path / "lib" / "python3" / "site-packages", "elsewhere"), "elsewhere")
    assert not of(package(tmp_path / "lib" / "python3" / "dist-packages", "of_debian"), "of_debian")
    assert not of(package(tmp_path / "target", "vendored", recorded=True), "vendored")
    assert of(package(tmp_path / "target", "beside"), "beside")
