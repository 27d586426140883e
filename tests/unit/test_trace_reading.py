"""Reading traces: what was written is read, and of what anybody else may have made of it nothing does harm."""

import contextlib
import gzip
import json
import time
import tracemalloc

import pytest

import bsbpool
from bsbpool.errors_and_facts import error_of, facts_of
from bsbpool.facts import JobFailed, LeftRank, LostRank, NobodyLeft, NotScheduled, Overdue, Raised, WorkflowFailed
from bsbpool.text import harmless
from bsbpool.trace import EVENTS, FIELDS, FOLDED, VERSION, Trace, TraceError, TraceRecorder, read_trace, reading
from bsbpool_sim import Script, simulate
from bsbpool_sim.replay import replay

LINES = EVENTS | FOLDED
HEADER = {"trace": "bsbpool", "version": VERSION, "ranks": 3, "hosts": ["a"]}
POOL = {"t": 0, "e": "pool", "pool": 1, "ranks": 3, "fail_fast": False, "phases": ["main"]}


def job(id=0, **changed):
    return {
        "t": 1, "e": "job", "pool": 1, "job": id, "kind": "FunctionJob", "name": "place", "context": {}, "deps": [],
        "cache": [], **changed,
    }  # fmt: skip


def status(status, **changed):
    return {"t": 2, "e": "status", "pool": 1, "job": 0, "status": status, "rank": 1, "error": None, **changed}


def read(tmp_path, *lines, name="run.trace", end="\n"):
    """What is read of a file with these lines: texts, bytes, or objects that become JSON."""
    path = tmp_path / name
    made = [
        line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    ]
    path.write_bytes(b"\n".join(made) + end.encode())
    return read_trace(path)


def refused(tmp_path, *lines, **options):
    """The line and the message of the error that reading these lines ends with."""
    with pytest.raises(TraceError) as caught:
        read(tmp_path, *lines, **options)
    assert caught.value.path == str(tmp_path / options.get("name", "run.trace"))
    assert str(caught.value).startswith(caught.value.path)
    assert "\n" not in str(caught.value) and len(caught.value.problem) < 400
    return caught.value.line, caught.value.problem


def place(owner, n):
    time.sleep(n)
    if n == 2:
        raise ValueError("boom \x1b[31m")


def program(comm):
    with bsbpool.job_pool(comm) as pool:
        if pool.is_main():
            first = [pool.queue(place, (n,), submitter=f"place{n}", chunk=(n, 0), ratio=0.5) for n in range(3)]
            pool.queue(place, (1,), deps=first[:2], cache_items=[7]).cancel("no longer wanted")
            pool.queue(place, (1,), deps=first[2:])
        with contextlib.suppress(bsbpool.WorkflowError):
            pool.execute()


@pytest.fixture(scope="module")
def run():
    """The trace of a run with failures, a lost rank and a cancelled job."""
    return simulate(program, ranks=4, script=Script().rank(2, dies=0.5)).trace


# -- what was written --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run.trace", "run.trace.gz", "no ending"])
def test_what_is_written_is_read(tmp_path, run, name):
    path = tmp_path / name
    run.write(path)
    found = read_trace(path)
    assert found.header == run.header
    assert [*map(json.dumps, found)] == [*map(json.dumps, run)]
    assert found.digest() == run.digest()
    assert found.warnings == []
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")


def test_equal_traces_are_equal_files_also_when_compressed(tmp_path, run):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        run.write(tmp_path / folder / f"{folder}.trace.gz")
    assert (tmp_path / "a/a.trace.gz").read_bytes() == (tmp_path / "b/b.trace.gz").read_bytes()


def test_whether_it_is_compressed_is_seen_in_the_file_not_in_its_name(tmp_path, run):
    run.write(tmp_path / "x.gz")
    (tmp_path / "x.gz").rename(tmp_path / "x")
    assert read_trace(str(tmp_path / "x")).digest() == run.digest()


def test_a_last_line_without_its_end_is_read_if_it_is_whole(tmp_path):
    found = read(tmp_path, HEADER, POOL, end="")
    assert len(found) == 1 and found.warnings == []


