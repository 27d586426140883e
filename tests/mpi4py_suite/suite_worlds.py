"""Runs files of mpi4py's test suite under MPICH, or on simulated ranks, and gathers the outcome of each test.

A deadlock, an abort or the end of a process costs one test: it is reported, and the run goes on behind it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
#: What pip fetches stays here; git ignores it.
CACHE = ROOT / ".mpi4py-suite"
ON_A_RANK = Path(__file__).with_name("suite_on_a_rank.py")
SIMULATING = Path(__file__).with_name("suite_simulating.py")
MPIRUN = Path(sys.executable).parent / "mpirun"
#: Seconds of processor time that one test may take on simulated ranks. The longest takes two.
MOST = 8
#: The same with all checks, which watch each buffer and each access.
MOST_CHECKED = 3 * MOST
#: Into how many shares the files are dealt, each with a process of its own; and how many files a share has at least.
SHARES, SMALLEST = 16, 3
#: Seconds between two looks at how long a process has taken.
_LOOK = 0.05
TOO_LONG = "the process is not over after {} s of processor time"
#: Seconds until the suite must be through under MPICH, on a busy machine.
MOST_MPICH = 1800


@dataclass
class Outcomes:
    """What became of the tests, in one world and on one number of ranks.

    :ivar passed: tests that passed on all ranks, or on some while the others skipped them.
    :ivar skipped: tests that all ranks skipped.
    :ivar failed: tests that did not pass, each with the reason of the lowest rank that has one.
    :ivar files: files that can't be imported, each with the reason.
    :ivar findings: what checks have found, by file, kind and function, each with words and a line.
    """

    passed: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)

    def add(self, ranks: Mapping[int, list[dict[str, Any]]], broken: Mapping[str, str]) -> None:
        """Take in what ranks wrote down.

        :param broken: tests that did not come to their end, each with the reason.
        """
        by_test: dict[str, list[dict[str, Any]]] = {}
        for rank in sorted(ranks):
            for record in ranks[rank]:
                if "test" in record:
                    by_test.setdefault(record["test"], []).append(record)
                elif record.get("outcome") == "failed":
                    self.files.setdefault(record["file"], record["reason"])
        for test, records in by_test.items():
            if test in broken:
                continue
            failures = [record["reason"] for record in records if record["outcome"] == "failed"]
            if failures:
                self.failed[test] = failures[0]
            elif len(records) < len(ranks) and broken:
                continue  # it is run again
            elif len(records) < len(ranks):
                self.failed[test] = "it did not come to its end on all ranks"
            elif all(record["outcome"] == "skipped" for record in records):
                self.skipped.add(test)
            else:
                self.passed.add(test)
        self.failed.update(broken)

    def merge(self, other: Outcomes) -> None:
        """Take in what became of the tests of other files."""
        self.passed |= other.passed
        self.skipped |= other.skipped
        self.failed |= other.failed
        self.files |= other.files
        self.findings |= other.findings

    def look_at(self, name: str, told: Iterable[Sequence[Any]]) -> None:
        """Take in what was found in a file of tests."""
        for kind, path, line, function, words in told:
            self.findings.setdefault(f"{name}.{kind}.{function}", f"{words}, at {Path(path).name}:{line}")

    def reason(self, test: str) -> str:
        """Why a test did not pass."""
        if test in self.skipped:
            return "it is skipped"
        return self.failed.get(test) or self.files.get(file_of(test)) or "it was not run"


def file_of(test: str) -> str:
    """The name of the file that a test is in: the first part of the test's own."""
    return test.partition(".")[0]


def version() -> str:
    """The version of mpi4py that is installed here."""
    from importlib.metadata import version

    return version("mpi4py")


def source() -> Path:
    """mpi4py's source distribution, unpacked; fetched by pip, if it is not there yet."""
    name = f"mpi4py-{version()}"
    unpacked = CACHE / name
    if not unpacked.is_dir():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            fetch = [sys.executable, "-m", "pip", "-q", "download", "--no-deps", "-d", folder]
            subprocess.run([*fetch, "--no-binary", "mpi4py", f"mpi4py=={version()}"], check=True)
            (archive,) = Path(folder).glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
            os.rename(Path(folder) / name, unpacked)
    return unpacked


def files(folder: Path) -> list[str]:
    """Names of the files of tests, in order."""
    return sorted(path.stem for path in (folder / "test").glob("test_*.py"))


def under_mpich(folder: Path, size: int, names: Iterable[str]) -> Outcomes:
    """Run files of tests on real ranks, in one `mpirun`."""
    with tempfile.TemporaryDirectory() as name:
        skipped = Path(name) / "skipped"
        skipped.touch()
        prefix = Path(name) / "outcomes"
        arguments = [str(folder / "test"), str(prefix), str(skipped), *names]
        command = [str(MPIRUN), "-n", str(size), sys.executable, "-B", str(ON_A_RANK), *arguments]
        # What the tests spawn looks for their files, too.
        environment = os.environ | {"PYTHONPATH": str(folder / "test"), "UCX_LOG_LEVEL": "error"}
        # Ranks that wait sleep, and let others run: there may be more of them than processors. Without, 4 ranks on two
        # cores take three times as long.
        environment |= {"MPIR_CVAR_POLLS_BEFORE_YIELD": "1", "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1"}
        with open(Path(name) / "printed", "w+") as printed:
            done = subprocess.run(
                command, env=environment, cwd=name, stdout=printed, stderr=subprocess.STDOUT, timeout=MOST_MPICH
            )
            ranks = _read(prefix, size)
            if done.returncode or not all(_over(records) for records in ranks.values()):
                printed.seek(0)
                raise RuntimeError(f"{size} ranks of MPICH ended early:\n{printed.read()[-5000:]}")
    found = Outcomes()
    found.add(ranks, {})
    return found


