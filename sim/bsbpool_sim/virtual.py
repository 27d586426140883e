"""The substitutes that a simulated rank gets for the real sources of time, chance and identity.

There is a function for each source, with the same name; it is called with the rank's task and the program's arguments.
`sources` lists the sources, and `substitutes` installs these functions for simulated ranks only.
"""

from __future__ import annotations

import datetime
import functools
import operator
import os
import random
import signal
import sys
import tempfile
import time
import types
import uuid
from collections.abc import Callable, Iterator
from platform import uname_result
from typing import Any, TypeVar

from bsbpool.frames import outward

from .errors import CannotSimulateError
from .kernel import SECOND, Task, nanoseconds
from .places import OwnEnd, place_of
from .random_streams import Random, stream
from .thread_turns import GOES_ON, GOING_ON, step

#: What `time.time` gives at virtual time 0: 2000-01-01, 00:00 UTC.
EPOCH = 946_684_800

#: The number of rank 0's process, and of its main thread.
FIRST_PROCESS = 1000

#: The key of what tells whether a module's namespace is a rank's own, in what the rank keeps; without it, none is.
OWNS = "owns"

VIRTUAL: dict[str, Callable[..., Any]] = {}

#: What they stand for, by name, while it is replaced. `substitutes` fills it in.
real: dict[str, Any] = {}

_F = TypeVar("_F", bound=Callable[..., Any])


def _for(*names: str) -> Callable[[_F], _F]:
    def keep(function: _F) -> _F:
        VIRTUAL.update(dict.fromkeys(names, function))
        return function

    return keep


# -- clocks ----------------------------------------------------------------------------------------------


@_for("time.sleep")
def _sleep(task: Task, seconds: float, /) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    task.kernel.count_work()
    if not seconds:
        # Others run, and an event is counted: a loop of such sleeps meets the horizon.
        task.kernel.park("its turn, after a sleep of 0 s", task.kernel.now)
    task.kernel.compute(nanoseconds(seconds), "the end of its sleep")
    if task.rank.threaded:
        step(task, (GOES_ON, task.rank.index), None, GOING_ON)


def _look(task: Task) -> int:
    """Nanoseconds since the simulation began."""
    now: int = task.kernel.read_clock()
    return now


def _measured(task: Task, clock: str) -> int:
    """The same, for whoever reads a clock: a program measures with it, Python's own modules and this project look."""
    frame = sys._getframe(2)
    while frame.f_globals.get("__name__") in _BETWEEN and frame.f_back is not None:
        frame = frame.f_back
    name = str(frame.f_globals.get("__name__")).partition(".")[0]
    if name != "__main__" and name in sys.stdlib_module_names:
        return _look(task)
    # Jobs and listeners of a pool read it at the very instants at which the pool calls them. A module that ranks share
    # is loaded in the first run of a process only: it must not change that run.
    owns = task.rank.kept.get(OWNS)
    for each in outward(frame):
        if str(each.f_globals.get("__name__")).startswith("bsbpool.") or _loads_for_all(each, owns):
            return _look(task)
    now: int = task.kernel.measure(clock)
    return now


def _loads_for_all(frame: types.FrameType, owns: Callable[[dict[str, Any]], bool] | None) -> bool:
    """Whether a frame loads a module that is not the rank's own."""
    if frame.f_code.co_name != "<module>" or not getattr(frame.f_globals.get("__spec__"), "_initializing", False):
        return False
    return owns is None or not owns(frame.f_globals)


#: The modules through which a call comes here.
_BETWEEN = (__name__, f"{__package__}.substitutes")

_ZERO = {"monotonic": 0, "perf_counter": 0, "process_time": 0, "thread_time": 0, "time": EPOCH}


def _seconds(clock: str, task: Task) -> float:
    return _ZERO[clock] + _measured(task, clock) / SECOND


def _nanoseconds(clock: str, task: Task) -> int:
    return _ZERO[clock] * SECOND + _measured(task, f"{clock}_ns")


