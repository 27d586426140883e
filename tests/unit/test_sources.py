"""Each source of time, chance and identity is virtual, refused, or listed as a hole; the virtual ones repeat."""

import asyncio
import contextlib
import datetime
import gc
import importlib
import json
import os
import platform
import queue
import random
import re
import resource
import sched
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import uuid
from pathlib import Path

import pytest

from bsbpool_sim import CannotSimulateError, DeadlockError, RankErrors, simulate
from bsbpool_sim.sources import HARMLESS, TABLE, WALKED, Treatment, is_harmless, row_of
from bsbpool_sim.virtual import EPOCH, VIRTUAL

PAGE = Path(__file__).parents[2] / "docs" / "virtual.md"


def run(function, ranks=1, **options):
    return simulate(lambda comm: function(), ranks, **options).results[0]


# -- the table is complete -------------------------------------------------------------------------------


def public(module):
    """The names of the functions and classes that a module offers, but for errors."""
    names = getattr(module, "__all__", None) or dir(module)
    found = {name: getattr(module, name, None) for name in names if not name.startswith("_")}
    return [
        name
        for name, value in found.items()
        if callable(value) and not (isinstance(value, type) and issubclass(value, BaseException))
    ]


@pytest.mark.parametrize("name", WALKED)
def test_all_that_a_module_offers_was_decided(name):
    module = importlib.import_module(name)
    offered = [f"{name}.{each}" for each in public(module)]
    assert [each for each in offered if row_of(each) is None and not is_harmless(each)] == []


@pytest.mark.parametrize("kind", [datetime.datetime, datetime.date])
def test_all_that_a_date_can_be_made_from_was_decided(kind):
    """Only what is made of no date, or what is made of one without its zone, asks the machine."""
    made = {name for name, value in vars(kind).items() if isinstance(value, types.ClassMethodDescriptorType)}
    harmless = {"combine", "fromisoformat", "fromisocalendar", "fromordinal", "strptime", "utcfromtimestamp"}
    decided = {each.rpartition(".")[2] for each in VIRTUAL if each.startswith(f"datetime.{kind.__name__}.")}
    assert made - harmless <= decided | {"today"}


def test_nothing_is_decided_twice():
    names = [name for row in TABLE for name in row.names]
    twice = {name for name in names if names.count(name) > 1}
    assert twice == set()
    assert [f"{m}.{n}" for m, ns in HARMLESS.items() for n in ns.split() if f"{m}.{n}" in names] == []


def test_what_is_replaced_is_virtual_by_the_table():
    inner = ("random._urandom", "random.Random.seed", "tempfile._get_candidate_names", "queue.time", "threading._time")
    assert [name for name in VIRTUAL if name not in inner and row_of(name).kind is not Treatment.VIRTUAL] == []


def table_of(kind):
    """The rows of a kind, as the page has them."""
    rows = [f"| {', '.join(f'`{name}`' for name in row.names)} | {row.what} |" for row in TABLE if row.kind is kind]
    return "\n".join([f"| {kind.value} | |", "|---|---|", *rows])


@pytest.mark.parametrize("kind", Treatment)
def test_the_page_has_the_table(kind):
    assert table_of(kind) in PAGE.read_text(), f"docs/virtual.md needs:\n\n{table_of(kind)}"


# -- what is virtual -------------------------------------------------------------------------------------

