"""Each check of `invariants` passes on what a real run left behind, and fails when a little of that is changed: none of
them is there for show. One line of `DOCTORED` is one lie about a run, and what the check has to say to it.
"""

import copy

import invariants
import pytest
from graphs import ITEMS, Cancel, Case, Fate, Listener, Node, Queue, Raise, Schedule, Wait, run

pytestmark = pytest.mark.unmeasured

#: Something of everything: 0 fails; 1 and 2 depend on it; 3 requires an item and 4 takes one in; 5 is cancelled; 6
#: loses its rank; 7 runs long; the next is handled, and the last comes from a scheduler, whose next node fails.
RICH = Case(
    ranks=4,
    steps=(
        Queue(ends="raises", takes=0.05),
        Queue(back=(1,)),
        Queue(back=(1,)),
        Queue(requires=(0,), uses=(0,), takes=0.05),
        Queue(uses=(1,), back=(1,)),
        Queue(back=(2,), value="never"),
        Cancel(5),
        Queue(takes=7.5),
        Queue(takes=1.0, value="long"),
        Schedule((Node((Wait(0.004), Queue(value="late", back=(1,)))), Node((Raise(),)))),
        Queue(ends="raises"),
        Queue(back=(3,), takes=0.05),
    ),
    listeners=(Listener("odd", 0.1), Listener()),
    fates=((3, Fate(dies=3.0)),),
)

#: Main raises in a listener, while a job waits and another runs.
STOPPED = Case(
    ranks=3,
    steps=(Queue(takes=1.0), Queue(back=(1,)), Queue(ends="raises")),
    listeners=(Listener("none", None, ((10, Raise()),)),),
)

#: All goes well.
FINE = Case(ranks=2, steps=(Queue(value="one"), Queue(back=(1,), value="two")))

CASES = {"rich": RICH, "stopped": STOPPED, "fine": FINE}
RUNS = {}


@pytest.fixture
def left():
    """What one of the cases left behind; a copy to doctor."""

    def give(name):
        if name not in RUNS:
            RUNS[name] = run(CASES[name])
        return copy.deepcopy(RUNS[name])

    return give


def change(run, job, status):
    """The event in which a job took that status."""
    return next(e for e in run.events if e["e"] == "status" and (e["job"], e["status"]) == (job, status))


def end(run, job):
    return run.ends()[job][1]


def said(run, word, listener=0):
    return run.heard[listener].index(word)


def insert_after(run, event, **changed):
    run.events.insert(run.events.index(event) + 1, {**event, **changed})


def move_first(run, job):
    """Let the end of a job come before anything of another."""
    for event in [e for e in run.events if e["e"] == "status" and e["job"] == job]:
        run.events.remove(event)
        run.events.append({**event, "t": run.events[-1]["t"]})


def move_to_end(run, job):
    """Let a job end as the last thing that happens."""
    event = end(run, job)
    run.events.remove(event)
    run.events.append(event)


def message(run, job):
    """The event in which main received the outcome of a job."""
    return next(e for e in run.events if e["e"] == "message" and e["job"] == job)


def closing(run):
    """The event in which the pool closed."""
    return next(e for e in run.events if e["e"] == "pool_status" and e["status"] == "closing")


def of_kind(run, kind):
    return next(e for e in run.events if e["e"] == kind)


