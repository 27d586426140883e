"""`bsbpool show`, as it is typed: what it prints of a trace, and what it writes."""

import base64
import gzip
import io
import json
import re
import time
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from rich.console import Console

import bsbpool
from bsbpool.cli import main
from bsbpool.cli.show import show_history
from bsbpool.facts import Raised
from bsbpool.trace import Trace, read_trace
from bsbpool.trace.comparing import first_difference
from bsbpool.trace.history import History
from bsbpool.trace.page import page
from bsbpool.trace.perfetto import perfetto_json
from bsbpool.trace.svg import picture
from bsbpool_sim import RankErrors, Script, simulate
from bsbpool_sim.scenario import load

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "scenarios" / "recordings"


def command(*args, columns=100):
    """What came of it: exit_code, stdout, stderr, output."""
    return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="bsbpool", env={"COLUMNS": str(columns)})


def prose(output):
    return " ".join(output.split())


def seconds(owner, takes, error=None):
    time.sleep(takes)
    if error:
        raise ValueError(error)


def write(path, *pools, ranks=3, script=None):
    """The file of a trace with pools of jobs: keyword arguments of `queue`, with takes, error and deps as places."""

    def program(comm):
        for jobs in pools:
            with bsbpool.job_pool(comm) as pool:
                if pool.is_main():
                    queued = []
                    for job in jobs:
                        about = dict(job)
                        args = about.pop("takes", 1.0), about.pop("error", None)
                        deps = [queued[dep] for dep in about.pop("deps", ())]
                        queued.append(pool.queue(seconds, args, deps=deps, **about))
                pool.execute()

    try:
        trace = simulate(program, ranks, script=script or Script()).trace
    except RankErrors as errors:
        trace = errors.simulation.trace
    trace.write(path)
    return path


@pytest.fixture
def recorded(tmp_path):
    """The trace of the recorded run that failed, written by `bsbpool run`."""
    path = tmp_path / "failing.trace"
    run = command("run", RECORDINGS / "bsb_reconstruction_4_ranks_failing.json", "--trace", path)
    assert run.exit_code == 1
    return path


def test_the_recorded_failure_is_told_with_where_the_time_went(recorded):
    shown = command("show", recorded)
    assert (shown.exit_code, shown.stderr) == (0, "")
    text = prose(shown.stdout)
    assert f"{len(read_trace(recorded)):,} events of 4 simulated ranks, 396 jobs in 2 pools." in text
    assert "185 succeeded, 1 failed, 208 cancelled, 2 aborted." in text
    assert "Critical path 711.9 ms, 15% of the makespan: 3 jobs that waited for each other." in text
    assert "C placement.purkinje, job 101: 207.2 ms D placement.molecular, job 132: 126.4 ms" in text
    assert "the workers were busy for 98.6% of it." in text
    assert "✗ ValueError: corrupt morphology in chunk (1, 1, 0) connectivity.stellate_purkinje, job 7 of pool 2" in text
    assert "2 216 4.16 s 519.4 ms 378.3 ms WorkflowError: JobErroredError:" in text
    assert "rank 3 │AAAAAAAAAAAAABBBBBBBBBBBBCCCC" in shown.stdout


def test_slowest_jobs_are_told_by_strategy_longest_first(tmp_path):
    path = write(
        tmp_path / "run.trace",
        [{"submitter": "a", "takes": takes, "size": takes} for takes in (1.0, 3.0)]
        + [{"submitter": "b", "takes": 4.0}],
    )
    text = prose(command("show", path).stdout)
    assert "slowest of job rank from took x mean context" in text
    b, a = text.index("B b 2"), text.index("A a 1 2 0 s 3.00 s 1.5 size=3.0")
    assert b < a


def test_what_an_ideal_schedule_would_take(tmp_path):
    # First in, first out starts the chain of 3 s last.
    path = write(tmp_path / "run.trace", [{"takes": 1.0}] * 5 + [{"takes": 3.0, "deps": [4]}])
    text = prose(command("show", path).stdout)
    assert "Makespan 6.00 s" in text
    assert "Ideal schedule 4.00 s for all of these jobs, on as many workers: this one took 1.50 times that." in text


