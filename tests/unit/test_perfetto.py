"""Chrome's trace-event format, held against its documentation ("Trace Event Format", Google, 2016)."""

import gzip
import json
import time
from collections import defaultdict

import bsbpool
from bsbpool.trace.history import History
from bsbpool.trace.perfetto import perfetto_json
from bsbpool_sim import RankErrors, Script, simulate

#: By phase: the members that the document requires or that this project adds to them, besides ph, name and pid.
MEMBERS = {
    "X": {"cat", "tid", "ts", "dur", "args"},
    "i": {"cat", "tid", "ts", "s"},
    "C": {"ts", "args"},
    "M": {"tid", "args"},
    "s": {"cat", "tid", "ts", "id"},
    "f": {"cat", "tid", "ts", "id", "bp"},
}
OPTIONAL = {"X": {"cname"}, "i": {"args"}}


def check(file):
    """Hold a file against the document, and give its events by phase."""
    whole = json.loads(file)
    assert set(whole) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert whole["displayTimeUnit"] in ("ms", "ns")
    by_phase = defaultdict(list)
    for event in whole["traceEvents"]:
        phase = event["ph"]
        by_phase[phase].append(event)
        members = set(event) - {"ph", "name", "pid"}
        assert MEMBERS[phase] <= members <= MEMBERS[phase] | OPTIONAL.get(phase, set()), event
        assert isinstance(event["name"], str) and isinstance(event["pid"], int)
        for time_ in ("ts", "dur"):
            assert event.get(time_, 0) >= 0
        if phase == "i":
            assert event["s"] in ("g", "p", "t")
        if phase == "C":
            assert all(isinstance(value, int) and value >= 0 for value in event["args"].values())
        if phase == "M":
            field = {"name": str, "sort_index": int}[event["name"].partition("_")[2]]
            assert event["name"].split("_")[0] in ("process", "thread")
            assert list(map(type, event["args"].values())) == [field]
    starts, ends = ({event["id"]: event for event in by_phase[phase]} for phase in "sf")
    assert len(starts) == len(by_phase["s"]), "ids of flows are unique"
    assert set(starts) == set(ends)
    for phase in "sf":  # each end of a flow lies in a slice of its thread, which it binds to
        for event in by_phase[phase]:
            assert any(
                slice["pid"] == event["pid"]
                and slice["tid"] == event["tid"]
                and slice["ts"] <= event["ts"] <= slice["ts"] + slice["dur"]
                for slice in by_phase["X"]
            ), event
    return by_phase


def seconds(owner, takes, error=None):
    time.sleep(takes)
    if error:
        raise ValueError(error)


class Node:
    def __init__(self, owner):
        self.scaffold = owner

    def get_node_name(self):
        return "node"

    @bsbpool.pool_cache
    def load(self):
        return [1]


def cached(owner, takes):
    Node(owner).load()
    time.sleep(takes)


def history(program, ranks=3, **options):
    try:
        return History(simulate(program, ranks, **options).trace)
    except RankErrors as errors:
        return History(errors.simulation.trace)


def two_pools(comm):
    with bsbpool.job_pool(comm) as pool:
        if pool.is_main():
            first = pool.queue(seconds, (1.0,), submitter="first", chunk=(0, 1))
            pool.queue(seconds, (2.0,), deps=[first], submitter="second")
            pool.queue(cached, (0.5,), submitter="cached", cache_items=[])
        pool.execute()
    with bsbpool.job_pool(comm) as pool:
        if pool.is_main():
            pool.queue(seconds, (1.0, "<b>no</b>"), submitter="fails")
        pool.execute()


def test_jobs_are_slices_of_their_ranks_and_pools_in_microseconds():
    run = history(two_pools)
    events = check(perfetto_json(run, "run.trace"))
    slices = {event["name"]: event for event in events["X"]}
    assert list(slices) == ["first", "second", "cached", "fails"]
    second = slices["second"]
    assert (second["pid"], second["ts"], second["dur"]) == (1, 1e6, 2e6)
    assert slices["first"]["args"] == {"job": 0, "status": "success", "kind": "FunctionJob", "context.chunk": [0, 1]}
    assert slices["fails"]["pid"] == 2
    assert slices["fails"]["cname"] == "terrible"
    assert slices["fails"]["args"]["error"] == "ValueError: <b>no</b>"
    names = {(event["name"], event["args"].get("name")) for event in events["M"]}
    pools = [f"pool {pool.id}" for pool in run.pools]
    assert {("process_name", pools[0]), ("process_name", pools[1]), ("thread_name", "rank 1")} <= names


def test_dependencies_are_flows_from_the_end_of_a_job_to_the_start_of_the_next():
    events = check(perfetto_json(history(two_pools), "run.trace"))
    (leaves,), (arrives,) = events["s"], events["f"]
    assert (leaves["ts"], arrives["ts"], arrives["bp"]) == (1e6 - 0.001, 1e6, "e")


def test_failures_are_instants_and_counters_say_how_busy_ranks_and_caches_were():
    events = check(perfetto_json(history(two_pools), "run.trace"))
    (failure,) = events["i"]
    assert (failure["name"], failure["cat"], failure["s"]) == ("✗ ValueError: <b>no</b>", "failure", "t")
    counters = defaultdict(list)
    for event in events["C"]:
        counters[event["name"], event["pid"]].append((event["ts"], *event["args"].values()))
    assert counters["ranks busy", 1] == [(0, 2), (500000, 1), (3000000, 0)]
    assert [value for _, value in counters["items cached", 3]][-1] == 0
    assert max(value for _, value in counters["items cached", 3]) == 1


def test_ranks_that_are_lost_are_told():
    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if pool.is_main():
                for _ in range(4):
                    pool.queue(seconds, (1.0,))
            pool.execute()

    events = check(perfetto_json(history(program, script=Script().rank(1, dies=0.5)), "run.trace"))
    told = [event["name"] for event in events["i"]]
    assert "rank 1 died" in told
    assert any(name.startswith("rank 1 lost: ") for name in told)
    assert any(event["args"]["status"] == "aborted" for event in events["X"])


def test_jobs_that_never_ran_have_neither_slice_nor_flow():
    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if pool.is_main():
                first = pool.queue(seconds, (1.0, "no"))
                pool.queue(seconds, (1.0,), deps=[first])
            pool.execute()

    events = check(perfetto_json(history(program), "run.trace"))
    assert len(events["X"]) == 1
    assert not events["s"]


def test_compressed_it_is_the_same_and_twice_the_same():
    one = history(two_pools)
    packed = perfetto_json(one, "run.trace", compressed=True)
    assert gzip.decompress(packed) == perfetto_json(one, "run.trace")
    assert packed == perfetto_json(one, "run.trace", compressed=True)


def test_an_empty_trace_is_a_file_with_no_events():
    assert not any(check(perfetto_json(History([]), "run.trace")).values())
