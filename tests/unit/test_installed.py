"""What is installed is all that there is. `run.py` runs this where it is installed as users do."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import bsbpool
import bsbpool_sim

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("package", "source"), [(bsbpool, "bsbpool"), (bsbpool_sim, "sim/bsbpool_sim")])
def test_all_files_of_a_package_come_along(package, source):
    def files(folder):
        return {str(file.relative_to(folder)) for file in folder.rglob("*.*") if "__pycache__" not in file.parts}

    installed = files(Path(package.__file__).parent)
    assert installed == files(ROOT / source)
    assert "py.typed" in installed


def test_the_command_and_the_plugins_are_there():
    command = Path(sys.executable).parent / "bsbpool"
    done = subprocess.run([command, "--version"], capture_output=True, text=True)
    assert done.stdout.split()[-1] == bsbpool.__version__, done.stderr
    plugins = {each.name: each.load().__name__ for each in entry_points(group="pytest11") if "bsbpool" in each.name}
    assert plugins == {
        "bsbpool_ranks": "bsbpool_sim.pytest_plugin.ranks",
        "bsbpool_scenarios": "bsbpool_sim.pytest_plugin.scenarios",
    }
