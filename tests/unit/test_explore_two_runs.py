"""A finding is shown beside the nearest run that passes: in the terminal, as data, and on a page."""

import json
import re
import time
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from launching import run

import bsbpool
from bsbpool_sim import RankErrors, Script, explore, simulate
from bsbpool_sim.exploring.delays import said
from bsbpool_sim.exploring.delays import script as script_of
from bsbpool_sim.exploring.findings_page import findings_page
from bsbpool_sim.exploring.kept import lines_of
from bsbpool_sim.exploring.side_by_side import lines_of_two
from bsbpool_sim.exploring.steps import CHOICE, FAULT, SENDS, TAKES, TOLD
from bsbpool_sim.scenario.fault_files import load_faults


def racing(comm):
    """Fails if rank 2 is heard first."""
    if comm.rank == 0:
        comm.recv(source=3)
        first, _ = comm.recv(), comm.recv()
        if first != 1:
            raise ValueError("rank 2 was first")
    else:
        comm.send(comm.rank, 0)


def only(exploration):
    (finding,) = exploration.findings
    return finding


def test_both_runs_are_the_same_up_to_the_choice_that_decides():
    finding = only(explore(racing, 4))
    runs = finding.runs
    assert [step.kind for step in runs.before] == [SENDS, SENDS, SENDS, TAKES]
    assert [step.kind for step in runs.failing] == [CHOICE, TAKES]
    assert runs.failing[0].text == "recv of rank 0 takes the message of rank 2 with tag 0"
    assert runs.passing[0].text == "recv of rank 0 takes the message of rank 1 with tag 0"
    assert (runs.passes, runs.fails) == ("all ends well", "failure: rank 0 raised ValueError: rank 2 was first")
    assert simulate(racing, 4, tape=runs.tape, late_matching=True).results == [None] * 4


def second_first(comm):
    """Fails unless the message of rank 2 is taken first, which by default that of rank 1 is."""
    if comm.rank == 0:
        assert comm.recv() == 2
        comm.recv()
    else:
        comm.send(comm.rank, 0)


def test_what_fails_by_default_has_a_run_that_passes_too():
    finding = only(explore(second_first, 3))
    assert finding.tape.departures == {}
    assert finding.runs.failing[0].text == "recv of rank 0 takes the message of rank 1 with tag 0"
    assert finding.runs.tape.departures == {0: 1}


def test_what_fails_in_each_order_has_none():
    def program(comm):
        if comm.rank == 0:
            comm.recv(), comm.recv()
            raise ValueError("in any order")
        comm.send(comm.rank, 0)

    assert only(explore(program, 3)).runs is None


def test_what_relies_on_buffers_is_shown_with_and_without_them():
    def program(comm):
        comm.send(comm.rank, 1 - comm.rank)
        comm.recv()

    runs = only(explore(program, 2)).runs
    assert runs.buffered
    assert runs.passes == "all ends well"
    assert [step.kind for step in runs.passing] == [TAKES, TAKES]
    assert runs.failing == ()


def test_collective_calls_are_steps_with_their_lines():
    def program(comm):
        comm.barrier()
        if comm.rank == 0:
            assert comm.recv() == 1
            comm.recv()
        else:
            comm.send(comm.rank, 0)

    runs = only(explore(program, 3)).runs
    calls = [step for step in runs.before if step.text == "rank 1 calls barrier"]
    line = program.__code__.co_firstlineno + 1
    assert [step.where for step in calls] == [f"{__file__}:{line}"]


@pytest.mark.unwatched
def test_a_fault_and_what_a_pool_tells_of_it_are_steps(monkeypatch):
    from bsbpool.engine.failure import Failures

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.queue(lambda owner: None, submitter="a job")
            pool.execute()

    monkeypatch.setattr(Failures, "runs_again", lambda self, *args: True)
    exploration = explore(program, 3, faults=1)
    runs = next(each.runs for each in exploration.findings if each.kind == "invariant")
    kinds = [step.kind for step in runs.failing]
    assert FAULT in kinds
    assert TOLD in kinds
    assert any(step.text.endswith("dies before it sends to rank 0") for step in runs.failing)
    assert any("is lost" in step.text for step in runs.failing)


def test_the_two_runs_stand_side_by_side_within_the_columns():
    lines = [" " * indent + text for indent, text in lines_of_two(only(explore(racing, 4)).runs, 100)]
    assert max(map(len, lines)) <= 100
    bars = [line.index("│") for line in lines if "│" in line]
    assert len({*bars}) == 1
    (top,) = [line for line in lines if "┬" in line]
    assert top.index("┬") == bars[0]
    first = lines[lines.index(top) + 1]
    assert [part.strip() for part in first.split("│")] == ["passes", "fails"]


def test_of_long_runs_only_the_nearest_steps_are_shown():
    def program(comm):
        for _ in range(30):
            comm.barrier()
        if comm.rank == 0:
            assert comm.recv() == 1
            comm.recv()
        else:
            comm.send(comm.rank, 0)
        for _ in range(30):
            comm.barrier()

    runs = only(explore(program, 3)).runs
    lines = [text for _, text in lines_of_two(runs, 120)]
    assert "90 steps that both have, and then" in lines
    assert len(runs.passing) > 60
    assert sum(f"and {len(runs.passing) - 11} steps more" in line for line in lines) == 1
    assert len(lines) < 30


