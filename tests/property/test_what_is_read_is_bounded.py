"""Inputs at, around and far beyond each bound of what is read: one that keeps it is read, and one that does not is
refused in a few words; whatever is read takes steps in proportion to its size.

Costs are counted in steps of Python. What C does, such as matching a pattern, has no steps: there a bound on processor
time, far above what is needed on any machine, tells what does not end from what does.
"""

import fnmatch
import gzip
import itertools
import json
import re
import signal
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from costs import steps
from hypothesis import given
from hypothesis import strategies as st
from test_invariants import examples, new_examples

from bsbpool import sizes, tracebacks
from bsbpool.durations import read_duration
from bsbpool.exceptions import TraceError
from bsbpool.facts import DEEPEST_ERROR, MOST_ERRORS
from bsbpool.trace import format, read_trace, reading
from bsbpool.trace.recorded_calls import LARGEST_CALL, LONGEST_LINE, read_calls
from bsbpool_sim import Tape, recorded
from bsbpool_sim.errors import TapeError
from bsbpool_sim.recorded import RecordingError, read_recording
from bsbpool_sim.scenario import ScenarioError, document, expanding, load, model, parse, written_values
from bsbpool_sim.scenario.patterns import matcher

pytestmark = pytest.mark.unmeasured

#: Seconds of processor time that no reading needs, on whatever machine.
FAR_TOO_LONG = 60

REFUSALS = (TraceError, RecordingError, ScenarioError, TapeError)