def test_a_bound_below_what_was_found_is_told_too(tmp_path):
    text = prose(command("show", write(tmp_path / "run.trace", [{"takes": 1.0}] * 3)).stdout)
    assert "Ideal schedule 2.00 s for all of these jobs, on as many workers (none can take less than 1.50 s)" in text


def test_many_ranks_pools_and_steps_are_cut_short(tmp_path):
    chain = [{"takes": 1.0}] + [{"takes": 1.0, "deps": [i]} for i in range(11)]
    path = write(tmp_path / "run.trace", chain, *[[{"takes": 0.1}]] * 17, ranks=30)
    text = prose(command("show", path).stdout)
    assert "and 2 pools more" in text
    assert "jobs that took less" in text
    assert "29 workers, busy for" in text


def test_a_rank_alone_runs_its_jobs_itself(tmp_path):
    text = prose(command("show", write(tmp_path / "run.trace", [{"takes": 1.0}], ranks=1)).stdout)
    assert "main was busy for 100.0% of it" in text


def test_real_ranks_are_told_with_their_hosts(tmp_path):
    for hosts, told in ((["node7"], "0 events of 2 ranks on node7"), (["n1", "n2"], "0 events of 2 ranks on 2 hosts")):
        path = tmp_path / f"{len(hosts)}.trace"
        Trace({"ranks": 2, "hosts": hosts}).write(path)
        assert told in command("show", path).stdout


def test_an_empty_trace_and_one_in_which_nothing_ran(tmp_path):
    path = tmp_path / "run.trace"
    Trace({"ranks": 1, "hosts": ["h"]}).write(path)
    assert "No job was queued." in command("show", path).stdout
    trace = Trace({"ranks": 2, "hosts": ["h"]})
    trace.append(("pool", 0, 1, 2, False, ["main"]))
    trace.append(("job", 0, 1, 0, "FunctionJob", "a", {}, [], []))
    trace.write(path)
    text = prose(command("show", path).stdout)
    assert "1 unfinished" in text
    assert "not ended where the trace stops" in text
    assert "There is no timeline" in text


def announced(path, ranks, status="failed"):
    """The file of a trace of BSB's own pool: what that announces of a job that fails."""
    trace = Trace({"ranks": ranks, "hosts": []})
    trace.append(("pool", 0, 7, ranks, False, []))
    trace.append(("announced", 0, 7))
    trace.append(("job", 0, 7, 0, "FunctionJob", "place", {}, [], []))
    if ranks == 1:
        trace.append(("status", 1_000_000_000, 7, 0, "running", None, None))
    trace.append(
        ("status", 3_000_000_000, 7, 0, status, None, Raised("ValueError", "boom") if status == "failed" else None)
    )
    trace.append(("end", 3_000_000_000, 7, Raised("WorkflowError", "boom") if status == "failed" else None))
    trace.write(path)
    return path


def test_of_bsbs_own_pool_on_several_ranks_nothing_is_told_that_it_did_not_announce(tmp_path):
    path = announced(tmp_path / "run.trace", 3)
    shown = command("show", path)
    text = prose(shown.stdout)
    lacks = "does not announce what its jobs depend on, and, on several ranks, where and how long they ran"
    assert lacks in text and "1 failed." in text and "Makespan 3.00 s." in text
    assert "place, job 0, at 3.00 s" in text
    for untold in ("rank 0", "rank 1", "busy", "Critical path", "Ideal schedule", " 0 s 0 s"):
        assert untold not in text
    assert "A place 1 1 · · ·" in text and "7 1 0 s 3.00 s · WorkflowError: boom" in text
    written = command("show", path, "--svg", tmp_path / "run.svg")
    assert written.exit_code == 0 and lacks in prose(written.stderr)
    assert command("show", path, "--html", tmp_path / "run.html").exit_code == 0
    packed = re.search(r'<script id="data"[^>]*>([^<]*)<', (tmp_path / "run.html").read_text())[1]
    assert lacks in json.loads(zlib.decompress(base64.b64decode(packed)))["warnings"][0]


def test_of_bsbs_own_pool_on_one_rank_it_is_told_what_took_how_long(tmp_path):
    text = prose(command("show", announced(tmp_path / "run.trace", 1)).stdout)
    assert "does not announce what its jobs depend on: that is not known here." in text
    assert "place, job 0, on rank 0, at 3.00 s" in text and "0 1 2.00 s 66.7%" in text
    assert "Critical path" not in text