def test_the_page_has_both_runs_drawn_and_nothing_of_a_message_is_markup():
    def program(comm):
        if comm.rank == 0:
            first = comm.recv()
            comm.recv()
            if first != 1:
                raise ValueError("<script>alert(1)</script>")
        else:
            comm.send(comm.rank, 0)

    exploration = explore(program, 3)
    text = findings_page([("<b>it</b>", exploration, lambda finding: f"again {finding.tape}")])
    assert "<script" not in text
    assert "<b>" not in text
    assert "again v1:0.1" in text
    passing, failing = (ElementTree.fromstring(each) for each in re.findall(r"<svg.*?</svg>", text))
    for chart, first in ((passing, 1), (failing, 2)):
        words = ["".join(each.itertext()) for each in chart.iter("text")]
        assert words[:3] == ["0", "1", "2"], "a lane for each rank"
        assert any(f"takes the message of rank {first} with tag 0" in each for each in words)
        assert len([each for each in chart.iter("path") if each.get("class") == "arrow"]) == 2
    ends = re.findall(r'<p class="end">→ (.*?)</p>', text)
    said = "failure: rank 0 raised ValueError: &lt;script&gt;alert(1)&lt;/script&gt;"
    assert ends == ["all ends well", said]


SCRIPT = """\
from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 0:
    first = comm.recv()
    second = comm.recv(source=2)
else:
    comm.send(comm.rank, 0)
"""


@pytest.mark.unwatched
def test_the_command_writes_data_and_a_page(tmp_path):
    (tmp_path / "race.py").write_text(SCRIPT, encoding="utf-8")
    options = ["--json", "race.json", "--html", "race.html"]
    status, out, err = run(program=["-m", "bsbpool", "explore", "-n", "3", *options, "race.py"], cwd=tmp_path)
    assert (status, err) == (1, "")
    assert "The nearest run that passes, and this one:" in out
    (finding,) = json.loads((tmp_path / "race.json").read_text())["findings"]
    runs = finding["runs"]
    assert runs["passing"][0]["text"] == "recv of rank 0 takes the message of rank 1 with tag 0"
    assert runs["tape"] == "v1:"
    text = (tmp_path / "race.html").read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert "bsbpool simulate --late-matching --tape v1:0.1 -n 3 race.py" in text


# -- in time -------------------------------------------------------------------------------------------


def test_the_least_delay_with_which_it_happens_in_time_is_told_and_shows_it():
    finding = only(explore(racing, 4))
    assert finding.delays == ((1, 0, 1_000_000),)
    assert said(finding.delays) == "In time it happens if messages from rank 1 to rank 0 take 1ms longer."
    with pytest.raises(RankErrors, match="rank 2 was first"):
        simulate(racing, 4, script=Script().link(1, 0, delay=0.001))


def test_a_race_whose_messages_lie_an_hour_apart_takes_an_hour():
    def program(comm):
        if comm.rank == 0:
            assert comm.recv() == 1
            comm.recv()
        elif comm.rank == 1:
            comm.send(1, 0)
        else:
            time.sleep(3600)
            comm.send(2, 0)

    ((source, dest, ns),) = only(explore(program, 3)).delays
    assert (source, dest) == (1, 0)
    assert 3600 <= ns / 1e9 <= 3640


def test_several_links_are_delayed_where_one_is_not_enough():
    def program(comm):
        if comm.rank == 0:
            assert [comm.recv() for _ in range(3)] != [3, 2, 1]
        else:
            comm.send(comm.rank, 0)

    delays = only(explore(program, 4)).delays
    assert [(source, dest) for source, dest, _ in delays] == [(2, 0), (1, 0)]
    script = Script()
    for source, dest, ns in delays:
        script.link(source, dest, delay=ns / 1e9)
    with pytest.raises(RankErrors):
        simulate(program, 4, script=script)


def test_what_happens_in_time_anyhow_is_said():
    finding = only(explore(second_first, 3))
    assert finding.delays == ()
    assert said(finding.delays) == "In time it happens without any delay."


def test_the_script_is_one_that_the_command_takes(tmp_path):
    finding = only(explore(racing, 4))
    (tmp_path / "delays.yaml").write_text(script_of(finding.delays), encoding="utf-8")
    script = load_faults(str(tmp_path / "delays.yaml"), 4)
    with pytest.raises(RankErrors, match="rank 2 was first"):
        simulate(racing, 4, script=script)


def a_lost_job(comm):
    """Rank 0 puts a job into a queue after its thread has found the queue empty."""
    import queue
    import threading
    from concurrent.futures import Future

    if comm.rank:
        while (job := comm.recv(source=0)) is not None:
            comm.send(job, 0)
        return
    busy, waiting = [], queue.SimpleQueue()

    def work(job, future):
        comm.send(job, 1)
        future.set_result(comm.recv(source=1))
        try:
            work(*waiting.get(block=False))
        except queue.Empty:
            busy.clear()

    def submit(job):
        future = Future()
        if busy:
            waiting.put((job, future))
        else:
            busy.append(job)
            threading.Thread(target=work, args=(job, future), name="giver").start()
        return future

    for future in [submit(1), submit(2)]:
        future.result()
    comm.send(None, 1)


def test_choices_between_threads_name_them_where_only_one_is_meant():
    finding = explore(a_lost_job, ranks=2).findings[0]
    assert finding.kind == "deadlock"
    texts = [choice.text for choice in finding.choices]
    assert any("giver" in text and "program" in text for text in texts)
    assert not any("a thread goes on" in text for text in texts)


def test_what_was_not_made_small_is_not_said_to_happen_by_default():
    finding = explore(racing, ranks=4).findings[0]
    assert finding.tape.departures
    shown = [line for _, line in lines_of(replace(finding, choices=()), lambda _: "", runs=False)]
    assert len(finding.tape.departures) == 1
    assert "It takes 1 choice at most: there was no time to find out which." in shown
    assert not any("by default" in line for line in shown)
    by_default = replace(finding, choices=(), tape=type(finding.tape)())
    assert "It happens by default, without any choice." in [line for _, line in lines_of(by_default, lambda _: "")]