#: Ways to ask for what is virtual; each gives something that JSON can hold.
ASKED = {
    "time": lambda: [
        getattr(time, name)() for name in ("monotonic", "perf_counter_ns", "process_time", "thread_time_ns", "time")
    ],
    "os.times": lambda: list(os.times()),
    "resource.getrusage": lambda: list(resource.getrusage(0)),
    "clock_gettime": lambda: [time.clock_gettime(time.CLOCK_REALTIME), time.clock_gettime_ns(time.CLOCK_MONOTONIC)],
    "clock_info": lambda: [str(time.get_clock_info("time")), time.clock_getres(time.CLOCK_REALTIME)],
    "local": lambda: [*time.localtime(), time.localtime().tm_zone, *time.gmtime(), time.mktime(time.localtime())],
    "texts": lambda: [time.ctime(), time.asctime(), time.strftime("%c %Z"), time.strftime("%Z", (2001,) + (1,) * 8)],
    "now": lambda: [
        str(datetime.datetime.now()), str(datetime.datetime.today()), str(datetime.date.today()),
        str(datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=2)))),
        str(datetime.datetime.now().astimezone()), datetime.datetime.now().timestamp(),
        str(datetime.datetime.fromtimestamp(5)), str(datetime.date.fromtimestamp(5)),
    ],
    "random": lambda: [random.random(), random.Random().random(), random.SystemRandom().random(), random.randrange(9)],
    "random.seed": lambda: [random.seed(), random.random()],
    "urandom": lambda: [os.urandom(4).hex(), secrets.token_hex(4), secrets.randbelow(1000)],
    "uuid": lambda: [str(uuid.uuid4()), str(uuid.uuid1()), str(uuid.uuid1()), uuid.getnode()],
    "process": lambda: [os.getpid(), os.getppid(), threading.get_ident(), threading.get_native_id()],
    "thread": lambda: [threading.current_thread().name, threading.current_thread().ident],
    "host": lambda: [socket.gethostname(), socket.getfqdn(), os.uname().nodename, platform.node()],
    "machine": lambda: [os.cpu_count(), sorted(os.sched_getaffinity(0)), os.getloadavg()],
    "tempfile": lambda: [named() for _ in range(3)],
}  # fmt: skip


def named():
    with tempfile.NamedTemporaryFile(prefix="bsbpool-test-sources-") as file:
        return os.path.basename(file.name)


def ask():
    """Ask for everything on three ranks, and let time pass between."""

    def program(comm):
        said: list = []
        for _ in range(2):
            time.sleep(1.5 + comm.rank)
            said.append({name: asked() for name, asked in ASKED.items()})
        with contextlib.suppress(ImportError):
            import numpy

            said.append([numpy.random.rand(), numpy.random.default_rng().random(), numpy.random.RandomState().rand()])
        return said

    return simulate(program, 3, seed=4).results