for _name in _ZERO:
    VIRTUAL[f"time.{_name}"] = functools.partial(_seconds, _name)
    VIRTUAL[f"time.{_name}_ns"] = functools.partial(_nanoseconds, _name)


@_for("queue.time", "threading._time")
def _clock(task: Task) -> float:
    return _look(task) / SECOND


def _day_ns(task: Task) -> int:
    return EPOCH * SECOND + _look(task)


@_for("time.clock_gettime_ns")
def _clock_gettime_ns(task: Task, clock: int, /) -> int:
    real["time.clock_getres"](clock)  # that there is one
    of_the_day = (time.CLOCK_REALTIME, getattr(time, "CLOCK_TAI", None))
    return (EPOCH * SECOND if clock in of_the_day else 0) + _measured(task, f"clock {clock}")


@_for("time.clock_gettime")
def _clock_gettime(task: Task, clock: int, /) -> float:
    return _clock_gettime_ns(task, clock) / SECOND


@_for("time.clock_getres")
def _clock_getres(task: Task, clock: int, /) -> float:
    real["time.clock_getres"](clock)
    return 1 / SECOND


@_for("time.get_clock_info")
def _get_clock_info(task: Task, name: str, /) -> types.SimpleNamespace:
    known = real["time.get_clock_info"](name)
    return types.SimpleNamespace(
        implementation="simulated", monotonic=known.monotonic, adjustable=False, resolution=1 / SECOND
    )


@_for("os.times")
def _times(task: Task) -> os.times_result:
    now = _measured(task, "os.times") / SECOND
    return os.times_result((now, 0.0, 0.0, 0.0, now))


@_for("resource.getrusage")
def _getrusage(task: Task, who: int, /) -> Any:
    result = type(real["resource.getrusage"](who))
    return result((_clock(task) if who >= 0 else 0.0, 0.0, *[0] * (result.n_sequence_fields - 2)))


# -- calendars -------------------------------------------------------------------------------------------


@_for("time.localtime", "time.gmtime")
def _gmtime(task: Task, seconds: float | None = None, /) -> time.struct_time:
    broken: time.struct_time = real["time.gmtime"](_day_ns(task) / SECOND if seconds is None else seconds)
    return time.struct_time((*broken[:9], "UTC", 0))


@_for("time.tzset")
def _tzset(task: Task) -> None:
    """Nothing: local time is UTC. `strptime` calls it."""


@_for("time.mktime")
def _mktime(task: Task, fields: Any, /) -> float:
    real["time.asctime"](fields)  # that it is one, and its fields are within bounds
    year, month, day, hour, minute, second = fields[:6]
    start = datetime.datetime(year, month, 1, tzinfo=datetime.UTC)
    later = datetime.timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)
    return (start + later - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)).total_seconds()


@_for("time.asctime")
def _asctime(task: Task, fields: Any = None, /) -> str:
    return str(real["time.asctime"](_gmtime(task) if fields is None else fields))


@_for("time.ctime")
def _ctime(task: Task, seconds: float | None = None, /) -> str:
    return _asctime(task, _gmtime(task, seconds))


@_for("time.strftime")
def _strftime(task: Task, form: str, fields: Any = None, /) -> str:
    if fields is None:
        fields = _gmtime(task)
    elif isinstance(fields, tuple) and len(fields) == 9 and getattr(fields, "tm_zone", None) is None:
        fields = time.struct_time((*fields, "UTC", 0))
    return str(real["time.strftime"](form, fields))