def test_what_a_newer_version_may_have_added_is_left_out(tmp_path):
    found = read(
        tmp_path, {**HEADER, "new": [1]}, {**POOL, "colour": "red"}, {"t": 1, "e": "sneeze"}, {"t": 1, "e": "sneeze"}
    )
    assert list(found) == [POOL]
    assert found.header["new"] == [1]
    assert found.warnings == [
        f"{tmp_path}/run.trace: 2 of kind 'sneeze' left out: a newer version knows what they mean"
    ]


# -- what is missing at the end ------------------------------------------------------------------------


@pytest.mark.unmeasured
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_wherever_it_is_cut_what_came_before_is_read(tmp_path, run, packed):
    path = tmp_path / ("x.gz" if packed else "x")
    run.write(path)
    data, events = path.read_bytes(), [*map(json.dumps, run)]
    most, refused = 0, []
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        try:
            found = read_trace(path)
        except TraceError as error:
            refused.append((most, error.line))
            continue
        got = [*map(json.dumps, found)]
        assert got == events[: len(got)]
        assert len(got) >= most
        whole = data[cut - 1 : cut + 1] == b"}\n" or data[cut - 1 : cut] == b"\n"
        assert bool(found.warnings) == (packed or not whole)
        most = len(got)
    assert most == len(events)
    assert {*refused} <= {(0, None), (0, 1)}


def test_the_warning_says_where_it_ends(tmp_path):
    assert read(tmp_path, HEADER, POOL, '{"t":1,"e":"pi', end="").warnings == [
        f"{tmp_path}/run.trace: it ends in the midst of line 3: the run was killed, or the file was cut; "
        "what came before is read"
    ]


def test_a_tail_of_zeros_as_a_machine_that_lost_power_leaves_is_no_error(tmp_path):
    found = read(tmp_path, HEADER, POOL, b"\0" * 4096, end="")
    assert len(found) == 1 and "in the midst of line 3" in found.warnings[0]


def test_a_compressed_file_that_is_damaged_is_read_up_to_there_or_refused(tmp_path):
    path = tmp_path / "x.gz"
    lines = [json.dumps(each) for each in (HEADER, POOL, *(job(i, name=f"job {i * i}") for i in range(2000)))]
    data = gzip.compress("\n".join([*lines, ""]).encode())
    path.write_bytes(data[:-8] + b"12345678")
    found = read_trace(path)
    assert len(found) == 2001
    assert found.warnings[0].startswith(f"{path}: it can't be unpacked after line 2002 (CRC check failed")
    outcomes = []
    for place in range(200, len(data), len(data) // 40):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            outcomes.append("warned" if read_trace(path).warnings else "unnoticed")
        except TraceError:
            outcomes.append("refused")
    assert len(outcomes) > 30 and "unnoticed" not in outcomes


def test_an_empty_file(tmp_path):
    (tmp_path / "run.trace").write_bytes(b"")
    with pytest.raises(
        TraceError, match=r'run\.trace: the file is empty; a trace begins with a line \{"trace":"bsbpool"'
    ):
        read_trace(tmp_path / "run.trace")


def test_a_file_that_is_not_there_and_a_folder(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(TraceError, match=r"it can't be read: (No such file|Is a directory)"):
            read_trace(path)


def test_a_compressed_file_that_is_none(tmp_path):
    (tmp_path / "x.gz").write_bytes(b"\x1f\x8bnothing of the kind")
    with pytest.raises(TraceError, match="it can't be unpacked"):
        read_trace(tmp_path / "x.gz")


# -- what is foreign -------------------------------------------------------------------------------------

A_HEADER = f'a trace begins with {{"trace":"bsbpool","version":{VERSION},…}}'


@pytest.mark.parametrize(
    "first",
    [b"\x89PNG\r\n\x1a\n\0\0", b"\x80\x05\x95\x0f\0\0\0", "import os", "", "[" * 10, b"\xff\xfe", '{"trace":"bsbpool"'],
    ids=["picture", "pickle", "program", "blank", "half", "bytes", "cut"],
)
def test_a_file_of_another_kind(tmp_path, first):
    line, problem = refused(tmp_path, first)
    assert line == 1 and problem.startswith("this is no JSON (") and problem.endswith(A_HEADER)


@pytest.mark.parametrize("first", [{}, [], 1, "null", {"traceEvents": []}, {"trace": "other", "version": 1}])
def test_json_that_is_no_trace(tmp_path, first):
    line, problem = refused(tmp_path, first)
    assert line == 1 and problem.startswith("this is no trace of bsbpool: it begins with")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"version": VERSION + 1}, f"it is of version {VERSION + 1} of the format, and this bsbpool reads version"),
        ({"version": "1"}, "its version is '1'; it should be an integer"),
        ({"version": None}, "its version is null; it should be an integer"),
        ({"version": True}, "its version is true; it should be an integer"),
        ({"ranks": 0}, "ranks is 0; it should be their number, from 1 to 1,000,000"),
        ({"ranks": 10**12}, "ranks is 1000000000000; it should"),
        ({"ranks": 10**300}, "ranks is a number with too many digits; it should"),
        ({"ranks": "4"}, "ranks is '4'; it should"),
        ({"ranks": {"a": 1}}, "ranks is an object; it should"),
        ({"hosts": "a"}, "hosts is 'a'; it should be a list of texts, one for each rank, or one for all"),
        ({"hosts": ["a"] * 4}, "hosts is ['a', 'a', 'a', 'a']; it should"),
        ({"hosts": [1]}, "hosts is [1]; it should"),
        ({"hosts": ["a"] * 9}, "hosts is a list of 9; it should"),
    ],
)  # fmt: skip
def test_a_header_that_is_wrong(tmp_path, changed, problem):
    line, said = refused(tmp_path, {**HEADER, **changed})
    assert line == 1 and said.startswith(problem)


