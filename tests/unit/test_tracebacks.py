"""Where errors were raised: recorded as data, bounded, and shown by `show`, `replay` and the page."""

import contextlib
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import bsbpool
from bsbpool.cli import main
from bsbpool.pool.protocol import pack_error, unpack_error
from bsbpool.trace import Trace, TraceRecorder, read_trace
from bsbpool.trace.comparing import first_difference
from bsbpool.trace.history import History
from bsbpool.trace.page.columns import page_data
from bsbpool.tracebacks import LONGEST_PATH, MOST_ERRORS, MOST_FRAMES, raised
from bsbpool_sim import simulate
from bsbpool_sim.replay import replay

FILE = "test_tracebacks.py"


def inner():
    raise ValueError("corrupt")


def failing(owner):
    try:
        inner()
    except ValueError as error:
        raise RuntimeError("no morphology") from error


def grouped(owner):
    errors = []
    for _ in range(3):
        try:
            inner()
        except ValueError as error:
            errors.append(error)
    raise ExceptionGroup("several", errors)


def sleeping(owner):
    time.sleep(10)


def line_of(function, text):
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    start = function.__code__.co_firstlineno
    return next(n for n, line in enumerate(source[start:], start + 1) if text in line)


def run(fill, ranks=2, **options):
    def program(comm):
        with contextlib.suppress(Exception), bsbpool.job_pool(comm, quiet=True, **options) as pool:
            if pool.is_main():
                fill(pool)
            pool.execute()

    return simulate(program, ranks).trace


def places(trace):
    return [(e["of"], e["job"], [x["how"] for x in e["errors"]], e["errors"][0]) for e in trace.of("traceback")]


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_failed_job_and_its_cause(ranks):
    ((of, job, how, error),) = places(run(lambda pool: pool.queue(failing), ranks))
    assert (of, job, how) == ("status", 0, ["raised", "cause"])
    assert error["error"] == {"kind": "raised", "type": "RuntimeError", "message": "no morphology"}
    file, line, function = error["frames"][-1]
    assert (file.rpartition("/")[2], line, function) == (FILE, line_of(failing, "raise RuntimeError"), "failing")


def test_members_of_a_group():
    ((_, _, how, _),) = places(run(lambda pool: pool.queue(grouped)))
    assert how == ["raised", "member", "member", "member"]


@pytest.mark.parametrize("ranks", [1, 2])
def test_where_a_job_was_at_its_limit(ranks):
    ((of, job, _, error),) = places(run(lambda pool: pool.queue(sleeping, timeout=1), ranks))
    assert (of, job, error["frames"][-1][2]) == ("status", 0, "sleeping")
    assert error["error"]["kind"] == "overdue"


class Node:
    def get_node_name(self):
        return "node"

    def queue(self, pool):
        inner()


def test_a_scheduler_a_listener_and_a_callback():
    ((of, job, _, error),) = places(run(lambda pool: pool.schedule([Node()])))
    assert (of, job, [f[2] for f in error["frames"]][-2:]) == ("scheduled", None, ["Node.queue", "inner"])

    def raises(job):
        inner()

    found = places(run(lambda pool: pool.queue(id).on_completion(raises)))
    assert ("raised", None) in [each[:2] for each in found]
    assert all(error["frames"][-1][2] == "inner" for *_, error in found)


def test_a_clean_up():
    def fill(pool):
        pool.queue(caches)

    found = places(run(fill, 1))
    assert [(of, job) for of, job, *_ in found][-1:] == [("end", None)]


def caches(owner):
    owner._pool_cache[7] = [inner]


def test_it_is_bounded():
    def deep(n):
        if n:
            deep(n - 1)
        try:
            inner()
        except ValueError as error:
            raise KeyError(n) from error

    try:
        deep(300)
    except KeyError as error:
        found = raised(error)
    assert len(found) <= MOST_ERRORS
    assert all(len(frames) <= MOST_FRAMES for _, _, frames in found)
    long = compile("raise ValueError", "/" + "x" * 1000 + "/é\udc80\x1b.py", "exec")
    try:
        exec(long, {"__name__": "x"})
    except ValueError as error:
        ((_, _, frames),) = raised(error)
    assert len(frames[-1][0]) == LONGEST_PATH and frames[-1][0].endswith(".py")