def test_a_trace_that_was_cut_is_shown_with_a_warning(recorded):
    recorded.write_bytes(recorded.read_bytes()[:-30])
    shown = command("show", recorded)
    assert shown.exit_code == 0
    assert shown.stderr.startswith("bsbpool: warning: ")
    assert "185 succeeded" in shown.stdout


def test_jobs_in_whose_midst_the_trace_stops_are_told_with_rank_and_host(tmp_path):
    trace = Trace({"ranks": 3, "hosts": ["main", "east", "west"]})
    trace.append(("pool", 0, 1, 3, False, ["main"]))
    for job in range(40):
        trace.append(("job", 0, 1, job, "FunctionJob", "place", {"chunk": job}, [], []))
        trace.append(("status", 1_000_000, 1, job, "queued", None, None))
    for job, rank in ((0, 1), (1, 2), (2, 1)):
        trace.append(("status", 2_000_000 * (1 + job), 1, job, "running", rank, None))
    # That the third has ended is there, but not its status.
    trace.append(("message", 9_000_000, 1, 1, 2, 7_000_000, 8_000_000))
    trace.write(tmp_path / "cut.trace")
    text = prose(command("show", tmp_path / "cut.trace").stdout)
    assert "… place, job 0 ran on rank 1 on east, since 2.00 ms, where the trace stops chunk=0" in text
    assert "… place, job 1 ran on rank 2 on west, since 4.00 ms, where the trace stops chunk=1" in text
    assert text.count("where the trace stops") == 3  # that of the pool, and two jobs
    for job in range(3, 40):
        trace.append(("status", 9_000_000, 1, job, "running", 2, None))
    trace.write(tmp_path / "many.trace")
    assert "and 23 jobs more that ran then" in command("show", tmp_path / "many.trace").stdout


@pytest.mark.parametrize("content", ["", "{}\n", "\x00\x01"])
def test_what_is_no_trace_is_told_in_one_line(tmp_path, content):
    path = tmp_path / "run.trace"
    path.write_text(content)
    for args in (("show", path), ("diff", path, path)):
        shown = command(*args)
        assert shown.exit_code == 2
        assert shown.stderr.count("\n") == 1
        assert str(path) in shown.stderr


def test_files_are_written_and_named_with_their_size(recorded, tmp_path):
    files = [tmp_path / name for name in ("run.html", "run.svg", "run.json", "run.json.gz")]
    html, svg, plain, packed = files
    shown = command("show", recorded, "--html", html, "--svg", svg, "--perfetto", plain)
    assert shown.exit_code == 0
    assert [line.split(":")[0] for line in shown.stdout.splitlines()] == [str(html), str(plain), str(svg)]
    assert html.read_text().startswith("<!doctype html>")
    assert svg.read_text().startswith("<svg ")
    assert command("show", recorded, "--perfetto", packed).exit_code == 0
    assert json.loads(gzip.decompress(packed.read_bytes())) == json.loads(plain.read_text())


def test_a_file_that_cant_be_written_is_told_in_one_line(recorded, tmp_path):
    missing = tmp_path / "no" / "run.html"
    shown = command("show", recorded, "--html", missing)
    assert (shown.exit_code, shown.stderr.count("\n")) == (2, 1)
    assert f"can't be written: there is no folder {missing.parent}" in shown.stderr
    run = command("run", RECORDINGS / "bsb_reconstruction_1_rank.json", "--trace", missing)
    assert run.exit_code == 2
    assert "can't be written" in run.stderr


def test_a_trace_of_a_recording_is_of_one_number_of_ranks(tmp_path):
    run = command("run", RECORDINGS / "bsb_reconstruction_1_rank.json", "--ranks", "1,2", "--trace", tmp_path / "t")
    assert run.exit_code == 2
    assert "--trace is for one number of ranks" in run.stderr


def test_help_teaches_with_examples():
    for name, example in (
        ("show", "bsbpool show run.trace --html run.html"),
        ("diff", "bsbpool diff good.trace bad.trace"),
    ):
        text = command(name, "--help").output
        assert example in text
        assert "Exit status: 0" in text


# -- diff ------------------------------------------------------------------------------------------------


