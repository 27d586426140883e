"""What BSB's own classes hand to this pool: their chunks, regions, sets of jobs, hooks, and strategies of each kind.

`tests/pool/test_what_bsb_hands_over.py` lists what was gone through, and tests what needs no BSB.
"""

import bsb
import numpy as np
import pytest
from bsb import (
    MPI,
    AfterPlacementHook,
    Chunk,
    ConnectionStrategy,
    FixedPositions,
    InvertedRoI,
    NotParallel,
    PlacementStrategy,
    config,
)
from networks import network

from bsbpool.pool import JobPool

IS_MAIN = MPI.get_rank() == 0
LAYER = {"cell_types": ["a"], "partitions": ["layer"]}
BOTH = {"presynaptic": {"cell_types": ["a"]}, "postsynaptic": {"cell_types": ["b"]}}


@config.node
class Telling(PlacementStrategy):
    """Places nothing, and returns the chunk that it is given."""

    def place(self, chunk, indicators):
        return type(chunk).__name__, np.asarray(chunk).tolist(), sorted(indicators)


@config.node
class Whole(NotParallel, Telling):
    pass


@config.node
class Joining(ConnectionStrategy):
    """Connects nothing, and returns the chunks that it is given."""

    def get_region_of_interest(self, chunk):
        return region_of_interest(chunk)

    def connect(self, pre, post):
        return [None if side.roi is None else sorted(np.asarray(c).tolist() for c in side.roi) for side in (pre, post)]


@config.node
class JoiningInverted(InvertedRoI, Joining):
    pass


@config.node
class JoiningWhole(NotParallel, Joining):
    pass


def region_of_interest(chunk):
    """What strategies return: each kind of collection in turn."""
    number = int(chunk[0]) + 2 * int(chunk[1])
    same = [Chunk([0, 0, 0], chunk.dimensions), chunk]
    return (None, same, {*same}, np.array(same))[number]


def submitted(scaffold, fill):
    """The results of all jobs of a pool that `fill` fills on main, and the chunks of their submissions."""
    with scaffold.create_job_pool() as pool:
        assert type(pool) is JobPool
        if pool.is_main():
            fill(pool)
        results = pool.execute(return_results=True)
        chunks = [[*map(type, job._chunks)] for job in pool.jobs if job._chunks is not None]
        return [results[job] for job in pool.jobs], chunks


CORNERS = [[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]]


def test_placement_of_each_kind(tmp_path, installed):
    scaffold = network(tmp_path)
    size = scaffold.network.chunk_size
    for name, kind in (("each", Telling), ("whole", Whole)):
        scaffold.placement.add(name, kind(strategy=kind, name=name, **LAYER))
    positions = [[10.0, 10.0, 10.0], [60.0, 60.0, 10.0]]
    scaffold.placement.add("fixed", FixedPositions(strategy=FixedPositions, name="fixed", positions=positions, **LAYER))

    def fill(pool):
        each, whole, fixed = (scaffold.placement[name] for name in ("each", "whole", "fixed"))
        each.queue(pool, size)
        whole.depends_on = [each]
        whole.queue(pool, size)
        fixed.queue(pool, size)
        for chunk in ([0, 0, 1], (0, 0, 1), np.array([0, 0, 1]), Chunk([0, 0, 1], None)):
            pool.queue_placement(each, chunk, deps=pool.get_submissions_of(whole))

    results, chunks = submitted(scaffold, fill)
    if IS_MAIN:
        assert [tuple(result) for result in results[:4]] == [("Chunk", corner, ["a"]) for corner in CORNERS]
        assert tuple(results[4]) == ("Chunk", [0, 0, 0], ["a"]) and results[5:7] == [None, None]
        assert [kind for kind, *_ in results[7:]] == ["list", "tuple", "ndarray", "Chunk"]
        assert all(rest == ([0, 0, 1], ["a"]) for _, *rest in results[7:] for rest in [tuple(rest)])
        assert len(chunks) == 11