# -- what no line may hold ---------------------------------------------------------------------------------

AN_ERROR = {"kind": "raised", "type": "ValueError", "message": "a"}


def nested(error, times):
    """An error that is within so many others."""
    for _ in range(times):
        error = {"kind": "scheduler failed", "node": "a", "error": error}
    return error


#: For each type of field, what is none of it.
NONE_OF_IT: dict[str, list] = {
    "nanoseconds": [None, -1, 1.5, "1", True, 2**63, []],
    "nanoseconds on the rank's clock": [None, 1.5, "1", True, 2**63, []],
    "bytes": [None, -1, 1.5, "1", False, 2**63],
    "job id": [None, -1, 0.0, "0", True, 10**6],
    "integer": [None, 1.0, "1", True, 2**63, -(2**63)],
    "rank": [None, -1, 3, 1.0, "1", True, 10**18],
    "number of ranks": [None, 0, 4, "1", True, 10**18],
    "true or false": [None, 0, 1, "true"],
    "text": [None, 1, ["a"], {}],
    "integer or text": [None, 1.5, [1], {}, True, 2**63],
    "object": [None, [], "a", 1],
    "list of texts": [None, "a", [1], [["a"]], {}],
    "list of integers": [None, 1, "1", [1.5], ["1"], [None], [2**63], [[1]], {}],
    "error": [
        None,
        "ValueError: a",
        {},
        {"kind": "sneeze"},
        {"kind": ["raised"]},
        {"kind": "raised", "type": "ValueError"},
        {"kind": "raised", "type": 1, "message": "a"},
        {"kind": "overdue", "limit": 1, "rank": 10**6, "host": "a", "ended": "silent", "place": ""},
        {"kind": "overdue", "limit": 1, "rank": 1, "host": "a", "ended": "it did", "place": ""},
        {"kind": "nobody left", "unfinished": 1, "gone": 0, "stuck": [-1]},
        {"kind": "scheduler failed", "node": "a", "error": None},
        {"kind": "workflow failed", "count": 9, "errors": [AN_ERROR] * 9},
        nested(AN_ERROR, 4),
    ],
    "fault": [
        None,
        "died",
        {},
        {"kind": "raised"},
        {"kind": "paused", "ns": -1},
        {"kind": "delayed", "to": 3, "ns": 1},
    ],
    "list of traced errors": [
        None,
        0,
        {},
        [0],
        [{}],
        [{"how": "raised", "error": AN_ERROR}],
        [{"how": "raised", "error": "E", "frames": []}],
        [{"how": 0, "error": AN_ERROR, "frames": []}],
        [{"how": "raised", "error": AN_ERROR, "frames": [["f", 1]]}],
        [{"how": "raised", "error": AN_ERROR, "frames": [[1, 1, ""]]}],
    ],
    "list of job ids": [None, 0, [-1], [0.0], ["0"], [True], [10**6], {}],
    "list of rows": [
        None,
        0,
        {},
        [1],
        [[]],
        [[0, 1, 0, 0, 0]],
        [[0, 1, 0, 0, 0, None, 0]],
        [[-1, 1, 0, 0, 0, None]],
        [[0, 3, 0, 0, 0, None]],
        [[0, 1, 10**6, 0, 0, None]],
        [[0, 1, 0, "0", 0, None]],
        [[0, 1, 0, 0, 1.5, None]],
        [[0, 1, 0, 0, 0, 10**6]],
        [[0, 1, None, 0, 0, None]],
        [{"0": 1}],
    ],
    "pool status": [None, "running", "", 1, []],
    "job status": [None, "executing", "", 1, []],
}