DOCTORED = {
    # what the simulator holds against every trace
    "every_rule_of_the_trace_holds": [
        ("the trace goes back in time", "time goes back, from", "fine", lambda r: r.events[-1].update(t=-1)),
        ("a job has another's number", "job 5 is added as number 1", "fine", lambda r: r.events[4].update(job=5)),
        ("a job comes as the pool closes", "is added as the pool closes", "fine",
         lambda r: insert_after(r, closing(r), **{**r.events[4], "job": 2, "deps": ()})),
        ("a rule names a job that is not there", "names a job that is not there", "fine",
         lambda r: end(r, 1).update(job=9)),
        ("a job skips a status", "goes from pending to running", "fine",
         lambda r: r.events.remove(change(r, 1, "queued"))),
        ("a job ends after the pool has closed", "after the pool has closed", "fine", lambda r: move_to_end(r, 1)),
        ("a job is queued before its dependency ended", "is queued, and job 0, which it waits for", "fine",
         lambda r: r.events.remove(end(r, 0))),
        ("a job runs nowhere", "runs nowhere", "fine", lambda r: change(r, 0, "running").update(rank=None)),
        ("a job is given to a rank that is not there", "rank 1, which is not there", "fine",
         lambda r: r.events.remove(of_kind(r, "ready"))),
        ("a rank is ready twice", "is there a second time", "fine", lambda r: insert_after(r, of_kind(r, "ready"))),
        ("a job succeeds and no rank said so", "no rank said so", "fine",
         lambda r: r.events.remove(of_kind(r, "message"))),
        ("a rank tells of a job of another", "rank 2 tells of job 0", "fine",
         lambda r: of_kind(r, "message").update(rank=2)),
        ("a job took less than no time", "job 0 ran from 5 to 0", "fine",
         lambda r: of_kind(r, "message").update(started=5)),
        ("a job is aborted that has no limit", "not success or failed", "fine",
         lambda r: end(r, 0).update(status="aborted")),
        ("a dependent of a failed job goes on", "which it waits for, is failed", "rich",
         lambda r: r.events.remove(end(r, 1))),
        ("a job that may be queued is not", "all that it waits for has succeeded", "rich",
         lambda r: r.events.remove(change(r, 4, "queued"))),
        ("a cancelled job goes on all the same", "it is said to be cancelled", "rich",
         lambda r: r.events.remove(end(r, 5))),
        ("a job is cancelled that had ended", "is success, and is said to be cancelled", "fine",
         lambda r: insert_after(r, end(r, 0), e="cancel", reason=None, done=True)),
        ("main is lost", "rank 0 is lost", "rich", lambda r: of_kind(r, "lost").update(rank=0)),
        ("a lost job is another", "lost with rank 3, for the 1. time", "rich", lambda r: r.events.remove(end(r, 6))),
        ("a rank's word counts after it was lost", "its word on job 6 counts", "rich",
         lambda r: insert_after(r, of_kind(r, "lost"), e="message", job=6, started=0, ended=1)),
        ("a rank gives back what it has finished", "gives back job 0, which is success", "fine",
         lambda r: insert_after(r, end(r, 0), e="returned", rank=1, jobs=[0])),
        ("a rank is stuck in a job without a limit", "is not past its limit for long", "fine",
         lambda r: insert_after(r, change(r, 0, "running"), e="stuck")),
        ("a rank is to free what it does not hold", "which it does not hold", "rich",
         lambda r: of_kind(r, "freed").update(items=[1])),
        ("a rank is to free what is required", "which unfinished jobs require", "rich",
         lambda r: insert_after(r, change(r, 3, "running"), e="freed", job=3, items=[ITEMS[0]])),
        ("a rank keeps what nobody requires", "which nobody requires", "rich",
         lambda r: r.events.remove(of_kind(r, "freed"))),
        ("a rank holds an item in the end", "still holds", "rich",
         lambda r: r.events.remove([e for e in r.events if e["e"] == "freed"][-1])),
        ("a pool does not execute", "goes from scheduling to success", "fine",
         lambda r: r.events[5].update(status="success")),
        ("a pool does not close", r"execute\(\) ends, and it is executing", "fine",
         lambda r: r.events.remove(closing(r))),
        ("a pool closes and a job is running", "it closes, and job 1 is running", "fine",
         lambda r: r.events.remove(end(r, 1))),
        ("a pool pings after it has closed", "it pings after it has closed", "fine",
         lambda r: insert_after(r, closing(r), e="ping")),
        ("a node is scheduled after the pool has closed", "is being scheduled after", "rich",
         lambda r: insert_after(r, closing(r), e="scheduling", node="late", scheduler=0)),
        ("something comes after the end", "ping comes after its end", "fine",
         lambda r: insert_after(r, r.events[-1], e="ping")),
        ("a job is an error and succeeded", "is success, and counts as an error", "fine",
         lambda r: insert_after(r, end(r, 0), e="unhandled")),
        ("errors are forgotten", "there were errors that nobody handled", "rich",
         lambda r: r.events[-1].update(error=None)),
        ("a job is aborted as if something had stopped", "for no reason: nothing stopped", "rich",
         lambda r: (r.events.remove(message(r, 7)), end(r, 7).update(status="aborted"))),
        ("a pool stops for no reason", "it stops, and job 1 with it, for no reason", "stopped",
         lambda r: r.events.remove(of_kind(r, "raised"))),
    ],
    # 1
    "each_job_ends_once": [
        ("a job ends twice", "went from success to", "fine", lambda r: insert_after(r, end(r, 0), status="failed")),
        ("a job never ends", "was left running", "fine", lambda r: r.events.remove(end(r, 1))),
        ("a job is not queued before it runs", "went from pending", "fine",
         lambda r: r.events.remove(change(r, 1, "queued"))),
        ("a cancelled job goes on", "went from cancelled", "rich",
         lambda r: insert_after(r, end(r, 5), status="queued")),
        ("time goes back", "time goes back", "rich", lambda r: r.events[-1].update(t=0)),
    ],
    # 2
    "each_job_runs_once_after_its_dependencies": [
        ("a job runs again", "ran 2 times", "rich", lambda r: r.started.append(r.started[0])),
        ("a job runs on main", "main ran job", "rich", lambda r: r.started.__setitem__(0, (r.started[0][0], 0, 9))),
        ("a job runs on another rank", "main thinks on", "fine", lambda r: r.started.__setitem__(0, (0, 7, 8))),
        ("a job starts before its dependency ended", "before job 0 succeeded", "fine", lambda r: move_first(r, 0)),
        ("a job succeeds that never ran", "never ran", "fine", lambda r: r.started.pop()),
        ("a cancelled job ran", "main says it did not", "rich", lambda r: r.started.append((5, 1, len(r.events)))),
    ],
    # 3
    "only_what_must_be_is_cancelled": [
        ("a dependent runs none the less", "depends on", "rich", lambda r: end(r, 1).update(status="success")),
        ("a job is cancelled for no reason", "for no reason", "rich",
         lambda r: end(r, 7).update(status="cancelled", error="JobCancelledError: Job was cancelled")),
        ("a job is cancelled for a dependency that went well", "no dependency had failed", "rich",
         lambda r: end(r, 4).update(status="cancelled", error=invariants.BY_DEPENDENCY)),
        ("a job is cancelled as if the pool had stopped", "for no reason", "rich",
         lambda r: end(r, 7).update(status="cancelled", error="JobCancelledError: The pool stopped: so")),
        ("a request is said to be granted and is not", "was said to be cancelled", "rich",
         lambda r: r.requests.append((7, "reason 9", True))),
        ("a job is aborted and its rank is there", "its rank was not lost", "rich",
         lambda r: r.events.remove(of_kind(r, "lost")) or r.events.append({"e": "lost", "rank": 3, "error": ""})),
        ("a job is aborted and nothing stopped", "was aborted", "rich",
         lambda r: end(r, 7).update(status="aborted", error="JobAbortedError: The pool stopped: so")),
        ("a dependent is left as it was", "was not cancelled", "rich", lambda r: r.events.remove(end(r, 2))),
    ],
    # 4
    "each_change_is_announced_once": [
        ("a change is announced twice", "other changes", "rich",
         lambda r: [h.insert(said(r, word), word) for h in r.heard for word in [("job", 0, "queued", "running")]]),
        ("a change is not announced", "other changes", "rich",
         lambda r: [h.remove(("job", 0, "running", "failed")) for h in r.heard]),
        ("one listener does not hear of it", "something else than listener 0", "rich", lambda r: r.heard[1].pop(7)),
        ("two changes are announced the wrong way round", "other changes", "rich",
         lambda r: [h.append(h.pop(-2)) for h in r.heard]),
        ("a job's coming is not announced", "other jobs", "rich", lambda r: [h.remove(("added", 3)) for h in r.heard]),
        ("a job is announced after what became of it", "before it was added", "fine",
         lambda r: [(h.remove(("added", 1)), h.append(("added", 1))) for h in r.heard]),
        ("the old status is wrong", "other changes", "fine",
         lambda r: r.heard[0].__setitem__(said(r, ("job", 0, "queued", "running")), ("job", 0, "pending", "running"))),
        ("a ping is not told", "other changes", "rich", lambda r: [h.remove(("ping",)) for h in r.heard]),
    ],
    # 5
    "nothing_required_is_freed": [
        ("an item is freed that is required", "unfinished jobs require", "rich",
         lambda r: insert_after(r, change(r, 3, "running"), e="freed", job=3, items=[ITEMS[0]])),
        ("a rank frees without being told", "nobody had told it", "rich",
         lambda r: r.freed.__setitem__(0, (12, *r.freed[0][1:]))),
        ("a rank leaves and keeps an item", "still holds", "rich", lambda r: r.freed.pop()),
        ("a rank's owner leaves and keeps an item", "still holds", "rich", lambda r: r.still_cached.update({1: [5]})),
        ("a rank frees twice", "more often", "rich", lambda r: r.freed.append((len(r.events), *r.freed[-1][1:]))),
    ],
    "stale_items_are_freed_before_the_next_job": [
        ("a job comes without the order to free", "and keeps", "rich",
         lambda r: [e.update(items=[]) for e in r.events if e["e"] == "freed" and e["job"] is not None]),
    ],
    # 6
    "every_rank_leaves": [
        ("a rank does not leave", "rank 2 did not leave", "rich", lambda r: r.left.pop(2)),
        ("main does not leave", "rank 0 did not leave", "fine", lambda r: r.left.pop(0)),
        ("a worker does not know that all is not well", "does not know", "rich", lambda r: r.left.update({1: None})),
        ("a worker raises and all was well", "all went well", "fine", lambda r: r.left.update({1: ("raised", "?")})),
    ],
    # 7
    "exactly_the_unhandled_failures_are_raised": [
        ("a failure is missing", "other failures", "rich", lambda r: r.left[0][1].remove(("job", 0))),
        ("a lost job is missing", "other failures", "rich", lambda r: r.left[0][1].remove(("job", 6))),
        ("a failed node is missing", "other failures", "rich",
         lambda r: r.left[0][1].remove(next(p for p in r.left[0][1] if p[0] == "node"))),
        ("a failure is there twice", "other failures", "rich", lambda r: r.left[0][1].append(("job", 0))),
        ("a handled failure is there", "other failures", "rich", lambda r: r.handled.add(0)),
        ("nothing is raised", "other failures", "rich", lambda r: r.left.update({0: None})),
        ("what a listener raised is gone", "it is gone", "stopped", lambda r: r.left.update({0: None})),
        ("something else is raised", "another thing", "stopped", lambda r: r.left.update({0: ("raised", "other")})),
        ("a failure is not in the notes", "no note tells", "stopped", lambda r: r.notes.clear()),
        ("there were ranks left", "there were ranks left", "rich", lambda r: r.left[0][1].append(("nobody",))),
        ("main raises out of nothing", "nobody threw", "fine", lambda r: r.left.update({0: ("raised", "?")})),
    ],
    # 8
    "results_are_what_the_jobs_returned": [
        ("a result is another", "not what the jobs returned", "fine", lambda r: r.results.update({0: "other"})),
        ("a result is missing", "other results", "fine", lambda r: r.results.pop(1)),
        ("a failed job has a result", "other results", "rich", lambda r: r.results.update({0: 1})),
        ("execute returns something else", "returned something else", "fine", lambda r: r.returned.update({1: 2})),
        ("execute returns too little", "returned something else", "fine", lambda r: r.returned.pop(1)),
        ("execute returns nothing", "or neither", "fine", lambda r: setattr(r, "returned", None)),
        ("a job succeeded that raised", "succeeded", "fine", lambda r: r.answers.update({0: ("raised", "E")})),
        ("a job failed that returned", "it did not", "rich", lambda r: r.answers.update({0: ("returned", 1)})),
        ("a job failed with another error", "for another reason", "rich",
         lambda r: r.answers.update({0: ("raised", "Error")})),
        ("a result came over the wire that can't", "nothing can carry it", "fine", lambda r: r.untold.add(0)),
        ("a job failed for being untold, and says something else", "for another reason", "rich",
         lambda r: r.untold.add(0)),
    ],
}  # fmt: skip