def test_connectivity_of_each_kind(tmp_path, installed):
    scaffold = network(tmp_path)
    scaffold.run_placement()
    for name, kind in (("each", Joining), ("inverted", JoiningInverted), ("whole", JoiningWhole)):
        scaffold.connectivity.add(name, kind(strategy=kind, name=name, **BOTH))

    def fill(pool):
        for name in ("each", "inverted", "whole"):
            scaffold.connectivity[name].queue(pool)

    results, _ = submitted(scaffold, fill)
    if IS_MAIN:
        first = [0, 0, 0]
        rois = {
            str([first]): None,
            str([[1, 0, 0]]): [first, [1, 0, 0]],
            str([[0, 1, 0]]): [first, [0, 1, 0]],
            str([[1, 1, 0]]): [first, [1, 1, 0]],
        }
        assert len(results) == 9
        assert {str(pre): post for pre, post in results[:4]} == rois
        assert {str(post): pre for pre, post in results[4:8]} == rois
        assert results[8] == [CORNERS, CORNERS]


@config.node
class Hook(AfterPlacementHook):
    def postprocess(self):
        return self.name


def test_hooks_of_a_set_run_by_name(tmp_path, installed):
    """BSB hands over a set, whose order is another one in each process."""
    hooks = {name: {"strategy": Hook} for name in ("d", "b", "a", "c")}
    scaffold = network(tmp_path, after_placement=hooks)
    names = []

    def listener(progress):
        if progress.reason == bsb.services.pool.PoolProgressReason.JOB_ADDED:
            names.append(progress.job.name)

    scaffold.register_listener(listener, np.float32(0.5))
    scaffold.run_after_placement(pipelines=False)
    assert names == ([f"{{root}}.after_placement.{name}" for name in "abcd"] if IS_MAIN else [])


def test_seamless_placement_waits_for_its_neighbours(tmp_path, installed):
    """Dependencies in sets, chunk by chunk."""
    strategy = {"strategy": bsb.PoissonDiskPlacement, **LAYER}
    scaffold = network(tmp_path, placement={"place_a": strategy})
    scaffold.compile(clear=True, skip_connectivity=True)
    assert len(scaffold.get_placement_set("a")) > 50
    MPI.barrier()


def tripled(morphology):
    """An operation of a pipeline."""
    copy = morphology.copy()
    for branch in copy.branches:
        branch.points[:] *= 3
    return copy


SWC = """
1 1 0 0 0 2 -1
2 3 0 5 0 1 1
3 3 5 5 0 1 2
"""


# BSB itself sets shapes, which NumPy 2.5 deprecates.
@pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")
def test_pipelines_of_morphologies_queue_functions_within_functions_with_places_and_files(tmp_path, installed):
    """Nodes of a list, which have a number for a name, and several jobs of one node, told apart by their context."""
    file = MPI.bcast(tmp_path) / "cell.swc"
    if IS_MAIN:
        file.write_text(SWC)
    MPI.barrier()
    path = str(file)
    operation = f"{__name__}.tripled"
    scaffold = network(
        tmp_path,
        morphologies=[
            {"file": path, "name": "alone", "pipeline": [operation]},
            {"files": [path, {"file": path, "name": "second"}], "pipeline": [operation]},
        ],
    )
    done = []

    def listener(progress):
        changed = progress.reason == bsb.services.pool.PoolProgressReason.JOB_STATUS_CHANGE
        if changed and progress.status == bsb.services.pool.JobStatus.SUCCESS:
            done.append((progress.job.name, progress.job.context))

    scaffold.register_listener(listener)
    scaffold.run_pipelines()
    MPI.barrier()
    context = {"uri": file.as_uri()}
    assert sorted(done, key=str) == IS_MAIN * [
        ("{root}.morphologies.alone", context),
        ("{root}.morphologies[1]", {"node": 0, **context}),
        ("{root}.morphologies[1]", {"node": 1, **context}),
    ]
    for name in ("alone", "cell", "second"):
        assert scaffold.morphologies.load(name).flatten().tolist() == [[0, 0, 0], [0, 15, 0], [15, 15, 0]]
    MPI.barrier()
