"""The programs that are compared, as the lists have them, and where they come from.

`mpi4py_demos.toml` lists the demos and tutorials of mpi4py's source distribution, `programs.toml` public repositories
and packages. What is fetched stays in `.public-programs`, which git ignores.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from two_worlds import Program

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
#: What is fetched stays here; git ignores it.
CACHE = ROOT / ".public-programs"
DEMOS = HERE / "mpi4py_demos.toml"
PROGRAMS = HERE / "programs.toml"
#: Own programs that use a public package.
DRIVERS = HERE / "drivers"
#: Prints what variables a program ends with.
VARIABLES = HERE / "variables.py"


@dataclass(frozen=True)
class Source:
    """Where a program comes from.

    :ivar repository: ``owner/name`` on GitHub; empty for an own program that uses a package.
    :ivar commit: which state of the repository.
    :ivar about: what it is, and what else there is to say of it.
    :ivar packages: what has to be installed, besides mpi4py and numpy.
    :ivar explore: options of `bsbpool explore`; none, if it is not explored.
    :ivar found: the kinds of what exploring finds.
    """

    repository: str = ""
    commit: str = ""
    about: str = ""
    packages: tuple[str, ...] = ()
    explore: tuple[str, ...] | None = None
    found: tuple[str, ...] = ()


def read_demos(source: Path) -> tuple[list[Program], dict[str, str]]:
    """The demos and tutorials of mpi4py's source distribution.

    :param source: the distribution, unpacked.
    :returns: those that run, and why each of the others does not, by name.
    """
    listed = tomllib.loads(DEMOS.read_text(encoding="utf-8"))
    tutorials = CACHE / "tutorials"
    names = [path.relative_to(source / "demo").as_posix() for path in sorted((source / "demo").rglob("*.py"))]
    names += write_tutorials(source / "docs" / "source" / "tutorial.rst", tutorials)
    without = {name: why for why, those in listed["not_run"].items() for name in those}
    programs = []
    for name in names:
        if name in without:
            continue
        entry = listed["run"].get(name, {})
        folder = tutorials if name.startswith("tutorial-") else source / "demo" / Path(name).parent
        for run in entry if isinstance(entry, list) else [entry]:
            script = Path(name).name
            if run.pop("whole", False):
                folder, run["within"] = source, f"demo/{Path(name).parent}"
            command = run.pop("command", None) or [str(VARIABLES), script]
            ranks = run.pop("ranks", listed["ranks"])
            shown = f"{name} {' '.join(run.get('arguments', ()))}".strip()
            command = [*command, *run.pop("arguments", ())]
            varies = [*listed["varies"], *run.pop("varies", ())]
            programs.append(program(shown, folder, run | {"command": command, "ranks": ranks, "varies": varies}))
    unknown = ({*listed["run"]} | {*without}) - {*names}
    if unknown:
        raise ValueError(f"{DEMOS.name}: mpi4py has no demo {min(unknown)!r}")
    return programs, without


def write_tutorials(page: Path, folder: Path) -> list[str]:
    """Write each example of the tutorial as a program; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for title, code in _examples(page.read_text(encoding="utf-8")):
        name = "tutorial-" + re.sub(r"\W+", "-", title.lower()).strip("-") + ".py"
        while name in names:
            name = name.replace(".py", "-again.py")
        (folder / name).write_text(code, encoding="utf-8")
        names.append(name)
    return names


def _examples(text: str) -> Iterator[tuple[str, str]]:
    """Title and code of each block that imports mpi4py."""
    for block in re.finditer(r"^\* ((?:.+\n)*?.*)::\n\n((?: {3,}.*\n|\n)+)", text, re.MULTILINE):
        code = textwrap.dedent(block[2]).strip() + "\n"
        if "from mpi4py" in code and ">>>" not in code:
            title = re.split(r"[,(]|``", " ".join(block[1].split()))[0]
            yield title, code


def read_programs(names: tuple[str, ...] = ()) -> list[tuple[Program, Source]]:
    """The public programs, fetched.

    :param names: of those that are wanted; by default all.
    """
    listed = tomllib.loads(PROGRAMS.read_text(encoding="utf-8"))["program"]
    found = []
    for entry in listed:
        if names and entry["name"] not in names:
            continue
        of_source = {key: entry.pop(key) for key in Source.__dataclass_fields__ if key in entry}
        source = Source(**_values(of_source))
        folder = fetched(source) if source.repository else DRIVERS
        found.append((program(entry.pop("name"), folder, entry), source))
    return found


def program(name: str, folder: Path, entry: dict[str, Any]) -> Program:
    """A program as an entry of a list has it."""
    return Program(name, folder, **_values(entry))


def _values(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def fetched(source: Source) -> Path:
    """The checkout of a repository at a commit; fetched by git, if it is not there yet."""
    folder = CACHE / f"{source.repository.replace('/', '+')}@{source.commit[:10]}"
    if not folder.is_dir():
        part = folder.with_suffix(".part")
        part.mkdir(parents=True, exist_ok=True)
        address = f"https://github.com/{source.repository}"
        for command in (
            ["init", "-q"],
            ["fetch", "-q", "--depth", "1", address, source.commit],
            ["-c", "advice.detachedHead=false", "checkout", "-q", "FETCH_HEAD"],
        ):
            done = subprocess.run(["git", *command], cwd=part, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                sys.exit(f"{address} can't be fetched: {done.stderr.strip()}")
        part.rename(folder)
    return folder