CORRECT = {
    "nanoseconds": 5, "nanoseconds on the rank's clock": -5,
    "bytes": 5, "job id": 0, "integer": -5, "rank": 2, "number of ranks": 3, "true or false": True,
    "text": "a", "integer or text": 1, "object": {}, "list of texts": ["a"], "list of integers": [-1],
    "error": AN_ERROR, "fault": {"kind": "delayed", "to": 2, "ns": 5},
    "list of traced errors": [{"how": "raised", "error": nested(AN_ERROR, 3), "frames": [["a.py", 1, "f"]]}],
    "list of job ids": [0], "list of rows": [[0, 1, 0, -5, 3, 0]], "pool status": "closing", "job status": "running",
}  # fmt: skip


def type_of(kind, field):
    return FIELDS.get(f"{kind}.{field}") or FIELDS[field]


def correct(kind):
    """An event of this kind as it may be."""
    fields = {field: CORRECT[type_of(kind, field).removesuffix(" or null")] for field in LINES[kind]}
    event = {"t": 5, "e": kind, **fields}
    if kind == "pool":
        event["pool"] = 2
    if kind == "job":
        event["job"] = 1
    return event


def test_each_field_of_the_table_has_a_type_and_each_type_a_field():
    fields = {(kind, field) for kind, fields in LINES.items() for field in ("t", *fields)}
    assert {type_of(*each).removesuffix(" or null") for each in fields} == set(CORRECT) == set(NONE_OF_IT)
    used = {f"{k}.{f}" if f"{k}.{f}" in FIELDS else f for k, f in fields} | {"t"}
    assert used == set(FIELDS)


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_as_it_may_be_is_read(tmp_path, kind):
    found = read(tmp_path, HEADER, POOL, job(), correct(kind))
    assert json.loads(json.dumps(list(found)[-1])) == correct(kind)


def test_events_that_are_folded_into_a_line_are_read_one_by_one(tmp_path):
    rows = [[20, 2, 0, -7, 3, None], [25, 1, 1, 4, 0, 2]]
    found = read(
        tmp_path, HEADER, POOL, job(), job(1), job(2), {"t": 9, "e": "queued", "pool": 1, "jobs": [2, 0]},
        {"t": 20, "e": "succeeded", "pool": 1, "rows": rows},
    )  # fmt: skip
    assert found.events[4:] == [
        ("status", 9, 1, 2, "queued", None, None),
        ("status", 9, 1, 0, "queued", None, None),
        ("message", 20, 1, 2, 0, 13, 16),
        ("status", 20, 1, 0, "success", 2, None),
        ("message", 25, 1, 1, 1, 29, 29),
        ("status", 25, 1, 1, "success", 1, None),
        ("status", 25, 1, 2, "running", 1, None),
    ]


