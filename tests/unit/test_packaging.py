"""What is uploaded to a package index: the wheel and the source distribution, as tools for it judge them.

Whether what is in them works where it is installed, `run.py` and `.ci/release.py` try.
"""

import importlib.util
import io
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from launching import unmeasured

import bsbpool

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

NEEDED = ("check_wheel_contents", "hatch_fancy_pypi_readme", "hatchling", "packaging", "pyroma", "twine")
missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)} (pip install -e '.[release]')")

#: What pyroma asks for and nobody has yet: an address of the project, and one to write to. Nothing else may be missing.
NOT_YET = {"author-email", "'url' field"}


def python(*arguments):
    """Run a module of Python's. Returns what it said."""
    run = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], env=unmeasured(), capture_output=True, text=True, cwd=ROOT
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    python("hatchling", "build", "-d", folder)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def metadata(built):
    with zipfile.ZipFile(built[1]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_string(wheel.read(name).decode())


def test_twine_takes_them(built):
    assert python("twine", "check", "--strict", *built).count("PASSED") == 2


def test_the_wheel_has_what_it_should_and_nothing_else(built):
    assert "OK" in python("check_wheel_contents", built[1])


# Pyroma itself unpacks the archive so.
@pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter extracted tar archives:DeprecationWarning")
def test_pyroma_misses_only_what_does_not_exist_yet(built):
    from pyroma import distributiondata, ratings

    data = distributiondata.get_data(str(built[0]))
    mark, complaints = ratings.rate(data)
    unknown = [each for each in complaints if not any(what in each for what in NOT_YET)]
    assert unknown == []
    assert len(complaints) == len(NOT_YET)
    assert mark >= 8


def test_no_link_of_the_readme_leads_nowhere_on_a_package_index(metadata):
    text = metadata.get_payload()
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []
    assert "The pool" in text  # what was a link is text, and not gone


def test_the_metadata_is_that_of_the_project(metadata):
    assert metadata["Version"] == bsbpool.__version__
    assert metadata["License-Expression"] == PROJECT["license"]
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_the_source_distribution_has_what_its_tests_need(built):
    with tarfile.open(fileobj=io.BytesIO(built[0].read_bytes())) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    files = tracked.stdout.split("\n")[:-1] if tracked.returncode == 0 else []
    if not files:
        pytest.skip("needs a checkout with git, to know what there is")
    assert [name for name in files if name not in names] == []


def test_the_version_is_the_one_that_the_changelog_is_about():
    from packaging.version import Version

    version = Version(bsbpool.__version__)
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest, state = re.search(r"^## \[([^\]]+)\] - (.*)$", text, re.MULTILINE).groups()
    assert version.base_version == newest
    assert version.is_devrelease == (state == "unreleased"), "a version that is released has a date, and no .dev"