@contextmanager
def ends():
    """What is done within does end, or fails."""

    def fail(number, frame):
        raise AssertionError(f"it took more than {FAR_TOO_LONG} s of processor time")

    before = signal.signal(signal.SIGPROF, fail)
    signal.setitimer(signal.ITIMER_PROF, FAR_TOO_LONG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def refusal(read, data):
    """In which words data are refused; None if they are read."""
    with ends():
        try:
            read(data)
        except REFUSALS as error:
            return str(error)
    return None


# -- scenarios ---------------------------------------------------------------------------------------------------------


def scenario(jobs="[{name: a}]", more="", expect="{}", ranks=2):
    return f"scenario: a\nranks: {ranks}\njobs: {jobs}\n{more}expect: {expect}\n"


def read_scenario(text):
    return parse(text, "made.yaml")


def padded(size):
    text = scenario()
    return text + "#" * (size - len(text) - 1) + "\n"


def nested(depth):
    # Around it are the mapping of the file, the list of jobs, and the job.
    return scenario(f"[{{name: a, returns: {'[' * (depth - 3)}{']' * (depth - 3)}}}]")


def waiting(count):
    return scenario(f"[{{name: 'a{{i}}', repeat: {count}}}, {{name: 'b{{i}}', repeat: 100, after: 'a*'}}]")


def caching(count):
    methods = ", ".join(f"m{number}" for number in range(100))
    jobs = f"[{{name: 'a{{i}}', repeat: {count}, strategy: s, kind: placement}}]"
    return scenario(jobs, f"strategies: {{s: {{cached: [{methods}]}}}}\n")


def compared(count):
    patterns = ", ".join(f"'a*{'*' * number}': success" for number in range(1, 101))
    return scenario(f"[{{name: 'a{{i}}', repeat: {count}}}]", expect=f"{{statuses: {{{patterns}}}}}")


# -- recorded runs -----------------------------------------------------------------------------------------------------

JOB = {
    "id": 0, "kind": "place", "name": "granule", "args": "()", "deps": [], "cache_items": [], "status": "success",
    "error": None, "started": 0.0, "ended": 1.0,
}  # fmt: skip


def recording(**changed):
    return json.dumps({"ranks": 2, "elapsed": 1.0, "error": None, "jobs": [JOB], **changed}).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("read")


def written(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


# -- traces ------------------------------------------------------------------------------------------------------------


def line(t, e, **fields):
    return json.dumps({"t": t, "e": e, **fields}) + "\n"


def header(ranks=2, version=2, **more):
    return json.dumps({"trace": "bsbpool", "version": version, "ranks": ranks, "hosts": [], **more}) + "\n"


POOL = line(0, "pool", pool=0, ranks=1, fail_fast=False, phases=[])


def traced(*events, **of_header):
    return (header(**of_header) + POOL + "".join(events)).encode()


def a_job(**changed):
    job = {"pool": 0, "job": 0, "kind": "FunctionJob", "name": "f", "context": {}, "deps": [], "cache": [], **changed}
    return line(1, "job", **job)


def in_context(depth):
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return traced(a_job(context={"a": value} if depth else {}))


def an_error(depth):
    error: dict[str, Any] = {"kind": "raised", "type": "ValueError", "message": "no"}
    for _ in range(depth - 1):
        error = {"kind": "workflow failed", "count": 1, "errors": [error]}
    return error


def traceback(errors=1, frames=1):
    error = {"how": "raised", "error": an_error(1), "frames": [["a.py", 1, "f"]] * frames}
    return traced(a_job(), line(2, "traceback", pool=0, job=0, of="job", errors=[error] * errors))


def unknown(kinds):
    return traced(*(line(1, f"new {number}") for number in range(kinds)))


#: Bounds that are reached with less here.
SMALLER = {"MOST_WAITS": 20_000, "MOST_COMPARED": 200_000, "MOST_BYTES": 10**7}

#: What is bounded, by its name: the most, what makes an input that has so many, which reader it is for, and what a
#: reader says of too many.
BOUNDS = {
    "bytes of a scenario": (document.LARGEST, padded, "file", "larger than 256 kB"),
    "depth of a scenario": (document.DEEPEST, nested, "scenario", "nested more than 20 levels"),
    "jobs": (
        model.MOST_JOBS, lambda n: scenario(f"[{{name: '{{i}}', repeat: {n}}}]"), "scenario", "200000 or less",
    ),
    "jobs of two entries": (
        model.MOST_JOBS, lambda n: scenario(f"[{{name: 'a{{i}}', repeat: {n - 1}}}, {{name: b}}]"), "scenario",
        "200000",
    ),
    "ranks of a scenario": (sizes.MOST_RANKS, lambda n: scenario(ranks=n), "scenario", "10000 or less"),
    "letters of a name": (200, lambda n: scenario(f"[{{name: {'a' * n}}}]"), "scenario", "at most 200 characters"),
    "seeds": (written_values.MOST_SEEDS, lambda n: scenario(more=f"seeds: 0..{n - 1}\n"), "scenario", "too many seeds"),
    "bytes returned": (
        SMALLER["MOST_BYTES"] // 10_000,
        lambda n: scenario(f"[{{name: 'a{{i}}', repeat: {n}, returns_bytes: 9420}}]"), "scenario", "MB altogether",
    ),
    "events of jobs": (
        SMALLER["MOST_COMPARED"] // 300,
        lambda n: scenario("[{name: 'a{i}', repeat: 100}]", "events:\n" + "- {at: 1s, cancel: a1}\n" * n), "scenario",
        "too much is to be looked up",
    ),
    "dependencies": (SMALLER["MOST_WAITS"] // 100, waiting, "scenario", "too much is to be looked up"),
    "cached items required": (SMALLER["MOST_WAITS"] // 100, caching, "scenario", "too much is to be looked up"),
    "names compared": (SMALLER["MOST_COMPARED"] // 100, compared, "scenario", "too much is to be looked up"),
    "ranks of a recorded run": (
        recorded.MOST_RANKS, lambda n: recording(ranks=n), "recording", "from 1 to 1,000,000",
    ),
    "seconds of a recorded run": (
        recorded.MOST_SECONDS, lambda n: recording(elapsed=n), "recording", "a number of seconds",
    ),
    "ranks of a trace": (format.MOST_RANKS, lambda n: traced(ranks=n), "trace", "from 1 to 1,000,000"),
    "hosts": (2, lambda n: traced(ranks=2, hosts=["a"] * n), "trace", "one for each rank"),
    "depth of a context": (format.DEEPEST, in_context, "trace", "nested deeper than 50"),
    "errors of a traceback": (tracebacks.MOST_ERRORS, lambda n: traceback(errors=n), "trace", "it should be"),
    "frames of an error": (tracebacks.MOST_FRAMES, lambda n: traceback(frames=n), "trace", "it should be"),
    "errors of an error": (
        MOST_ERRORS,
        lambda n: traced(line(1, "unhandled", pool=0, job=None, error={
            "kind": "workflow failed", "count": n, "errors": [an_error(1)] * n
        })), "trace", "it should be",
    ),
    "depth of an error": (
        DEEPEST_ERROR, lambda n: traced(line(1, "unhandled", pool=0, job=None, error=an_error(n))), "trace", "deep",
    ),
    "unknown kinds of events": (20, unknown, "trace", "more than 20 kinds"),
    "nanoseconds": (2**63 - 1, lambda n: traced(line(n, "new")), "trace", "t is"),
    "version": (format.VERSION, lambda n: traced(version=n), "trace", "install a newer one"),
    "digits of a choice": (
        18, lambda n: f"v1:{'1' * n}.1", "tape", "is no tape",
    ),
    "years": (
        100, lambda n: scenario(f"[{{name: a, takes: {n * 365 * 24}h}}]"), "scenario", "longer than 100 years",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def readers(folder):
    return {
        "scenario": read_scenario,
        "file": lambda text: load(written(folder, "made.yaml", text.encode())),
        "recording": lambda data: read_recording(written(folder, "run.json", data)),
        "trace": lambda data: read_trace(written(folder, "run.trace", data)),
        "tape": Tape.parse,
    }


@pytest.mark.parametrize("name", [*BOUNDS])
@given(data=st.data())
@examples(5)
def test_what_keeps_a_bound_is_read_and_what_does_not_is_refused_in_a_few_words(name, readers, data):
    most, make, kind, says = BOUNDS[name]
    near = st.integers(max(1, most - 3), most + 3)
    beyond = st.integers(most + 1, min(most * 3 + 3, most + 10**6))
    count = data.draw(st.one_of(st.just(most), near, beyond), label=name)
    with pytest.MonkeyPatch.context() as patch:
        for bound, value in SMALLER.items() if "altogether" in says or "too much" in says else ():
            patch.setattr(expanding, bound, value)
        said = refusal(readers[kind], make(count))
    if count <= most:
        assert said is None
    else:
        assert says in said
        assert all(len(each) < 500 for each in said.splitlines())


@pytest.mark.parametrize("key", ["name", "returns", "raises", "context"])
@given(letters=st.integers(10_000, 60_000), repeat=st.integers(20_000, model.MOST_JOBS))
@examples(5)
def test_a_few_letters_do_not_stand_for_the_memory_of_the_machine(key, letters, repeat):
    """Each job has all of its values, with its index in them."""
    text = "{i}" * ((60 if key == "name" else letters) // 3)
    value = {"context": f"{{a: '{text}'}}", "raises": f"'ValueError: {text}'"}.get(key, f"'{text}'")
    job = f"{{name: {value}, " if key == "name" else f"{{name: 'a{{i}}', {key}: {value}, "
    with pytest.MonkeyPatch.context() as patch:
        if key == "name":
            patch.setattr(expanding, "MOST_BYTES", 2 * 10**7)
        said = refusal(read_scenario, scenario(f"[{job}repeat: {repeat}}}]"))
    assert "MB altogether" in said


# -- sizes that only a test makes smaller ------------------------------------------------------------------------------


@given(size=st.integers(200, 3000), most=st.integers(200, 3000))
@examples(40)
def test_the_bytes_of_a_recorded_run_are_bounded(size, most, folder):
    data = recording()
    path = written(folder, "run.json", data + b" " * (size - len(data)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded, "MOST_BYTES", most)
        assert (refusal(read_recording, path) is None) == (max(size, len(data)) <= most)


@given(
    pings=st.integers(0, 60),
    length=st.integers(1, 400),
    bounds=st.tuples(*[st.integers(0, 4000)] * 2, st.integers(0, 70)),
)
@examples(60)
def test_the_bytes_the_lines_and_the_events_of_a_trace_are_bounded(pings, length, bounds, folder):
    data = traced(*[line(1, "ping", pool=0, why="x" * length)] * pings)
    path = written(folder, "run.trace", data)
    longest, most, events = bounds
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("LONGEST_LINE", longest), ("MOST_BYTES", most), ("MOST_EVENTS", events)):
            patch.setattr(reading, name, value)
        keeps = max(map(len, data.splitlines(keepends=True))) <= longest and len(data) <= most and pings + 1 <= events
        assert (refusal(read_trace, path) is None) == keeps


@given(letter=st.sampled_from("ax0 "), count=st.integers(1, 10**5), level=st.integers(1, 9), junk=st.randoms())
@examples(12)
def test_a_compressed_trace_unpacks_to_a_bounded_size(letter, count, level, junk, folder):
    noise = "".join(junk.choices("abcdefgh", k=count // 100))
    plain = traced(a_job(name=letter * count), a_job(job=1, name=noise))
    data = gzip.compress(plain, level)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "ANYWAY", 1000)
        said = refusal(read_trace, written(folder, "run.trace.gz", data))
    # The reader is told of what it has unpacked so far.
    assert said is not None or len(plain) <= 1000 + reading.MOST_UNPACKED * len(data)
    if len(plain) <= 1000:
        assert said is None


@given(
    calls=st.lists(
        st.tuples(st.binary(max_size=50), st.sampled_from(["right", "more", "much more", "less"])), max_size=5
    ),
    name=st.sampled_from(["f", "x" * (LONGEST_LINE + 1)]),
)
@examples(60)
def test_calls_take_no_more_memory_than_their_file(calls, name, folder):
    """What is said of the size of a call is not believed."""
    data, whole = b'{"calls": "bsbpool", "version": 1}\n', 0
    lies = False
    for number, (packed, said) in enumerate(calls):
        size = {"right": 0, "more": 10**4, "much more": LARGEST_CALL - len(packed), "less": -len(packed)}[said] + len(
            packed
        )
        lies = lies or size != len(packed) or len(name) > LONGEST_LINE
        whole += not lies
        data += json.dumps({"pool": 0, "job": number, "name": name, "bytes": size}).encode() + b"\n" + packed + b"\n"
    found = {}
    assert refusal(lambda path: found.update(read_calls(path)), written(folder, "run.calls", data)) is None or lies
    assert len(found) >= whole or lies
    assert all(len(call.packed) <= len(data) for call in found.values())


# -- whatever stands wherever ------------------------------------------------------------------------------------------

#: Texts of which long ones were slow to read somewhere, or might be.
UNITS = [
    "a",
    " ",
    "*a",
    "*",
    "?",
    "*?",
    "{i}",
    "1",
    "1.",
    "0..",
    "a is ",
    " ends",
    "before ",
    "[",
    "{",
    "'",
    "\\\\",
    "é",
    "\t",
    "ab*",
    "a: ",
    "- ",
]
#: Where a text may stand in a scenario.
PLACES = [
    "scenario: {}", "ranks: {}", "seeds: {}", "latency: {}", "bandwidth: {}", "workflow: [{}]", "slow: {{1: {}}}",
    "jobs: [{{name: {}}}]", "jobs: [{{name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}, {{name: b, after: {}}}]",
    "jobs: [{{name: a, takes: {}}}]", "jobs: [{{name: a, raises: {}}}]", "jobs: [{{name: a, returns: {}}}]",
    "jobs: [{{name: a, {}: 1}}]", "jobs: [{{name: a, kind: {}}}]", "jobs: [{{name: a, strategy: {}}}]",
    "jobs: [{{name: 'a{{i}}', repeat: 500, context: {{a: {}}}}}]", "events: [{{when: {}, cancel: a}}]",
    "events: [{{at: {}, cancel: a}}]", "events: [{{at: 1s, cancel: {}}}]",
    "pool: {{listeners: [{{handles: {}}}]}}", "pool: {{listeners: [{{raises: {{{}: 'ValueError: no'}}}}]}}",
    "strategies: {{{}: {{cached: [load]}}}}", "strategies: {{s: {{cached: [{}]}}}}",
    "expect: {{errors: {{{}: no}}}}", "expect: {{errors: {{a: {}}}}}", "expect: {{statuses: {{{}: success}}}}",
    "expect: {{order: [{}]}}", "expect: {{freed: {{1: [{}]}}}}", "expect: {{elapsed: {}}}", "expect: {{deadlock: {}}}",
    "expect: {{outcome: {}}}", "{}: 1", "recording: {}",
]  # fmt: skip


def standing(place, text):
    """A scenario in which a text stands at a place."""
    keys = {
        "scenario": "a",
        "ranks": "2",
        "jobs": "[{name: a, raises: 'ValueError: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}]",
        "expect": "{}",
    }
    key, _, value = place.format(json.dumps(text)).partition(": ")
    return "".join(f"{key}: {value}\n" for key, value in {**keys, key: value}.items())


def read_and_run(text):
    """Read a scenario, and run it: patterns are matched then, too."""
    parse(text, "made.yaml").run()


@given(
    place=st.sampled_from(PLACES),
    parts=st.lists(
        st.tuples(st.sampled_from(UNITS), st.sampled_from([1, 2, 30, 3000, 20_000])), min_size=1, max_size=3
    ),
)
@new_examples(40)
def test_no_text_takes_long_wherever_it_stands_in_a_scenario(place, parts):
    said = refusal(read_and_run, standing(place, "".join(unit * count for unit, count in parts)[:100_000]))
    assert said is None or said.startswith("made.yaml:")


@given(place=st.sampled_from(PLACES), count=st.sampled_from([30, 200, 2000, 20_000]), unit=st.sampled_from(UNITS))
@new_examples(15)
def test_nested_values_take_no_recursion_wherever_they_stand(place, count, unit):
    for opens, closes in ("[]", ("{a: ", "}"), ("[a, ", "]")):
        value = (opens * count + json.dumps(unit) + closes * count)[:200_000]
        said = refusal(read_scenario, standing(place, "@@").replace('"@@"', value))
        assert said.startswith("made.yaml:")


@given(levels=st.integers(2, 12), width=st.integers(2, 9), merged=st.booleans())
@examples(8)
def test_aliases_of_yaml_are_refused_and_not_followed(levels, width, merged):
    def bomb(levels):
        rows = ["returns: {v0: &v0 [lol]"]
        rows += [f"v{n}: &v{n} [{', '.join([f'*v{n - 1}'] * width)}]" for n in range(1, levels)]
        text = scenario(f"[{{name: a, {', '.join(rows)}}}}}]")
        return text.replace("v0: &v0", "<<: &v0") if merged else text

    text = bomb(levels)
    assert "is an anchor, which scenarios do without" in refusal(read_scenario, text)
    # Four times the text takes four times the steps, and so do four times the levels, whose text is as much longer.
    longer = bomb(4 * levels)
    less, more = (steps(partial(refusal, read_scenario, text)) for text in (text, longer))
    assert more < 2 * less * len(longer) / len(text)


@given(departures=st.lists(st.tuples(st.integers(0, 10**19), st.integers(0, 10**19)), max_size=8))
@examples(200)
def test_a_tape_is_read_if_its_numbers_grow_and_have_18_digits_at_most(departures):
    text = "v1:" + ",".join(f"{number}.{index}" for number, index in departures)
    grows = all(one[0] < other[0] for one, other in itertools.pairwise(departures))
    keeps = grows and all(number < 10**18 and 0 < index < 10**18 for number, index in departures)
    if keeps:
        assert str(Tape.parse(text)) == text
    else:
        assert refusal(Tape.parse, text) is not None


@pytest.mark.parametrize("unit", [",1", "1", ".", "1.1,", "0.1,0.1,", "v1:", "-1"])
def test_a_long_tape_is_refused_in_a_few_words(unit):
    assert len(refusal(Tape.parse, "v1:" + unit * 300_000)) < 500


@given(
    unit=st.sampled_from(["1", ".", "e9", " ", "1.5", "s", "µ", "h", "-", "9e", "\u0661"]),
    count=st.integers(1, 200_000),
)
@examples(60)
def test_long_durations_are_read_or_refused(unit, count):
    with ends():
        try:
            ns = read_duration(unit * count + "s")
        except ValueError as error:
            ns, said = 0, str(error)
        else:
            said = "is no duration"
    assert 0 <= ns <= 100 * 365 * 24 * 3600 * 10**9
    assert "is no duration" in said or "is no unit" in said or "longer than" in said


# -- patterns ----------------------------------------------------------------------------------------------------------

small = st.text("ab*?.[\n", max_size=8)


@given(pattern=small, text=st.text("ab.[\n", max_size=10))
@examples(300)
def test_a_pattern_matches_what_it_says(pattern, text):
    said = re.compile(fnmatch.translate(pattern.replace("[", "[[]"))).match(text)
    assert bool(matcher(pattern)(text)) == bool(said)


@given(
    part=st.text("ab?", min_size=1, max_size=3),
    stars=st.integers(1, 500),
    end=st.sampled_from(["", "b", "c", "?c"]),
    of=st.sampled_from("ab"),
)
@examples(15)
def test_no_pattern_takes_long(part, stars, end, of):
    with ends():
        for length in (200, 2000):
            matcher(f"*{part}" * stars + end)(of * length)


# -- proportion --------------------------------------------------------------------------------------------------------


def of_many_jobs(count):
    return scenario("[" + ", ".join(f"{{name: a{n}, takes: 1s}}" for n in range(count)) + "]")


def of_schedulers(count):
    rows = [f"- {{name: s{i}, depends_on: [{f's{i - 1}' if i else ''}]}}\n" for i in range(count)]
    return scenario(more="schedulers:\n" + "".join(rows))


def of_pools(count):
    return traced(*(line(1, "pool", pool=i + 1, ranks=1, fail_fast=False, phases=[]) for i in range(count)))


#: What costs in proportion to how much there is: (what makes an input with so many, its reader).
PROPORTIONAL = {
    "jobs": (of_many_jobs, "scenario"),
    "repeated jobs": (lambda n: scenario(f"[{{name: 'a{{i}}', repeat: {n}}}]"), "scenario"),
    "phases": (
        lambda n: scenario(
            "[" + ", ".join(f"{{name: a{i}, phase: p{n - 1 - i}}}" for i in range(n)) + "]",
            f"workflow: [{', '.join(f'p{i}' for i in range(n))}]\n",
        ), "scenario",
    ),
    "phases that are not there": (
        lambda n: scenario("[" + ", ".join(f"{{name: a{i}, phase: q{i}}}" for i in range(n)) + "]", "workflow: [p]\n"),
        "scenario",
    ),
    "jobs that are not there": (
        lambda n: scenario("[" + ", ".join(f"{{name: a{i}, after: b{i}}}" for i in range(n)) + "]"), "scenario",
    ),
    "cached methods": (
        lambda n: scenario("[{name: a}]", f"strategies: {{s: {{cached: [{', '.join(f'm{i}' for i in range(n))}]}}}}\n"),
        "scenario",
    ),
    "cached items that are not there": (
        lambda n: scenario(expect=f"{{loaded: {{{', '.join(f's.m{i}: 1' for i in range(n))}}}}}"), "scenario",
    ),
    "unknown keys": (
        lambda n: scenario("[" + ", ".join(f"{{name: a{i}, naem: b}}" for i in range(n)) + "]"), "scenario",
    ),
    "schedulers": (of_schedulers, "scenario"),
    "recorded jobs": (
        lambda n: recording(jobs=[{**JOB, "id": i, "deps": [i - 1] if i else []} for i in range(n)]), "recording",
    ),
    "lines": (lambda n: traced(line(1, "ping", pool=0) * n), "trace"),
    "traced jobs": (lambda n: traced(*(a_job(job=i, deps=[i - 1] if i else []) for i in range(n))), "trace"),
    "ids": (lambda n: traced(a_job(), a_job(job=1, deps=[0] * n)), "trace"),
    "pools": (of_pools, "trace"),
    "departures": (lambda n: "v1:" + ",".join(f"{i}.1" for i in range(n)), "tape"),
}  # fmt: skip


@pytest.mark.parametrize("name", [*PROPORTIONAL])
@given(few=st.integers(20, 30))
@examples(1)
def test_reading_takes_steps_as_there_is_much(name, readers, few):
    make, kind = PROPORTIONAL[name]
    # What suggestions cost is bounded for all together.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expanding, "MOST_LETTERS", 100)
        less, more = (steps(partial(refusal, readers[kind], make(n))) for n in (few, 4 * few))
    assert more < 1.3 * 4 * less