@pytest.mark.unmeasured
@pytest.mark.parametrize("before", ["", "import numpy.random, queue, uuid, tempfile, secrets"])
def test_all_that_is_virtual_is_the_same_in_another_process(before):
    here = json.loads(json.dumps(ask()))
    code = f"{before}\nimport json, test_sources\nprint(json.dumps(test_sources.ask()))"
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": paths, "TZ": "Pacific/Auckland"},
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    there = json.loads(said.stdout)
    for mine, theirs in zip(here, there, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            assert one == other


def test_ranks_draw_apart_and_seeds_differ():
    def program(comm):
        return str(uuid.uuid4()), random.Random().random(), os.getpid(), threading.get_ident(), str(uuid.uuid1())

    first, second = simulate(program, 2).results
    assert not set(first) & set(second)
    assert simulate(program, 1, seed=5).results[0][:2] != first[:2]


def test_values_of_clocks_and_calendars():
    def program():
        time.sleep(86400.5)
        return (
            os.times().elapsed, time.clock_gettime(time.CLOCK_REALTIME), time.ctime(),
            time.strftime("%Y-%m-%d %H:%M:%S"), time.localtime()[:6], time.mktime(time.gmtime()),
            datetime.datetime.now(), datetime.date.today(), datetime.datetime.now(datetime.UTC).timestamp(),
        )  # fmt: skip

    noon = (2000, 1, 2, 0, 0, 0)
    assert run(program) == (
        86400.5, EPOCH + 86400.5, "Sun Jan  2 00:00:00 2000", "2000-01-02 00:00:00", noon, EPOCH + 86400,
        datetime.datetime(2000, 1, 2, 0, 0, 0, 500000), datetime.date(2000, 1, 2), EPOCH + 86400.5,
    )  # fmt: skip


def test_dates_are_of_the_class_that_was_asked():
    class Mine(datetime.datetime):
        pass

    class Day(datetime.date):
        pass

    made = run(
        lambda: (Mine.now(), Mine.utcnow(), Mine.today(), Mine.fromtimestamp(3), Day.today(), Day.fromtimestamp(3))
    )
    assert [type(each) for each in made] == [Mine] * 4 + [Day] * 2
    assert made[3] == datetime.datetime(1970, 1, 1, 0, 0, 3)


def test_texts_are_read_as_dates():
    """Python asks for the zone of the process then, the first time."""
    code = """
from bsbpool_sim import simulate
def program(comm):
    import datetime
    return str(datetime.datetime.strptime("2020-05-17 UTC", "%Y-%m-%d %Z"))
print(simulate(program, 1).results)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert said.stdout == "['2020-05-17 00:00:00']\n", said.stderr


def test_times_that_were_given_stay_what_they_are():
    def program():
        given = datetime.datetime(2020, 5, 17, 12, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=-3)))
        return (
            given.timestamp(),
            given.astimezone(datetime.UTC).hour,
            time.gmtime(1e9)[:6],
            time.strftime("%H", given.timetuple()),
        )

    assert run(program) == (1589729400.0, 15, (2001, 9, 9, 1, 46, 40), "12")


@pytest.mark.parametrize(
    "ask",
    [lambda: time.clock_gettime(999), lambda: time.mktime((1, 2)), lambda: time.clock_getres(999)],  # type: ignore[arg-type]
)
def test_what_the_real_one_refuses_is_refused(ask):
    with pytest.raises(RankErrors) as caught:
        run(ask)
    assert isinstance(caught.value.by_rank[0], OSError | TypeError | ValueError)


def test_a_seed_that_is_given_holds():
    assert run(lambda: random.Random(3).random()) == random.Random(3).random()

    def program():
        random.seed(8)
        return random.random()

    assert run(program) == random.Random(8).random()


def test_the_generators_of_numpy_are_seeded_and_put_back():
    numpy = pytest.importorskip("numpy")
    numpy.random.seed(3)
    numpy.random.normal()  # leaves half of what it drew
    before = numpy.random.get_state(legacy=False)
    first = run(lambda: (numpy.random.rand(), numpy.random.default_rng().random()))
    assert first == run(lambda: (numpy.random.rand(), numpy.random.default_rng().random()))
    assert first != run(lambda: (numpy.random.rand(), numpy.random.default_rng().random()), seed=1)
    assert str(numpy.random.get_state(legacy=False)) == str(before)


# -- waiting ---------------------------------------------------------------------------------------------


def waits_for_a_queue():
    with pytest.raises(queue.Empty):
        queue.Queue().get(timeout=5)


def waits_for_room():
    full = queue.Queue(maxsize=1)
    full.put(1)
    with pytest.raises(queue.Full):
        full.put(2, timeout=5)


def waits_for_a_condition():
    condition = threading.Condition()
    with condition:
        assert not condition.wait_for(lambda: False, timeout=5)


def runs_a_scheduler():
    scheduler, done = sched.scheduler(), []
    scheduler.enter(5, 1, done.append, (1,))
    scheduler.run()
    assert done == [1]


def waits_for_a_barrier():
    with pytest.raises(threading.BrokenBarrierError):
        threading.Barrier(2).wait(5)


@pytest.mark.parametrize(
    "wait",
    [
        waits_for_a_queue,
        waits_for_room,
        waits_for_a_condition,
        waits_for_a_barrier,
        runs_a_scheduler,
        lambda: threading.Event().wait(5),
        lambda: threading.Semaphore(0).acquire(timeout=5),
        lambda: threading.BoundedSemaphore(0).acquire(timeout=5),
        lambda: select.select([], [], [], 5),
    ],
)
def test_who_waits_with_a_limit_waits_in_virtual_time(wait):
    def program():
        wait()
        return time.monotonic()

    assert run(program) == 5


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", ["", "import queue"])
def test_a_queue_waits_in_virtual_time_wherever_it_was_first_imported(first):
    code = f"""{first}
from bsbpool_sim import simulate
def program(comm):
    import queue, time
    try:
        queue.Queue().get(timeout=3600)
    except queue.Empty:
        return time.monotonic()
print(simulate(program, 1).results)"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert said.stdout == "[3600.0]\n", said.stderr


def test_ranks_wake_each_other():
    line, done = queue.Queue(), threading.Event()

    def program(comm):
        if comm.rank == 0:
            got = [line.get() for _ in range(3)]
            done.set()
            return got, time.monotonic()
        if comm.rank == 1:
            for number in range(3):
                time.sleep(2)
                line.put(number)
        assert done.wait(timeout=100)
        return time.monotonic()

    assert simulate(program, 3).results == [([0, 1, 2], 6), 6, 6]


def test_a_condition_whose_lock_another_keeps_is_waited_for():
    condition = threading.Condition(threading.Lock())

    def program(comm):
        with condition:
            if comm.rank == 0:
                condition.wait(timeout=1)
            else:
                time.sleep(3)
        return time.monotonic()

    first, second = simulate(program, 2).results
    assert second == 3
    assert 3 <= first < 3.01


def test_who_waits_for_nobody_is_in_a_deadlock():
    with pytest.raises(DeadlockError, match=r"rank 0 waits for an item of a queue, since 0 s"):
        run(lambda: queue.Queue().get())


def test_a_condition_wants_its_lock():
    with pytest.raises(RankErrors, match="un-acquired lock"):
        run(lambda: threading.Condition().wait())


# -- what is refused -------------------------------------------------------------------------------------

REFUSED = {
    "time.clock_settime": lambda: time.clock_settime(time.CLOCK_REALTIME, 0),
    "time.clock_settime_ns": lambda: time.clock_settime_ns(time.CLOCK_REALTIME, 0),
    "signal.alarm": lambda: signal.alarm(1),
    "signal.setitimer": lambda: signal.setitimer(signal.ITIMER_REAL, 1),
    "signal.pause": lambda: signal.pause(),
    "signal.sigwait": lambda: signal.sigwait([signal.SIGUSR1]),
    "signal.sigtimedwait": lambda: signal.sigtimedwait([signal.SIGUSR1], 1),
    "signal.sigwaitinfo": lambda: signal.sigwaitinfo([signal.SIGUSR1]),
    "signal.raise_signal": lambda: signal.raise_signal(signal.SIGKILL),
    "signal.pthread_kill": lambda: signal.pthread_kill(threading.get_ident(), signal.SIGKILL),
    "signal.pidfd_send_signal": lambda: signal.pidfd_send_signal(0, signal.SIGKILL),
    "os.killpg": lambda: os.killpg(os.getpid(), signal.SIGKILL),
    "os.pidfd_open": lambda: os.pidfd_open(1),
    "os.timerfd_create": lambda: os.timerfd_create(0),  # type: ignore[attr-defined]
    "os.wait": lambda: os.wait(),
    "os.waitpid": lambda: os.waitpid(-1, 0),
    "os.waitid": lambda: os.waitid(os.P_ALL, 0, os.WEXITED),
    "os.wait3": lambda: os.wait3(0),
    "os.wait4": lambda: os.wait4(-1, 0),
    "select.poll": lambda: select.poll(),
    "select.epoll": lambda: select.epoll(),
    "select.kqueue": lambda: select.kqueue(),  # type: ignore[attr-defined]
    "select.select": lambda: select.select([0], [], [], 0),
    "os.kill": lambda: os.kill(1, 0),
    "os.kill of itself": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "asyncio": lambda: asyncio.run(asyncio.open_connection("localhost", 1)),
    "socket.socketpair": lambda: socket.socketpair(),
    "socket.gethostbyname": lambda: socket.gethostbyname("localhost"),
    "socket.create_connection": lambda: socket.create_connection(("localhost", 1)),
}


@pytest.mark.filterwarnings("ignore")  # half of an event loop is left, and thrown away some time later
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_so(name):
    module, _, attribute = name.partition(".")
    if attribute and " " not in name and not hasattr(importlib.import_module(module), attribute):
        return  # not on this system, or in this Python
    with pytest.raises(RankErrors, match=r"simulated rank 0 (called|tried to start) ") as caught:
        run(REFUSED[name])
    assert isinstance(caught.value.by_rank[0], CannotSimulateError)
    del caught
    gc.collect()


def test_all_that_is_refused_by_name_is_tried():
    assert {name for row in TABLE if row.refused_by_name for name in row.names} <= set(REFUSED)


@pytest.mark.parametrize("end", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(3), lambda: os.abort()])
def test_a_rank_that_ends_its_process_dies(end):
    def program(comm):
        time.sleep(1)
        if comm.rank == 1:
            try:
                end()
            finally:
                comm.send("never", 0)
        return comm.rank

    simulation = simulate(program, 2)
    assert simulation.results == [0, None]
    assert simulation.died == {1: 1.0}