def test_the_same_trace_is_the_same(recorded):
    compared = command("diff", recorded, recorded, "--times")
    assert compared.exit_code == 0
    assert "The same events, in the same order, at the same times." in compared.stdout


def test_runs_that_only_took_longer_are_the_same_unless_times_count(tmp_path):
    one = write(tmp_path / "one.trace", [{"submitter": "a", "takes": 1.0}, {"submitter": "b", "takes": 3.0}])
    other = write(tmp_path / "other.trace", [{"submitter": "a", "takes": 2.0}, {"submitter": "b", "takes": 3.0}])
    compared = command("diff", one, other)
    assert compared.exit_code == 0
    assert "The same events, in the same order; times and memory don't count here." in compared.stdout
    text = prose(compared.stdout)
    assert "Makespan 3.00 s in A, 3.00 s in B (the same)." in text
    assert "a 1 1 1.00 s 2.00 s 1.00 s 2.00 s 1.00 s longer b 1 1 3.00 s 3.00 s 3.00 s 3.00 s the same" in text
    exact = command("diff", one, other, "--times")
    assert exact.exit_code == 1
    assert "with another t" in exact.stdout


def test_the_first_difference_is_told_with_what_is_around_it(tmp_path):
    one = write(tmp_path / "one.trace", [{"submitter": "a", "takes": 1.0}, {"submitter": "b", "takes": 3.0}])
    other = write(tmp_path / "other.trace", [{"submitter": "a", "takes": 1.0, "error": "no"}, {"submitter": "c"}])
    compared = command("diff", one, other, "--context", "1")
    assert compared.exit_code == 1
    lines = [line.split() for line in compared.stdout.splitlines()]
    assert "They part at event 5: job with another name." in compared.stdout
    numbered = [line[:2] for line in lines if len(line) > 4 and line[-1].startswith("cache=")]
    assert numbered == [["4", "0"], ["A", "5"], ["B", "5"]]
    assert [line[:2] for line in lines if line[:1] in (["A"], ["B"]) and line[1] in ("5", "6")] == [
        ["A", "5"], ["A", "6"], ["B", "5"], ["B", "6"],
    ]  # fmt: skip
    assert "c" in prose(compared.stdout)


def test_other_numbers_of_ranks_and_ends_are_told(recorded, tmp_path):
    cut = tmp_path / "cut.trace"
    cut.write_bytes(b"".join(recorded.read_bytes().splitlines(keepends=True)[:100]))
    compared = command("diff", recorded, cut)
    assert "They part at event 100: B ends there." in compared.stdout
    assert "(the end)" in compared.stdout
    assert "They part at event 100: A ends there." in command("diff", cut, recorded).stdout
    one, other = (write(tmp_path / f"{n}.trace", [{}], ranks=n) for n in (2, 3))
    compared = command("diff", one, other)
    assert "ranks: 2 in A, 3 in B" in compared.stdout
    assert "pool with another ranks" in compared.stdout


def test_events_of_different_kinds_are_named(tmp_path):
    one = write(tmp_path / "one.trace", [{}], script=Script().rank(1, slower=2.0))
    other = write(tmp_path / "other.trace", [{}])
    assert "They part at event 1: A has fault, B has pool." in command("diff", one, other).stdout


def test_many_strategies_are_cut_short(tmp_path):
    one = write(tmp_path / "one.trace", [{"submitter": f"s{i}"} for i in range(20)])
    assert "and 4 that changed less" in command("diff", one, one).stdout


def test_absurd_numbers_of_ranks_and_times_are_shown_and_not_waited_for(tmp_path):
    trace = Trace({"ranks": 200_000, "hosts": ["h"]})
    late = 2**62
    trace.append(("pool", 0, "p", 200_000, False, ["main"]))
    trace.append(("job", 0, "p", 0, "F", "a", {}, [], []))
    trace.append(("status", 5, "p", 0, "queued", None, None))
    trace.append(("status", 5, "p", 0, "running", 199_999, None))
    trace.append(("message", late, "p", 199_999, 0, late - 10, late))
    trace.append(("status", late, "p", 0, "success", 199_999, None))
    path = tmp_path / "run.trace"
    trace.write(path)
    shown = command("show", path)
    assert "Makespan 4,611,686,018 s" in shown.stdout
    files = [tmp_path / name for name in ("run.html", "run.svg", "run.json")]
    assert command("show", path, "--html", files[0], "--svg", files[1], "--perfetto", files[2]).exit_code == 0
    assert all(file.stat().st_size < 200_000 for file in files)


