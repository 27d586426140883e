"""The calls beside a trace: read as bytes, whatever they hold, and only with the trace that they belong to."""

import contextlib
import json
import os
import pickle

import pytest

import bsbpool
from bsbpool.trace import Trace, TraceError, TraceRecorder, read_trace
from bsbpool.trace.recorded_calls import calls_path, read_calls


def fail(owner, what):
    raise ValueError(what)


class Trap:
    """What runs code when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorder = TraceRecorder("run.trace", capture=True)
    with contextlib.suppress(bsbpool.WorkflowError), bsbpool.job_pool(quiet=True) as pool:
        pool.add_listener(recorder)
        pool.queue(fail, ("one\n",), submitter="place")
        pool.queue(fail, (Trap(),), submitter="trap")
        pool.execute()
    recorder.close()
    return tmp_path / "run.trace"


def test_calls_are_found_by_pool_and_job_and_nothing_runs(recorded):
    found = read_calls(calls_path(recorded), read_trace(recorded))
    assert {key: call.name for key, call in found.items()} == {(1, 0): "place", (1, 1): "trap"}
    assert pickle.loads(found[1, 0].packed) == (fail, ("one\n",), {})
    assert not os.path.exists("sprung")
    with contextlib.suppress(Exception):
        pickle.loads(found[1, 1].packed)
    assert os.path.exists("sprung")  # it would have


def test_those_of_another_run_are_refused(recorded):
    with pytest.raises(TraceError, match="these calls are of another run than the trace"):
        read_calls(calls_path(recorded), Trace({"run": "another"}))


def test_wherever_the_file_is_cut_whole_calls_are_read(recorded):
    data = recorded.with_name("run.trace.calls").read_bytes()
    counts = []
    for cut in range(data.index(b"\n") + 1, len(data) + 1):
        recorded.with_name("cut").write_bytes(data[:cut])
        found = read_calls(recorded.with_name("cut"))
        counts.append(len(found))
        assert not found.cut or cut < len(data)
    assert not found.cut
    assert counts == sorted(counts) and {*counts} == {0, 1, 2}


HEADER = {"calls": "bsbpool", "version": 1, "trace": "x", "run": "y"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "holds no calls of jobs"),
        (b"\x80\x05.", "holds no calls of jobs"),
        (b"[" * 100_000, "holds no calls of jobs"),
        (b"[1]", "holds no calls of jobs"),
        (json.dumps({**HEADER, "version": 2}).encode(), "its version is 2; it should be 1"),
        (b'%s\n{"pool":1,"job":"0","name":"a","bytes":0}\n', "is not its pool, job and name"),
        (b'%s\n{"pool":[],"job":0,"name":"a","bytes":0}\n', "is not its pool, job and name"),
        (b'%s\n{"pool":1,"job":0,"name":"a","bytes":-1}\n', "bytes of a call is -1; it should be their number"),
        (b'%s\n{"pool":1,"job":0,"name":"a","bytes":1e30}\n', "bytes of a call is 1e"),
        (b'%s\n{"pool":1,"job":0,"name":"a","bytes":99999999999}\n', "bytes of a call is 99999999999"),
    ],
)
def test_a_file_that_is_wrong(tmp_path, content, problem):
    path = tmp_path / "x.calls"
    path.write_bytes(content.replace(b"%s", json.dumps(HEADER).encode()))
    with pytest.raises(TraceError, match=problem):
        read_calls(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(TraceError, match="it can't be read: No such file"):
        read_calls(tmp_path / "x.calls")
