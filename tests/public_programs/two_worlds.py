"""Runs one program under MPICH and on simulated ranks, and says in what the two runs differ.

Compared is what each rank prints, line by line and rank by rank; whether the program ends well; and each file that it
leaves behind. What differs by nature, such as the time that something took, is left out by patterns.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent
#: Seconds that a program may take, in either world, on a busy machine.
MOST = 240
#: The status of a program that takes longer, as that of the command `timeout`.
TOO_LONG = 124
#: Lines of a difference that are shown.
_SHOWN = 12
#: Both worlds have one order of sets of strings, one thread of linear algebra, and no display.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
    "UCX_LOG_LEVEL": "error",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}


@dataclass(frozen=True)
class Program:
    """A program, and how it is run.

    :ivar name: of the program, among all that are compared.
    :ivar folder: what it needs; it runs in a copy of it.
    :ivar command: what follows `python`.
    :ivar ranks: on how many it runs, one after the other.
    :ivar stdin: what rank 0 reads.
    :ivar within: where in the folder it is started.
    :ivar varies: patterns of what differs from run to run, such as seconds.
    :ivar any_order: lines of a rank are compared whatever their order, since MPI leaves that open.
    :ivar any_rank: lines are compared whatever their rank and order, where that is left to who comes first.
    :ivar errors: what ranks say on the standard error is compared, too.
    :ivar files: a pattern of files that are compared; the others are only expected to be there in both worlds.
    :ivar options: of `bsbpool simulate`.
    """

    name: str
    folder: Path
    command: tuple[str, ...]
    ranks: tuple[int, ...] = (2,)
    stdin: str = ""
    within: str = "."
    varies: tuple[str, ...] = ()
    any_order: bool = False
    any_rank: bool = False
    errors: bool = False
    files: str = "*"
    options: tuple[str, ...] = ()


@dataclass
class Run:
    """What a program did, in one world.

    :ivar status: with which it ended.
    :ivar lines: what each rank printed.
    :ivar said: what each rank wrote to the standard error.
    :ivar files: what it left behind, by the path in its folder.
    :ivar about: what was said of the run, but by no rank.
    """

    status: int
    lines: dict[int, list[str]]
    said: dict[int, list[str]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    about: list[str] = field(default_factory=list)


def under_mpich(program: Program, size: int) -> Run:
    """Run it on real ranks."""
    with _copy(program) as folder, tempfile.TemporaryDirectory() as printed:
        patterns = ["-outfile-pattern", f"{printed}/%r.out", "-errfile-pattern", f"{printed}/%r.err"]
        command = [str(BIN / "mpirun"), "-n", str(size), *patterns, str(BIN / "python"), *program.command]
        done = _run(program, command, folder)
        lines = {rank: _read(Path(printed, f"{rank}.out")) for rank in range(size)}
        said = {rank: _read(Path(printed, f"{rank}.err")) for rank in range(size)}
        return Run(done.returncode, lines, said, _left(program.folder, folder))


def on_simulated_ranks(program: Program, size: int, options: Iterable[str] = ()) -> Run:
    """Run it on simulated ranks."""
    with _copy(program) as folder:
        command = [str(BIN / "bsbpool"), "simulate", "-n", str(size), "--label", *program.options, *options]
        done = _run(program, [*command, *program.command], folder)
        lines, rest = _by_rank(done.stdout, size)
        if rest:
            raise RuntimeError(f"{program.name}: a line without its rank: {rest[0]!r}")
        said, about = _by_rank(done.stderr, size)
        return Run(done.returncode, lines, said, _left(program.folder, folder), about)


def differences(program: Program, real: Run, simulated: Run) -> list[str]:
    """In what two runs differ, in words; nothing, if in nothing."""
    late = [world for world, run in (("MPICH", real), ("simulated ranks", simulated)) if run.status == TOO_LONG]
    if late:
        return [f"it is not over after {MOST} s: {', '.join(late)}"]
    found = []
    if bool(real.status) != bool(simulated.status):
        failed = simulated if simulated.status else real
        said = [line for lines in failed.said.values() for line in lines[-_SHOWN:]] + failed.about[-_SHOWN:]
        found += [f"status {real.status} under MPICH, {simulated.status} on simulated ranks", *said]
    found += _different_lines(program, "prints", real.lines, simulated.lines)
    if program.errors:
        found += _different_lines(program, "says", real.said, simulated.said)
    for name in sorted({*real.files} ^ {*simulated.files}):
        found.append(f"{name} is left behind {'under MPICH' if name in real.files else 'on simulated ranks'} only")
    for name in sorted({*real.files} & {*simulated.files}):
        same = real.files[name] == simulated.files[name]
        if not same and Path(name).match(program.files) and not _same_text(program, real, simulated, name):
            found.append(f"{name} has other content")
    return found


def _different_lines(
    program: Program, does: str, real: dict[int, list[str]], simulated: dict[int, list[str]]
) -> list[str]:
    """In what lines of ranks differ."""
    found = []
    if program.any_rank:
        real, simulated = _together(real), _together(simulated)
    for rank in real:
        old, new = _comparable(program, real[rank]), _comparable(program, simulated[rank])
        if old != new:
            changes = [*difflib.unified_diff(old, new, "MPICH", "simulated", "", "", 1, "")][2:]
            who = f"one of the ranks {does}" if program.any_rank else f"rank {rank} {does}"
            found += [f"{who}:", *changes[:_SHOWN]]
    return found


def _together(lines: dict[int, list[str]]) -> dict[int, list[str]]:
    """The lines of all ranks, in any order."""
    return {0: sorted(line for each in lines.values() for line in each)}


def _comparable(program: Program, lines: Iterable[str]) -> list[str]:
    """Lines without what differs from run to run."""
    kept = [line.rstrip() for line in lines]
    for pattern in program.varies:
        kept = [re.sub(pattern, "…", line) for line in kept]
    return sorted(kept) if program.any_order or program.any_rank else kept


def _same_text(program: Program, real: Run, simulated: Run, name: str) -> bool:
    """Whether a file of text is the same, but for what differs from run to run."""
    try:
        old, new = (run.files[name].decode().splitlines() for run in (real, simulated))
    except UnicodeDecodeError:
        return False
    return _comparable(program, old) == _comparable(program, new)


def _read(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def _by_rank(text: str, size: int) -> tuple[dict[int, list[str]], list[str]]:
    """Lines by the rank that they begin with, and those that begin with none."""
    lines: dict[int, list[str]] = {rank: [] for rank in range(size)}
    rest = []
    for line in text.splitlines():
        label = re.match(r"\[ *(\d+)\] ?", line)
        if label is None:
            rest.append(line)
        else:
            lines[int(label[1])].append(line[label.end() :])
    return lines, rest


class _copy:
    """A copy of what a program needs, in which it runs."""

    def __init__(self, program: Program):
        self._from = program.folder

    def __enter__(self) -> Path:
        self._parent = tempfile.mkdtemp()
        folder = Path(self._parent) / "program"
        shutil.copytree(self._from, folder, ignore=shutil.ignore_patterns(".git", "__pycache__"), symlinks=True)
        return folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._parent)


def _run(program: Program, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    process = subprocess.Popen(
        command,
        cwd=folder / program.within,
        env=os.environ | ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        stdout, stderr = process.communicate(program.stdin, MOST)
    except subprocess.TimeoutExpired:
        process.terminate()  # `mpirun` ends its ranks then
        stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(command, TOO_LONG, stdout, stderr)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def _left(before: Path, after: Path) -> dict[str, bytes]:
    """The files that a program made, or changed, in its copy of a folder."""
    left = {}
    for name in _names(after):
        content = (after / name).read_bytes()
        old = before / name
        if not old.exists() or old.read_bytes() != content:
            left[name] = content
    return left


def _names(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix()