def test_it_travels_beside_errors_that_cannot():
    class Local(Exception):
        def __init__(self, one, two):
            super().__init__("text")

        def __reduce__(self):
            raise TypeError

    try:
        raise Local(1, 2)
    except Local as error:
        here, there = raised(error), raised(unpack_error(pack_error(error, "rank 1")))
    assert here == there and here[0][2]


def test_odd_names_are_read_and_shown(tmp_path):
    code = compile("def odd(owner):\n    raise ValueError('v')", "/tmp/\udc80 \x1b[31m <b>\n.py", "exec")
    namespace: dict = {"__name__": "x"}
    exec(code, namespace)
    path = tmp_path / "run.trace"
    trace = run(lambda pool: pool.queue(lambda owner: namespace["odd"](owner)))
    trace.write(path)
    assert read_trace(path).of("traceback")[0]["errors"][0]["frames"]
    for command in (
        ["show", str(path)],
        ["replay", str(path)],
        ["show", str(path), "--html", f"{path}.html"],
    ):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.output


def test_show_replay_and_the_page_say_where(tmp_path):
    recorder = TraceRecorder(tmp_path / "run.trace")
    with contextlib.suppress(bsbpool.WorkflowError), bsbpool.job_pool(quiet=True) as pool:
        pool.add_listener(recorder)
        pool.queue(failing, submitter="place")
        pool.schedule([Node()])
        pool.execute()
    recorder.close()
    place = f"at {__file__}:{line_of(failing, 'raise RuntimeError')} in failing"
    for command in ("show", "replay"):
        output = CliRunner().invoke(main, [command, str(tmp_path / "run.trace")]).output
        assert f"raised {place}" in output
        assert f"caused by ValueError: corrupt, at {__file__}" in output
        assert "in inner" in output
    data = page_data(History(read_trace(tmp_path / "run.trace")), "run")
    assert data["raised"][0][0][2][-1] == [__file__, line_of(failing, "raise RuntimeError"), "failing"]
    assert [errors[0][1] for errors in data["others"]] == ["ValueError: corrupt"]


def test_replays_and_comparisons_do_not_depend_on_it():
    trace = run(lambda pool: pool.queue(failing))
    assert replay(trace).same
    without, other = Trace(trace.header), Trace(trace.header)
    for event in trace.events:
        if event[0] != "traceback":
            without.append(event)
            other.append(event)
        else:
            other.append((*event[:5], [{"how": "raised", "error": "KeyError", "frames": [["x", 1, "f"]]}]))
    for each in (without, other):
        assert replay(each).same
        assert first_difference(trace, each) is None
        assert first_difference(each, trace) is None


def test_a_success_has_none():
    assert not run(lambda pool: pool.queue(id)).of("traceback")


@pytest.mark.parametrize(
    "errors",
    [None, {}, [1], [{}], [{"how": "raised", "error": "E", "frames": [["f", 1]]}],
     [{"how": "raised", "error": "E", "frames": [["f", "1", "g"]]}],
     [{"how": "raised", "error": "E", "frames": []}] * (MOST_ERRORS + 1)],
)  # fmt: skip
def test_what_is_none_is_refused(tmp_path, errors):
    path = tmp_path / "run.trace"
    lines = list(run(lambda pool: pool.queue(id)).lines())
    event = {"t": 0, "e": "traceback", "pool": json.loads(lines[1])["pool"], "job": None, "of": "end", "errors": errors}
    path.write_text("\n".join([*lines, json.dumps(event)]) + "\n")
    with pytest.raises(bsbpool.exceptions.TraceError, match="errors of 'traceback'"):
        read_trace(path)
