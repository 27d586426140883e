"""A reconstruction by real BSB, with BSB's own pool and with this one, turn by turn.

The network is that of the recordings in `scenarios/recordings`: 600 by 600 by 400 µm in chunks of 100 by 100 by 200 µm,
four placement and four connectivity strategies, 396 jobs. `show` starts this file for each run, on one rank as it is
and on more under ``mpirun``; there, rank 0 prints JSON.

It needs an environment with BSB in it: `pip install -e . bsb-core bsb-hdf5 mpi4py mpich mpilock mpipool`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from measure import HERE, console, environment, median, note, table

#: By number of ranks: which part of the time of BSB's own pool this pool may take.
BOUNDS = {1: 1.0, 3: 0.55}

#: What the two pools are called here.
POOLS = ("BSB's", "bsbpool")


def network(path: str):
    """The network, with the seed that makes it the same each time."""
    import bsb.options
    from bsb import Configuration, Scaffold, Storage

    bsb.options.quiet = True
    layers = {"granular": 130, "purkinje": 30, "molecular": 240}
    counts = {"golgi": 360, "granule": 3600, "purkinje": 360, "basket": 720, "stellate": 720}

    def placed(layer, *cells, **more):
        strategy = {"strategy": "bsb.placement.RandomPlacement", "partitions": [layer], "cell_types": list(cells)}
        return strategy | more

    def connected(pre, post, strategy, **more):
        sides = {"presynaptic": {"cell_types": [pre]}, "postsynaptic": {"cell_types": [post]}}
        return {"strategy": f"bsb.connectivity.{strategy}"} | sides | more

    configuration = Configuration.default(
        network={"x": 600, "y": 600, "z": 400, "chunk_size": [100, 100, 200]},
        regions={"cortex": {"type": "stack", "children": list(layers)}},
        partitions={name: {"type": "layer", "thickness": thickness} for name, thickness in layers.items()},
        cell_types={name: {"spatial": {"radius": 2, "count": count}} for name, count in counts.items()},
        placement={
            "golgi": placed("granular", "golgi"),
            "granule": placed("granular", "granule"),
            "purkinje": placed("purkinje", "purkinje"),
            "molecular": placed("molecular", "basket", "stellate", depends_on=["purkinje"]),
        },
        connectivity={
            "basket_purkinje": connected("basket", "purkinje", "AllToAll", affinity=0.05),
            "stellate_purkinje": connected("stellate", "purkinje", "AllToAll", affinity=0.05),
            "golgi_granule": connected("golgi", "granule", "FixedIndegree", indegree=3),
            "granule_golgi": connected(
                "granule", "golgi", "FixedOutdegree", outdegree=3, depends_on=["stellate_purkinje", "golgi_granule"]
            ),
        },
        rng={"seed": 42},
    )
    return Scaffold(configuration, Storage("hdf5", path), clear=True)


@contextlib.contextmanager
def alone(lock, begun: list[float], held: list[float]):
    """A write lock of mpilock's; append for how long it was held, if it was not taken within another one."""
    with lock as fence:
        begun.append(time.perf_counter())
        try:
            yield fence
        finally:
            start = begun.pop()
            if not begun:
                held.append(time.perf_counter() - start)


def compiled(pool: str, path: str) -> dict[str, float]:
    """What a rank does: the seconds of a compile on main, those in which some rank had the file for itself, and the
    number of jobs.
    """
    if pool == "bsbpool":
        import bsbpool.bsb

        bsbpool.bsb.install()
    import mpilock
    from bsb.services import MPI

    scaffold = network(path)
    begun: list[float] = []
    held: list[float] = []
    write = mpilock.WindowController.write
    mpilock.WindowController.write = lambda controller: alone(write(controller), begun, held)
    added = []
    scaffold.register_listener(lambda progress: added.append(progress) if progress.reason.name == "JOB_ADDED" else None)
    MPI.barrier()
    start = time.perf_counter()
    scaffold.compile(clear=True)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "alone": sum(MPI.allgather(sum(held))), "jobs": len(added)}


def run(pool: str, ranks: int) -> dict[str, float]:
    """A compile in fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / "reconstruction.py"), pool, os.path.join(folder, "network.hdf5")]
        if ranks > 1:
            paths = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
            mpirun = shutil.which("mpirun", path=paths)
            if mpirun is None:
                raise FileNotFoundError("there is no mpirun; `pip install bsbpool[mpich]` brings one.")
            command = [mpirun, "-n", str(ranks), *command]
        # Windows that are open at the end, as those of mpilock, make MPICH's transport print after all else.
        variables = {"UCX_LOG_LEVEL": "error", **environment()}
        ran = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def show(repetitions: int) -> None:
    if importlib.util.find_spec("bsb") is None or importlib.util.find_spec("bsb_hdf5") is None:
        console.print("bsb: BSB is not installed in this environment: `pip install bsb-core bsb-hdf5 mpilock mpipool`.")
        return
    rows = table(
        f"A compile of 396 jobs by BSB; medians of {repetitions} runs of each pool, in turns",
        ["ranks", "jobs", "BSB's own pool, s", "bsbpool, s", "ratio", "lowest", "highest", "bound", "least"],
    )
    least = float("inf")
    for ranks, bound in BOUNDS.items():
        pairs, alone = [], []
        for number in range(repetitions):
            # Which of them goes first changes, so that no trend favours one.
            order = POOLS if number % 2 == 0 else POOLS[::-1]
            found = {pool: run(pool, ranks) for pool in order}
            pairs.append([found[pool]["seconds"] for pool in POOLS])
            alone.append(found["bsbpool"]["alone"])
            jobs = {int(found[pool]["jobs"]) for pool in POOLS}
        theirs, ours = (median(each) for each in zip(*pairs, strict=True))
        each = sorted(b / a for a, b in pairs)
        if ranks == 1:
            least = median(alone)
        note(
            f"bsb: time of a reconstruction on {ranks} {'rank' if ranks == 1 else 'ranks'}, relative to BSB's own pool",
            median(each),
        )
        rows.add_row(
            str(ranks), ", ".join(map(str, sorted(jobs))), f"{theirs:.1f}", f"{ours:.1f}", f"{ours / theirs:.2f}",
            f"{each[0]:.2f}", f"{each[-1]:.2f}", f"≤ {bound:.2f}", f"{least / theirs:.2f}",
        )  # fmt: skip
    console.print(rows)
    console.print(
        f"least: what no pool can be below. For {least:.1f} s of a compile on 1 rank BSB has the lock with which it "
        "keeps all other ranks from the file."
    )


if __name__ == "__main__":
    found = compiled(sys.argv[1], sys.argv[2])
    if int(os.environ.get("PMI_RANK", "0")) == 0:
        print(json.dumps(found), flush=True)