@pytest.mark.parametrize(
    "row", [[2**62, 1, 0, 2**62, 0, None], [2**63 - 1, 1, 0, 1, 0, None], [0, 1, 0, 1 - 2**63, -50, 0]]
)
def test_times_of_rows_that_are_too_large_together(tmp_path, row):
    line, problem = refused(tmp_path, HEADER, POOL, job(), {"t": 5, "e": "succeeded", "pool": 1, "rows": [row]})
    assert line == 4 and "too large" in problem


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, fields in LINES.items() for field in ("t", *fields)]
)
def test_whatever_a_field_must_not_be_is_refused_with_its_line(tmp_path, kind, field):
    wanted = type_of(kind, field)
    wrong = NONE_OF_IT[wanted.removesuffix(" or null")]
    for value in wrong:
        if value is None and wanted.endswith(" or null"):
            continue
        line, problem = refused(tmp_path, HEADER, POOL, job(), correct(kind) | {field: value})
        assert line == 4 and field in problem, (value, problem)
    event = correct(kind)
    del event[field]
    line, problem = refused(tmp_path, HEADER, POOL, job(), event)
    assert line == 4 and problem.startswith(f"{field} ") and "is missing" in problem


def deep(opening, closing):
    """A job with a context that has these in it."""
    return json.dumps(job(context="@")).replace('"@"', opening + closing)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["x"], "this is no JSON (Expecting value); each line is a JSON object"),
        ([""], "this is no JSON"),
        ([b"\xff"], "this is no JSON ('utf-8' codec can't decode"),
        (["[1,2]"], "this is [1, 2]; it should be an object, with t and e"),
        (["1"], "this is 1; it should be an object"),
        (['{"t":NaN,"e":"ping","pool":1}'], "NaN stands there, which is no JSON"),
        (['{"t":1,"e":"ping","pool":-Infinity}'], "-Infinity stands there"),
        (['{"t":1,"e":"ping","pool":1e999}'], "1e999 is too large a number"),
        (['{"t":' + "9" * 5000 + ',"e":"ping","pool":1}'], "this is no JSON (Exceeds the limit"),
        (['{"t":' + "9" * 4000 + ',"e":"ping","pool":1}'], "t is a number with too many digits; it should"),
        ([{"t": 1, "pool": 1}], "e is missing; it should be there, and hold: the kind of event, such as pool,"),
        ([{"t": 1, "e": ["ping"], "pool": 1}], "e is ['ping']; it should be: the kind of event"),
        ([{"t": 1, "e": "ping", "pool": 2}], "pool 2 was not opened: an event of kind pool comes first"),
        ([POOL], "pool 1 is opened a second time; each has an id of its own"),
        ([job(1)], "job is 1; it should be 0, since ids count the jobs of a pool"),
        ([job(), job()], "job is 0; it should be 1"),
        ([job(10**15)], "job is 1000000000000000; it should be 0"),
        ([job(deps=[0])], "deps names job 0, and only 0 were queued by then"),  # of itself
        ([job(deps=[1]), job(1, deps=[0])], "deps names job 1, and only 0 were queued by then"),  # a cycle
        ([status("running")], "job names job 0, and only 0 were queued by then"),
        ([job(), status("exploded")], "status of 'status' is 'exploded'; it should be: job status"),
        (['{"t":1,"e":' + "[" * 1_000_000], "values are nested deeper than 50"),
        ([deep('{"a":' + "[" * 1_000_000, "]" * 1_000_000 + "}")], "values are nested deeper than 50"),
        ([deep('{"a":' * 60, "1" + "}" * 60)], "values are nested deeper than 50"),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong(tmp_path, lines, problem):
    line, said = refused(tmp_path, HEADER, POOL, *lines, {"t": 9, "e": "ping", "pool": 1})
    assert said.startswith(problem)
    assert line == 2 + len(lines) or "[1]" in json.dumps(lines[0])


def test_kinds_without_number_are_refused(tmp_path):
    line, problem = refused(tmp_path, HEADER, *[{"t": 1, "e": f"kind {i}"} for i in range(30)])
    assert (line, problem) == (22, "there are more than 20 kinds of events that are none: 'kind 20'")