# -- nothing changes outside -----------------------------------------------------------------------------

WATCHED = [
    time,
    datetime,
    random,
    os,
    uuid,
    tempfile,
    socket,
    threading,
    queue,
    select,
    signal,
    sched,
    sys.modules["platform"],
]


def snapshot():
    kinds = [datetime.datetime, datetime.date, random.Random, threading.Condition, threading.Thread]
    spaces = [dict(vars(each)) for each in (*WATCHED, *kinds)]
    return spaces, sched.scheduler.__init__.__defaults__, list(sys.meta_path)


@pytest.mark.parametrize("program", [lambda: None, lambda: 1 / 0, lambda: queue.Queue().get(), lambda: os._exit(1)])
def test_all_is_put_back(program):
    run(lambda: None)
    before = snapshot()
    with contextlib.suppress(RankErrors, DeadlockError):
        run(program)
    assert snapshot() == before


def test_other_threads_have_the_real_ones_meanwhile():
    go, done = threading.Lock(), threading.Lock()
    seen: dict = {}
    go.acquire()
    done.acquire()

    def other():
        go.acquire()
        seen["now"] = datetime.datetime.now(), time.time(), datetime.datetime.fromtimestamp(0), datetime.date.today()
        seen["me"] = os.getpid(), threading.get_ident(), threading.current_thread().name, socket.gethostname()
        seen["chance"] = os.urandom(8), uuid.uuid4(), random.Random().random()
        try:
            queue.Queue().get(timeout=0.001)
        except queue.Empty:
            seen["waited"] = True
        done.release()

    thread = threading.Thread(target=other, name="other")
    thread.start()
    before = datetime.datetime.fromtimestamp(0), os.getpid(), socket.gethostname()

    def program():
        go.release()
        done.acquire()  # a real lock: all ranks wait, and the other thread runs
        return os.getpid(), str(datetime.date.today())

    assert run(program) == (1000, "2000-01-01")
    thread.join()
    assert seen["waited"]
    assert seen["now"][0].timestamp() == pytest.approx(seen["now"][1], abs=60)
    assert seen["now"][1] > EPOCH * 1.5
    assert seen["now"][2] == before[0]
    assert seen["now"][3].year > 2020
    assert seen["me"][0] == before[1]
    assert seen["me"][1] != 1000
    assert seen["me"][2:] == ("other", before[2])
    assert len({*seen["chance"], *(os.urandom(8), uuid.uuid4())}) == 5


def test_chance_is_put_back_when_simulations_overlap():
    from bsbpool_sim.python.chance import global_generators

    before = random.getstate()
    first, second = global_generators(1), global_generators(2)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert random.getstate() == before


def test_names_of_the_page_are_words():
    assert not [name for row in TABLE for name in row.names if not re.fullmatch(r"[\w.]+\*?", name)]