def _instant(ns: int) -> datetime.datetime:
    start = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return start + datetime.timedelta(microseconds=(EPOCH * SECOND + ns) // 1000)


def _as(kind: Any, instant: datetime.datetime) -> Any:
    """The same date and time as an object of `kind`, which may be a subclass of `datetime`."""
    of = instant
    return kind(
        of.year, of.month, of.day, of.hour, of.minute, of.second, of.microsecond, tzinfo=of.tzinfo, fold=of.fold
    )


@_for("datetime.datetime.now")
def _now(task: Task, kind: Any, tz: datetime.tzinfo | None = None) -> Any:
    now = _instant(_measured(task, f"datetime {tz}"))
    return _as(kind, now.replace(tzinfo=None) if tz is None else now.astimezone(tz))


@_for("datetime.datetime.utcnow", "datetime.datetime.today")
def _utcnow(task: Task, kind: Any) -> Any:
    return _now(task, kind)


@_for("datetime.date.today")
def _today(task: Task, kind: Any) -> Any:
    now = _instant(_look(task))
    return kind(now.year, now.month, now.day)


@_for("datetime.datetime.fromtimestamp")
def _fromtimestamp(task: Task, kind: Any, timestamp: float, tz: datetime.tzinfo | None = None) -> Any:
    # The real one is bound to the class that it is taken from.
    made = real["datetime.datetime.fromtimestamp"].__get__(None, kind)(timestamp, tz or datetime.UTC)
    return made if tz is not None else made.replace(tzinfo=None)


@_for("datetime.date.fromtimestamp")
def _date_fromtimestamp(task: Task, kind: Any, timestamp: float, /) -> Any:
    day = _fromtimestamp(task, datetime.datetime, timestamp)
    return kind(day.year, day.month, day.day)


@_for("datetime.datetime.timestamp")
def _timestamp(task: Task, self: datetime.datetime) -> float:
    if self.tzinfo is None:
        self = _as(datetime.datetime, self).replace(tzinfo=datetime.UTC)
    return float(real["datetime.datetime.timestamp"](self))


@_for("datetime.datetime.astimezone")
def _astimezone(task: Task, self: datetime.datetime, tz: datetime.tzinfo | None = None) -> Any:
    if self.utcoffset() is None:
        self = self.replace(tzinfo=datetime.UTC)
    return real["datetime.datetime.astimezone"](self, datetime.UTC if tz is None else tz)


# -- chance ----------------------------------------------------------------------------------------------


def _own(task: Task, purpose: str) -> Random:
    """The stream of a rank for a purpose; another one for what is drawn once in a process, by whatever comes first."""
    kept = task.rank.kept
    if _once():
        purpose += ", once"
    if purpose not in kept:
        kept[purpose] = stream(task.kernel.cluster.seed, f"{purpose} of rank {task.rank.index}")
    drawn: Random = kept[purpose]
    return drawn


def _once() -> bool:
    """Whether it is for a module that is imported now, or for `tempfile`, which looks for its folder once."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>" or frame.f_code.co_filename == tempfile.__file__:
            return True
        frame = frame.f_back
    return False


@_for("os.urandom", "random._urandom")
def _urandom(task: Task, size: int, /) -> bytes:
    return _own(task, "os.urandom").randbytes(size)


@_for("os.getrandom")
def _getrandom(task: Task, size: int, flags: int = 0) -> bytes:
    return _urandom(task, size)


@_for("random.Random.seed")
def _seed(task: Task, self: random.Random, a: Any = None, version: int = 2) -> None:
    real["random.Random.seed"](self, seed_of_unseeded(task) if a is None else a, version)


def seed_of_unseeded(task: Task) -> int:
    """Return a seed for a generator that the program gives none."""
    return _own(task, "unseeded generators").getrandbits(256)


@_for("tempfile._get_candidate_names")
def _names(task: Task) -> Iterator[str]:
    kept = task.rank.kept
    if "names" not in kept:
        drawn = _own(task, "names of tempfile")
        letters = "abcdefghijklmnopqrstuvwxyz0123456789_"
        kept["names"] = iter(lambda: "".join(drawn.choices(letters, k=8)), None)
    names: Iterator[str] = kept["names"]
    return names


@_for("uuid.getnode")
def _getnode(task: Task) -> int:
    number: int = task.kernel.cluster.hosts.of(task.rank.index)
    return 0x02_00_00_00_00_00 + number  # administered locally


@_for("uuid.uuid1")
def _uuid1(task: Task, node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    kept = task.rank.kept
    # In steps of 100 ns since 1582-10-15, each one once.
    at = kept["last uuid1"] = max(_day_ns(task) // 100 + 0x01B21DD213814000, kept.get("last uuid1", 0) + 1)
    if clock_seq is None:
        # That of each rank differs, since those of one host have the same node, and may ask at the same time.
        if "clock sequence" not in kept:
            kept["clock sequence"] = (
                stream(task.kernel.cluster.seed, "clock sequence").getrandbits(14) + task.rank.index
            )
        clock_seq = kept["clock sequence"] & 0x3FFF
    low, middle, high = at & 0xFFFFFFFF, at >> 32 & 0xFFFF, at >> 48 & 0x0FFF
    fields = (low, middle, high, clock_seq >> 8 & 0x3F, clock_seq & 0xFF, _getnode(task) if node is None else node)
    return uuid.UUID(fields=fields, version=1)


# -- identity --------------------------------------------------------------------------------------------


def host(task: Task) -> str:
    """Return the name of the host of a task's rank."""
    name: str = task.kernel.cluster.hosts.name(task.rank.index)
    return name


@_for("os.getpid")
def _getpid(task: Task) -> int:
    return FIRST_PROCESS + task.rank.index


@_for("os.getppid")
def _getppid(task: Task) -> int:
    return FIRST_PROCESS - 1


@_for("socket.gethostname", "platform.node")
def _gethostname(task: Task) -> str:
    return host(task)


@_for("socket.getfqdn")
def _getfqdn(task: Task, name: str = "") -> str:
    return name.strip() or host(task)


@_for("os.uname")
def _uname(task: Task) -> os.uname_result:
    system, _, *rest = real["os.uname"]()
    return os.uname_result((system, host(task), *rest))


@_for("platform.uname")
def _platform_uname(task: Task) -> uname_result:
    known = real["platform.uname"]()
    made = uname_result(known.system, host(task), known.release, known.version, known.machine)
    # Python would ask a process for it, when somebody wants to know.
    vars(made)["processor"] = known.machine
    return made


@_for("os.cpu_count", "os.process_cpu_count")
def _cpu_count(task: Task) -> int:
    return 1


@_for("os.sched_getaffinity")
def _sched_getaffinity(task: Task, process: int, /) -> set[int]:
    return {0}


@_for("os.getloadavg")
def _getloadavg(task: Task) -> tuple[float, float, float]:
    return (0.0, 0.0, 0.0)


def _end(task: Task, status: int) -> None:
    """End the rank of a task, which has called what does that; its process has this exit status."""
    task.rank.own_end = OwnEnd(status, place_of(sys._getframe(1)))
    task.kernel.kill(task.rank)
    task.kernel.check_open()


@_for("os.abort")
def _abort(task: Task) -> None:
    _end(task, 128 + signal.SIGABRT)


@_for("os._exit")
def _exit(task: Task, status: int) -> None:
    _end(task, operator.index(status) & 0xFF)


@_for("os.kill")
def _kill(task: Task, process: int, number: int, /) -> None:
    if process != _getpid(task) or number != signal.SIGKILL:
        raise CannotSimulateError(
            f"simulated rank {task.rank.index} called os.kill({process}, {number!r}): a rank can do no more than end "
            "itself, by os.kill(os.getpid(), signal.SIGKILL)"
        )
    _end(task, 128 + number)


# -- waiting ---------------------------------------------------------------------------------------------


@_for("select.select")
def _select(task: Task, rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None, /) -> Any:
    if timeout is None or any(map(list, (rlist, wlist, xlist))):
        raise CannotSimulateError(
            f"simulated rank {task.rank.index} called select.select() to wait for files, which live in real time: "
            "use the communicator"
        )
    _sleep(task, timeout)
    return [], [], []