@pytest.mark.parametrize(
    "error",
    [
        LostRank(12, "a host of a simulation", None),
        Overdue(10**9, 12, "a host of a simulation", "silent", ""),
        JobFailed(40, "FunctionJob", "a", LeftRank(12, Raised("KeyboardInterrupt", ""))),
        NobodyLeft(3, 1, (12,)),
    ],
    ids=lambda error: error.kind,
)
def test_an_error_of_another_run_is_in_the_trace_as_any_other(tmp_path, error):
    def raises(owner):
        raise error_of(error)

    def schedules(node):
        raise error_of(error)

    recorder = TraceRecorder(tmp_path / "run.trace")
    with bsbpool.job_pool(quiet=True) as pool:
        pool.add_listener(recorder)
        pool.queue(raises)
        pool.schedule(["golgi"], schedules)
        with pytest.raises(bsbpool.WorkflowError):
            pool.execute()
    recorder.close()
    trace = read_trace(recorder.path)
    assert [event.error for event in trace.events if event.e == "status" and event.status == "failed"] == [error]
    assert [event.error for event in trace.events if event.e == "scheduled"] == [error]
    (ended,) = [event.error for event in trace.events if event.e == "end"]
    assert isinstance(ended, WorkflowFailed) and ended.count == 2
    assert replay(trace).same


def test_names_in_errors_are_cut_also_if_they_are_of_another_class_than_str():
    class Name(str):
        __slots__ = ()

    long = Name("a\x1b" * 200)
    facts = facts_of(error_of(NotScheduled("golgi", long)))
    assert facts == NotScheduled("golgi", harmless(long))
    assert type(facts.because) is str and len(facts.because) == 200


def test_texts_are_made_harmless(tmp_path):
    nasty = "<script>alert(1)</script>\x1b[2J\r\n\u202e../../etc/passwd" + "x" * 10_000
    found = read(tmp_path, HEADER, POOL, job(name=nasty, context={nasty: [nasty, 10**30, 1.5, None, True]}))
    _, event = found
    name = event["name"]
    assert name.startswith(r"<script>alert(1)</script>\x1b[2J\r\n\u202e../../etc/passwdxxx") and len(name) == 200
    assert event["context"] == {name: [name, str(10**30), 1.5, None, True]}
    assert found.warnings == [
        f"{tmp_path}/run.trace: 3 texts were too long, or held control characters: they are cut, or written out"
    ]


# -- what would take too much -------------------------------------------------------------------------------


def test_a_line_that_never_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LONGEST_LINE", 10_000)
    line, problem = refused(tmp_path, HEADER, "x" * 20_000)
    assert (line, problem) == (2, "the line has more than 10,000 bytes, so this is no trace")


def test_a_small_file_that_unpacks_to_a_large_one(tmp_path, monkeypatch):
    path = tmp_path / "bomb.gz"
    ping = json.dumps({"t": 9, "e": "ping", "pool": 1})
    path.write_bytes(gzip.compress("\n".join([json.dumps(HEADER), json.dumps(POOL), *[ping] * 100_000]).encode()))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(reading, "MOST_BYTES", 100_000)
    with pytest.raises(TraceError, match=r"line 3028: there are more than 100,000 bytes, the most that are read"):
        read_trace(path)
    monkeypatch.setattr(reading, "MOST_BYTES", 10**9)
    monkeypatch.setattr(reading, "MOST_EVENTS", 5_000)
    with pytest.raises(TraceError, match="line 5002: there are more than 5,000 events, the most that are read"):
        read_trace(path)


def test_one_line_of_zeros_without_end_takes_no_memory(tmp_path):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(json.dumps(HEADER).encode() + b"\n")
        for _ in range(64):
            file.write(b" " * 2**20)
    tracemalloc.start()
    try:
        with pytest.raises(TraceError, match="line 2: the line has more than"):
            read_trace(path)
        assert tracemalloc.get_traced_memory()[1] < 80 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.unmeasured
def test_a_large_trace_is_lean_in_memory(tmp_path):
    trace = Trace({"ranks": 3, "hosts": ["a"]})
    trace.append(("pool", 0, 1, 3, False, ["main"]))
    jobs = 20_000
    for i in range(jobs):
        trace.append(("job", i, 1, i, "FunctionJob", "place", {}, (), ()))
        for word in ("queued", "running", "success"):
            trace.append(("status", i, 1, i, word, 1, None))
    trace.write(tmp_path / "x.gz")
    del trace
    tracemalloc.start()
    found = read_trace(tmp_path / "x.gz")
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept / len(found) < 250  # bytes an event
