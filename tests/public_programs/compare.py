"""Public programs, in both worlds: those that come with mpi4py, and those of others.

    python tests/public_programs/compare.py demos              mpi4py's demos and the examples of its tutorial
    python tests/public_programs/compare.py programs           public repositories, and own programs that use packages
    python tests/public_programs/compare.py programs pi heat   these of them
    python tests/public_programs/compare.py explore            explores those that are small: is what is found known?

Each runs under MPICH and on simulated ranks, and must do the same: print the same, rank by rank, end as well, and leave
the same files behind. Programs are fetched from where they are public; none of their code is in this project. What a
program needs beyond mpi4py and numpy, the list says: `pip install` it into the environment first.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import click
from listed import Source, read_demos, read_programs
from two_worlds import BIN, ENVIRONMENT, Program, differences, on_simulated_ranks, under_mpich


def source_of_mpi4py() -> Path:
    """mpi4py's source distribution, which its test suite is fetched with."""
    sys.path.append(str(Path(__file__).parent.parent / "mpi4py_suite"))
    from suite_worlds import source

    return source()


def compared(programs: Iterable[Program], check: bool) -> int:
    """Run programs in both worlds, and say what differs; returns of how many."""
    different = 0
    for program in programs:
        for size in program.ranks:
            real = under_mpich(program, size)
            simulated = on_simulated_ranks(program, size, ["--check", "all"] if check else ())
            found = differences(program, real, simulated)
            different += bool(found)
            lines = sum(map(len, real.lines.values()))
            same = f"the same: status {real.status}, {lines} lines, {len(real.files)} files"
            print(f"{program.name}, {size} {'ranks' if size > 1 else 'rank'}: {'DIFFERENT' if found else same}")
            print(*(f"    {line}\n" for line in found), sep="", end="", flush=True)
    return different


@click.group(help=__doc__.splitlines()[0])
def main() -> None:
    pass


@main.command()
@click.option("--check", is_flag=True, help="With all checks, which must find nothing.")
@click.argument("names", nargs=-1)
def demos(check: bool, names: tuple[str, ...]) -> None:
    """Compare mpi4py's demos. NAMES are parts of names; by default all."""
    programs, without = read_demos(source_of_mpi4py())
    wanted = [program for program in programs if not names or any(name in program.name for name in names)]
    different = compared(wanted, check)
    print(f"{len(wanted)} programs compared, {different} differences; {len(without)} are not compared")
    sys.exit(bool(different))


@main.command()
@click.option("--check", is_flag=True, help="With all checks, which must find nothing.")
@click.argument("names", nargs=-1)
def programs(check: bool, names: tuple[str, ...]) -> None:
    """Compare public programs. NAMES are those of the list; by default all."""
    runnable = [program for program, source in read_programs(names) if installed(program, source)]
    different = compared(runnable, check)
    print(f"{len(runnable)} programs compared, {different} differences")
    sys.exit(bool(different))


def installed(program: Program, source: Source) -> bool:
    """Whether there is what a program needs; if not, that is said."""
    missing = [name for name in source.packages if importlib.util.find_spec(name) is None]
    if missing:
        print(f"{program.name}: not run, since {', '.join(missing)} is not installed")
    return not missing


@main.command()
@click.argument("names", nargs=-1)
def explore(names: tuple[str, ...]) -> None:
    """Explore the programs that are small, and hold what is found against the list."""
    wrong = 0
    for program, source in read_programs(names):
        if source.explore is None or not installed(program, source):
            continue
        explored = exploration(program, source.explore)
        kinds = sorted({each["kind"] for each in explored["findings"]})
        known = sorted(source.found)
        wrong += kinds != known
        complete = "complete" if explored["complete"] else "not complete"
        verdict = ", ".join(kinds) or "nothing found"
        print(f"{program.name}: {explored['schedules']} schedules, {complete}: {verdict}", flush=True)
        if kinds != known:
            print(f"    the list has: {', '.join(known) or 'nothing'}")
            for each in explored["findings"]:
                print(f"    {each['kind']} at {each['file']}:{each['line']}: {each['message']}")
    sys.exit(bool(wrong))


def exploration(program: Program, options: Iterable[str]) -> dict:
    """What `bsbpool explore` finds, as its JSON has it."""
    import os
    import shutil

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "program"
        shutil.copytree(program.folder, folder, ignore=shutil.ignore_patterns(".git", "__pycache__"), symlinks=True)
        size = str(program.ranks[-1])
        command = [str(BIN / "bsbpool"), "explore", "-n", size, "--json", f"{name}/found.json", *options]
        command += program.options
        done = subprocess.run(
            [*command, *program.command],
            cwd=folder / program.within,
            env=os.environ | ENVIRONMENT,
            input=program.stdin,
            capture_output=True,
            text=True,
        )
        if done.returncode == 2:
            raise RuntimeError(f"{program.name} can't be explored: {done.stderr}")
        return json.loads(Path(name, "found.json").read_text())


if __name__ == "__main__":
    main()