@pytest.mark.unmeasured
def test_every_scenario_can_be_shown_in_every_way():
    shown = 0
    for path in sorted((ROOT / "scenarios").rglob("*.yaml")):
        if path.parent.name in ("large", "recordings"):
            continue
        trace = load(path).run(None).outcomes[0].trace
        history = History(trace)
        show_history(Console(file=io.StringIO(), width=100), path.name, history)
        assert page(history, path.name)
        assert ElementTree.fromstring(picture(history)).tag.endswith("svg")
        assert json.loads(perfetto_json(history, path.name))["traceEvents"]
        assert first_difference(trace, trace, times=True) is None
        shown += 1
    assert shown > 50


# -- efficiency ------------------------------------------------------------------------------------------


def rows_of(output):
    """The cells of the table of efficiencies."""
    return [line.split() for line in output.splitlines() if line.split()[-1:] in (["recorded"], ["if"])]


def test_efficiency_on_other_numbers_of_ranks_is_that_of_the_run_if_it_is_the_same(tmp_path):
    jobs = [{"submitter": "a", "takes": 1.0 + place % 3} for place in range(12)]
    path = write(tmp_path / "run.trace", jobs, ranks=4)
    done = command("show", path, "--efficiency", "2,4,13")
    assert done.exit_code == 0, done.output
    recorded, two, four, thirteen = rows_of(done.stdout)
    assert recorded[0] == four[0] == "4" and recorded[1:-1] == four[1:-2]
    assert two[0] == "2" and "100.0%" in two  # one worker never idles
    assert thirteen[1:3] == ["3.00", "s"]  # the longest job
    assert "Assumed: jobs take as long as they took" in prose(done.stdout)


@pytest.mark.parametrize(("numbers", "said"), [("0", "is no number of ranks"), ("4,", "is no number of ranks")])
def test_numbers_of_ranks_are_told_from_others(tmp_path, numbers, said):
    path = write(tmp_path / "run.trace", [{"submitter": "a"}])
    done = command("show", path, "--efficiency", numbers)
    assert done.exit_code == 2 and said in done.stderr


def test_efficiency_is_told_and_not_written(tmp_path):
    path = write(tmp_path / "run.trace", [{"submitter": "a"}])
    done = command("show", path, "--efficiency", "2", "--svg", tmp_path / "a.svg", "--html", tmp_path / "a.html")
    assert done.exit_code == 2 and "leave out --html and --svg" in done.stderr
    assert not (tmp_path / "a.html").exists()


def test_a_trace_without_a_pool_has_no_efficiency_on_other_ranks(tmp_path):
    Trace({"ranks": 2, "hosts": []}).write(tmp_path / "empty.trace")
    done = command("show", tmp_path / "empty.trace", "--efficiency", "4")
    assert done.exit_code == 2 and "empty.trace: " in done.stderr


# -- idle time -------------------------------------------------------------------------------------------


def test_idle_time_is_told_by_cause_and_rank_with_the_jobs_that_were_waited_for(tmp_path):
    first = {"submitter": "first", "takes": 3.0}
    path = write(tmp_path / "run.trace", [first, {"submitter": "then", "deps": [0], "takes": 2.0}], ranks=3)
    told = prose(command("show", path).stdout)
    assert "1 · · · 2 5.00 s 3.00 s 2.00 s" in told or "1 2.00 s · 2.00 s 2 3.00 s 3.00 s ·" in told
    assert "all 5.00 s 3.00 s 2.00 s share 100.0% 60.0% 40.0%" in told
    assert "first, job 0 on rank 1: 3.00 s" in told
    assert "Efficiency 50.0%: load balance 71.4%, serialisation 70.0%, transfer 100.0%, multiplied." in told


def test_where_no_rank_idles_there_is_no_table_of_idle_time(tmp_path):
    path = write(tmp_path / "run.trace", [{"submitter": "a"}, {"submitter": "a"}], ranks=2)
    assert "share" not in command("show", path).stdout
