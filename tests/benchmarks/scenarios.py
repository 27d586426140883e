"""How long 300 scenario files of ordinary size take with ``pytest scenarios/``, in one process, start-up included."""

from __future__ import annotations

import itertools
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import console, environment, median

NUMBER = 300

#: Folders of scenarios that are large on purpose.
LARGE = {"large", "recorded", "recordings"}


def _copy_to(folder: Path) -> None:
    """As many scenarios as are to run: those that come along, several times over."""
    shipped = sorted((Path(__file__).parents[2] / "scenarios").glob("*/*.yaml"))
    ordinary = [path for path in shipped if path.parent.name not in LARGE]
    folder.mkdir()
    for number, path in enumerate(itertools.islice(itertools.cycle(ordinary), NUMBER)):
        shutil.copy(path, folder / f"{number:03}-{path.name}")


def _run(folder: Path) -> tuple[float, float]:
    """Seconds on the wall, and of processor time, of a run in which all pass."""
    compiled = {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "scenarios"],
        cwd=folder, env=environment() | compiled, capture_output=True, text=True, check=True,
    )  # fmt: skip
    took, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if f"{NUMBER} passed" not in run.stdout:
        raise RuntimeError(run.stdout)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def show(repetitions: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _copy_to(folder / "scenarios")
        (folder / "pytest.ini").write_text("[pytest]\n")
        _run(folder)  # writes what is compiled
        runs = [_run(folder) for _ in range(repetitions)]
    walls, processor = ([run[i] for run in runs] for i in (0, 1))
    console.print(
        f"{NUMBER} scenarios with pytest in one process, start-up included: {median(walls):.1f} s "
        f"({min(walls):.1f} to {max(walls):.1f}), {median(processor):.1f} s of processor time, {repetitions} runs"
    )