LIES = [(check, *lie) for check, lies in DOCTORED.items() for lie in lies]


@pytest.mark.parametrize("name", CASES)
def test_a_run_as_it_was_passes_all_checks(left, name):
    invariants.check(left(name))


@pytest.mark.parametrize(("check", "lie", "says", "name", "doctor"), LIES, ids=[lie[1] for lie in LIES])
def test_a_check_finds_out(left, check, lie, says, name, doctor):
    run = left(name)
    doctor(run)
    with pytest.raises(AssertionError, match=says):
        getattr(invariants, check)(run)


def test_every_check_is_put_to_the_test():
    assert [check.__name__ for check in invariants.CHECKS] == list(DOCTORED)


def test_the_rich_run_has_something_of_everything(left):
    run = left("rich")
    statuses = {job: change["status"] for job, (_, change) in run.ends().items()}
    assert set(statuses.values()) == {"success", "failed", "cancelled", "aborted"}
    assert {"cached", "freed", "lost", "ping", "scheduled", "fault", "cancel"} <= {e["e"] for e in run.events}


def test_another_trace_is_not_the_same_run(left):
    one, other = left("fine"), left("fine")
    invariants.same_run(one, other)
    other.lines[3] = other.lines[3].replace('"t":0', '"t":1')
    with pytest.raises(AssertionError, match="had another trace, from number 3 on"):
        invariants.same_run(one, other)
    other = left("fine")
    other.heard[0].pop()
    with pytest.raises(AssertionError, match="left something else behind"):
        invariants.same_run(one, other)