def on_simulated_ranks(
    folder: Path, size: int, names: Iterable[str], without: Iterable[str] = (), *, checked: bool = False
) -> Outcomes:
    """Run files of tests on simulated ranks, one simulation for each; as many processes at once as there are cores.

    :param without: tests that are not run.
    :param checked: whether what MPI forbids is looked for.
    """
    done: dict[str, set[str]] = {}
    for test in without:
        done.setdefault(file_of(test), set()).add(test)
    # By length, the longest first: so shares take about as long as each other, and none is left over at the end.
    all_names = sorted(names, key=lambda name: -(folder / "test" / f"{name}.py").stat().st_size)
    count = max(1, min(SHARES, len(all_names) // SMALLEST))
    shares = [all_names[start::count] for start in range(count)]
    found = Outcomes()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as executor:
        for of_share in executor.map(lambda share: _share(folder, size, share, done, checked), shares):
            found.merge(of_share)
    return found


def _share(folder: Path, size: int, names: list[str], without: Mapping[str, set[str]], checked: bool) -> Outcomes:
    """Run some of the files, as long as all goes well in one process."""
    found = Outcomes()
    done = {name: {*tests} for name, tests in without.items()}
    left = names
    with tempfile.TemporaryDirectory() as work:
        while left:
            left = _process(folder, size, left, done, found, Path(work), checked)
    return found


def _process(
    folder: Path, size: int, names: list[str], done: dict[str, set[str]], found: Outcomes, work: Path, checked: bool
) -> list[str]:
    """Run files in one process; returns those in which tests are left, since one of these did not come to its end."""
    printed = work / "printed"
    for old in work.glob("*"):
        old.unlink()
    for name in names:
        (work / f"{name}.skipped").write_text("\n".join(sorted(done.get(name, ()))))
    checks = "all" if checked else "none"
    command = [sys.executable, "-B", str(SIMULATING), str(size), checks, str(folder / "test"), str(work), *names]
    with open(printed, "w") as output, tempfile.TemporaryDirectory() as elsewhere:
        process = subprocess.Popen(command, cwd=elsewhere, stdout=output, stderr=subprocess.STDOUT)
        stuck = _watch(process, work, MOST_CHECKED if checked else MOST)
    left = []
    for index, name in enumerate(names):
        ranks = _read(work / name, size)
        ended = work / f"{name}.ended"
        whole = ended.exists()
        if whole and (told := work / f"{name}.found").exists():
            found.look_at(name, json.loads(told.read_text()))
        broken: dict[str, str] = {}
        if not all(_over(records) for records in ranks.values()):
            why = ended.read_text() if whole else stuck or f"the process ended with status {process.returncode}"
            test = _culprit(ranks, why, work / name)
            if test is None:
                found.files.setdefault(name, why or "it did not come to its end")
                if not whole:
                    sys.stderr.write(printed.read_text()[-2000:])
            else:
                broken[test] = why
        found.add(_before(ranks, broken), broken)
        if broken:
            seen = {record["test"] for records in ranks.values() for record in records if "test" in record}
            counted = {test for test in seen if test in found.passed | found.skipped | found.failed.keys()}
            done.setdefault(name, set()).update(counted, broken)
            # Tests of this file that other ranks had begun behind the broken one run again, with the rest.
            left.append(name)
        if not whole:
            return left + names[index + 1 :]
    return left


def _before(ranks: dict[int, list[dict[str, Any]]], broken: dict[str, str]) -> dict[int, list[dict[str, Any]]]:
    """Of what ranks wrote down: what is in front of the test that did not come to its end."""
    if not broken:
        return ranks
    cut = {}
    for rank, records in ranks.items():
        kept = []
        for record in records:
            if record.get("begins") in broken:
                break
            kept.append(record)
        cut[rank] = kept
    return cut


def _watch(process: subprocess.Popen[bytes], work: Path, most: int) -> str:
    """Wait for a process; end it if one test takes more than so many seconds. Returns why, or nothing."""
    of_process = psutil.Process(process.pid)
    last, since = -1, 0.0
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK)
        try:
            used = sum(of_process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
        size = sum(path.stat().st_size for path in work.glob("*"))
        if size != last:
            last, since = size, used
        elif used - since > most:
            process.kill()
            process.wait()
            return TOO_LONG.format(most)
    return ""


def _read(prefix: Path, size: int) -> dict[int, list[dict[str, Any]]]:
    return {rank: [*_records(Path(f"{prefix}.{rank}"))] for rank in range(size)}


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:  # the process ended within the line
                return


def _over(records: list[dict[str, Any]]) -> bool:
    return bool(records) and "over" in records[-1]


def _culprit(ranks: Mapping[int, list[dict[str, Any]]], why: str, prefix: Path) -> str | None:
    """The test because of which the others did not come to their end.

    That is the one in which a rank aborted; if the process ended, the one that the last rank began that wrote anything;
    in a deadlock the first, in the order of the file, of those that ranks are in.
    """
    order = next((record["tests"] for records in ranks.values() for record in records if "tests" in record), [])
    unfinished = {}
    for rank, records in ranks.items():
        ended = {record["test"] for record in records if "test" in record}
        for record in records:
            if "begins" in record and record["begins"] not in ended:
                unfinished[rank] = record["begins"]
    if (aborting := re.match(r"AbortError: rank (\d+)", why)) is not None:
        return unfinished.get(int(aborting[1]))
    if why.startswith("the process"):
        return unfinished.get(max(unfinished, key=lambda rank: Path(f"{prefix}.{rank}").stat().st_mtime_ns, default=-1))
    return next((test for test in order if test in unfinished.values()), None)
