"""Scripts: inject faults and durations into ranks, links and jobs.

A script is data until a simulation installs it. It acts between the pool and the user's functions, and between ranks
and the network; it never changes a part of the pool.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from bsbpool.durations import exact_duration
from bsbpool.facts import Delayed, Died, Fault, Killed, Paused, Slowed
from bsbpool.text import scrub

from .choices import Kind, Strikes
from .chooser import Chooser
from .cluster import Cluster, PoolKey
from .errors import ScriptError
from .faults import ExploredFaults
from .kernel import Rank, nanoseconds
from .random_streams import Random, stream

_REAL = object()
_FUNCTION = re.compile(r"<function (?:.*\.)?([^.]+)>$")

#: Seconds, or a function that draws them from a seeded stream of random numbers.
SecondsOrDraw = float | Callable[[Random], float]


class JobRule:
    """A rule of a script: which jobs it matches, and what they do. Made by `Script.job`."""

    def __init__(
        self,
        number: int,
        name: str | None,
        id: int | None,
        pool: int | None,
        context: Mapping[str, Any],
        takes: SecondsOrDraw | None,
        returns: Any,
        raises: BaseException | type[BaseException] | None,
        hangs: bool,
        kills: bool,
    ):
        self.number = number
        self.name = name
        self.id = id
        self.pool = pool
        self.context = context
        self.takes = takes
        self.returns = returns
        self.raises = raises
        self.hangs = hangs
        self.kills = kills

    def __str__(self) -> str:
        said = {"name": self.name, "id": self.id, "pool": self.pool, "context": self.context or None}
        return f"job({', '.join(f'{k}={v!r}' for k, v in said.items() if v is not None)})"

    def matches(self, pool: int, job: int, names: tuple[str, ...], context: Mapping[str, Any]) -> bool:
        """Return whether the rule matches a job.

        :param pool: the number of its pool.
        :param job: its id.
        :param names: its name, and the name of its function.
        :param context: its context.
        """
        return (
            (self.id is None or self.id == job)
            and (self.pool is None or self.pool == pool)
            and (self.name is None or any(n == self.name or fnmatchcase(n, self.name) for n in names))
            and all(k in context and _equal(context[k], v) for k, v in self.context.items())
        )


def _equal(value: Any, wanted: Any) -> bool:
    """Whether an entry of a job's context is what a rule wants. One that can't tell is not.

    Arrays, which are equal item by item, are compared as lists.
    """
    try:
        if hasattr(value, "tolist") or hasattr(wanted, "tolist"):
            value, wanted = (each.tolist() if hasattr(each, "tolist") else each for each in (value, wanted))
            value, wanted = ([*each] if isinstance(each, tuple) else each for each in (value, wanted))
        return bool(value == wanted)
    except Exception:
        return False


class Script:
    """A script for one simulation. Its methods return the script, so that calls can be chained.

    For example::

        Script().job("place *", takes=0.5).job("connect", raises=ValueError("corrupt")).rank(3, dies=2.0)

    :param latency: seconds that each message takes. If `latency` or `bandwidth` is given, both replace those of
        `simulate`.
    :param bandwidth: bytes per second of each link; None: unlimited.
    :raises ScriptError: a number is out of range.

    >>> import bsbpool
    >>> from bsbpool_sim import Script, simulate
    >>> def program(comm):
    ...     with bsbpool.job_pool(comm, retries=1) as pool:
    ...         jobs = [pool.queue(print, submitter=f"place {i}") for i in range(4)] if pool.is_main() else []
    ...         pool.execute()
    ...         return [job.status.value for job in jobs]
    >>> script = Script(latency=50e-6).job("place *", takes=0.5, returns="cells").rank(2, dies=0.7)
    >>> simulation = simulate(program, ranks=3, script=script)
    >>> simulation.results[0], simulation.died
    (['success', 'success', 'success', 'success'], {2: 0.7})
    """

    def __init__(self, *, latency: float | None = None, bandwidth: float | None = None):
        self.latency = _not_negative("latency", latency)
        self.bandwidth = bandwidth
        if bandwidth is not None and not bandwidth > 0:
            raise ScriptError(f"bandwidth is a number of bytes per second above 0, not {bandwidth!r}")
        self._rules: list[JobRule] = []
        self._ranks: dict[int, tuple[float, tuple[tuple[float, float], ...], float | None]] = {}
        self._mortal: set[int] = set()
        self._links: dict[tuple[int, int], float] = {}
        self._possible_delays: dict[tuple[int, int], float] = {}

    # -- what it says ------------------------------------------------------------------------------

    def job(
        self,
        name: str | None = None,
        *,
        id: int | None = None,
        pool: int | None = None,
        context: Mapping[str, Any] | None = None,
        takes: SecondsOrDraw | None = None,
        returns: Any = _REAL,
        raises: BaseException | type[BaseException] | None = None,
        hangs: bool = False,
        kills: bool = False,
    ) -> Script:
        """Add a rule: how long the jobs that it matches take, and how they end. The first matching rule applies.

        Without `returns`, `raises`, `hangs` and `kills`, the job's function runs for real, after the time it takes.

        :param name: the job's name, or the name of its function; a pattern with ``*`` and ``?``.
        :param id: the job's id: its place among the jobs of its pool, from 0.
        :param pool: the pool's number on its communicator, from 1.
        :param context: entries that the job's context must have.
        :param takes: seconds of the rank's time; or a function that draws them from a seeded `random.Random`.
        :param returns: the result; the function does not run.
        :param raises: the exception; the function does not run.
        :param hangs: the job never ends.
        :param kills: the job ends its rank, as ``kill -9`` would.
        :returns: the script.
        :raises ScriptError: no job is selected, or more than one ending is given.
        """
        if name is None and id is None and not context:
            raise ScriptError("say which job: by name (a pattern; '*' for all), id or context")
        endings = [returns is not _REAL, raises is not None, hangs, kills]
        if sum(endings) > 1:
            raise ScriptError("a job ends in one way: give one of returns, raises, hangs and kills")
        if not callable(takes):
            _not_negative("takes", takes)
        number = len(self._rules)
        self._rules.append(JobRule(number, name, id, pool, dict(context or {}), takes, returns, raises, hangs, kills))
        return self

    def rank(
        self,
        rank: int,
        *,
        slower: float = 1.0,
        pauses: tuple[tuple[float, float], ...] | list[tuple[float, float]] = (),
        dies: float | None = None,
        may_die: bool = False,
    ) -> Script:
        """Inject faults into a rank.

        :param rank: the rank.
        :param slower: the factor by which its jobs, and its `time.sleep`, take longer.
        :param pauses: ``(at, for)`` pairs in seconds: the rank stands still from a time on, for a time.
        :param dies: seconds after which the rank dies; None: never.
        :param may_die: whether the rank dies is a choice, before each message that it sends; by default it does not.
        :returns: the script.
        :raises ScriptError: the rank was given before, or a number is out of range.
        """
        if rank in self._ranks:
            raise ScriptError(f"rank {rank} has a line in this script already: say all of it in one")
        if not slower > 0:
            raise ScriptError(f"slower is a factor above 0 (2: half as fast), not {slower!r}")
        for at, length in pauses:
            _not_negative("a pause's start", at)
            _not_negative("a pause's length", length)
        self._ranks[rank] = (slower, tuple(pauses), _not_negative("dies", dies))
        if may_die:
            self._mortal.add(rank)
        return self

    def link(self, source: int, dest: int, *, delay: float = 0.0, may_delay: float = 0.0) -> Script:
        """Delay the messages from one rank to another.

        :param source: the rank that sends.
        :param dest: the rank that receives.
        :param delay: seconds that each message takes longer.
        :param may_delay: seconds that a message may take longer in addition: whether it does is a choice for each
            message; by default it does not.
        :returns: the script.
        """
        _not_negative("delay", delay)
        _not_negative("may_delay", may_delay)
        self._links[source, dest] = delay
        if may_delay:
            self._possible_delays[source, dest] = may_delay
        return self

    # -- what comes of it --------------------------------------------------------------------------

    def install(self, cluster: Cluster) -> None:
        """Make it the script of a simulation; `simulate` calls it.

        :param cluster: the simulation.
        :raises ScriptError: it names a rank that does not exist.
        """
        size = len(cluster.kernel.ranks)
        for rank in [*self._ranks, *(r for link in self._links for r in link)]:
            if not 0 <= rank < size:
                raise ScriptError(f"the script names rank {rank}, but there are ranks 0 to {size - 1} only")
        if self.latency is not None or self.bandwidth is not None:
            cluster.network.set(self.latency or 0.0, self.bandwidth)
        cluster.script = self.make_runtime(cluster)

    def make_runtime(self, cluster: Cluster) -> ScriptRuntime:
        """Make the object that executes the script; subclasses make their own.

        :param cluster: the simulation.
        :returns: the runtime of the script.
        """
        return ScriptRuntime(self, cluster)

    def check(self, cluster: Cluster) -> None:
        """Check after the run that each rule has matched a job; `simulate` calls it.

        :param cluster: the simulation.
        :raises ScriptError: a rule matched no job.
        """
        acting = cluster.script
        if isinstance(acting, ExploredFaults):
            if acting.struck:
                return  # it may have kept a job from coming
            acting = acting.script
        assert isinstance(acting, ScriptRuntime)
        for rule in self._rules:
            if not acting.matched[rule.number]:
                raise ScriptError(
                    f"the script's {rule} matched no job: {acting.nearest(rule.name)}. Mend the rule, or leave it out."
                )


class ScriptRuntime:
    """Executes a script in one simulation."""

    def __init__(self, script: Script, cluster: Cluster):
        self._cluster = cluster
        self._kernel = cluster.kernel
        self._by_id: dict[int, list[JobRule]] = {}
        self._by_name: list[JobRule] = []
        for rule in script._rules:
            if rule.id is None:
                self._by_name.append(rule)
            else:
                self._by_id.setdefault(rule.id, []).append(rule)
        self.matched = [False] * len(script._rules)
        self._streams = [stream(cluster.seed, f"duration of jobs of rule {r.number}") for r in script._rules]
        self._parts: dict[tuple[Any, int], tuple[JobRule, int, str]] = {}
        self._names: dict[str, None] = {}
        for index, (slower, pauses, dies) in script._ranks.items():
            rank = self._kernel.ranks[index]
            if slower != 1.0:
                self.slow_down((rank, slower))
            for at, length in pauses:
                self._kernel.fault(nanoseconds(at), self.pause, (rank, nanoseconds(length)))
            if dies is not None:
                self._kernel.fault(nanoseconds(dies), self.kill, (rank, Died()))
        for (source, dest), delay in script._links.items():
            if delay:
                cluster.network.delay(source, dest, nanoseconds(delay))
        delays = {link: nanoseconds(delay) for link, delay in script._possible_delays.items()}
        chooser = self._kernel.chooser
        if chooser is not None and (delays or script._mortal):
            cluster.faults = FaultChoices(self, chooser, script._mortal, delays)

    def introduce(self, key: PoolKey, job: int, name: str, context: Mapping[str, Any]) -> None:
        """Find the rule of a job that was queued, and draw its duration."""
        if not self.matched:
            return
        plain = scrub(name)
        if len(self._names) < 1000:
            self._names[plain] = None
        function = _FUNCTION.match(plain)
        names = (plain, function[1]) if function else (plain,)
        # In the order of the script: the first rule that matches is the job's.
        rules = self._by_name
        if job in self._by_id:
            rules = sorted([*self._by_id[job], *rules], key=lambda rule: rule.number)
        for rule in rules:
            if rule.matches(key[1], job, names, context):
                self.matched[rule.number] = True
                takes = rule.takes(self._streams[rule.number]) if callable(rule.takes) else rule.takes or 0.0
                self._parts[key, job] = (rule, nanoseconds(max(0.0, takes)), plain)
                return

    def perform(self, key: PoolKey, job: int, function: Callable[[], Any]) -> Any:
        """Execute a job: let its time pass, then end it as its rule says."""
        part = self._parts.get((key, job))
        if part is None:
            return function()
        rule, ns, name = part
        kernel = self._kernel
        if ns:
            kernel.compute(ns, lambda: f"job {job} ({name}) to end, which takes {exact_duration(ns)}")
        if rule.kills:
            self.kill((kernel.task.rank, Killed(str(job))))
        if rule.hangs:
            while True:
                kernel.park(lambda: f"job {job} ({name}) to end, which hangs")
        if rule.raises is not None:
            raise rule.raises() if isinstance(rule.raises, type) else copy.copy(rule.raises)
        return function() if rule.returns is _REAL else rule.returns

    def strike(self, key: PoolKey, job: int, function: Callable[[], Any]) -> Any:
        """Run a job that a chosen fault strikes; the rule of the job does not apply."""
        return function()

    def rank(self, index: int) -> Rank:
        """Return a rank of the simulation."""
        return self._kernel.ranks[index]

    def send(self, rank: int) -> None:
        """Called before a rank sends a message of its pool."""

    def pause(self, what: tuple[Rank, int]) -> None:
        """Pause a rank for some nanoseconds."""
        rank, ns = what
        self._cluster.recorder.emit("fault", rank.index, Paused(ns))
        self._kernel.pause(rank, ns)

    def slow_down(self, what: tuple[Rank, float]) -> None:
        """Make a rank slower by a factor, from its next computation on."""
        rank, factor = what
        self._cluster.recorder.emit("fault", rank.index, Slowed(float(factor)))
        rank.slowness = factor

    def delay(self, what: tuple[int, int, int]) -> None:
        """Make the link from one rank to another slower by some nanoseconds, from the next message on."""
        source, to, ns = what
        self._cluster.recorder.emit("fault", source, Delayed(to, ns))
        self._cluster.network.delay(source, to, ns)

    def kill(self, what: tuple[Rank, Fault]) -> None:
        """End a rank; the reason goes into the trace."""
        rank, how = what
        if rank.dead_at is None:
            self._cluster.recorder.emit("fault", rank.index, how)
            self._kernel.kill(rank)

    def nearest(self, name: str | None) -> str:
        """Return a text with the names that jobs had, those most similar to `name` first."""
        if not self._names:
            return "no job came at all"
        names = list(self._names)
        near = difflib.get_close_matches(name or "", names, n=3, cutoff=0.5)
        if near:
            return f"the nearest name that came is {near[0]!r}"
        shown = ", ".join(map(repr, names[:5]))
        return f"jobs that came are named {shown}" + (" and others" if len(names) > 5 else "")


class FaultChoices:
    """Makes the possible faults of a script choices, one at each message.

    :param acting: brings them about.
    :param mortal: the ranks that may die.
    :param delays: nanoseconds that a message may take longer, by its source and destination.
    """

    def __init__(
        self, acting: ScriptRuntime, chooser: Chooser, mortal: Collection[int], delays: Mapping[tuple[int, int], int]
    ):
        self._acting = acting
        self._chooser = chooser
        self._mortal = mortal
        self._delays = delays

    def after_send(self) -> None:
        """The message is on its way."""

    def before_send(self, source: int, dest: int, worker: bool = False) -> int:
        """Rank `source` sends a message to rank `dest`: choose whether it dies before, and how much longer it takes."""
        if source in self._mortal and self._strikes(source, f"rank {source} dies"):
            self._acting.kill((self._acting.rank(source), Died()))
        delay = self._delays.get((source, dest), 0)
        if delay and self._strikes(source, f"its message to rank {dest} takes {exact_duration(delay)} longer"):
            return delay
        return 0

    def _strikes(self, rank: int, what: str) -> bool:
        return self._chooser.one_of(Kind.FAULT, rank, "send", (None, what), Strikes) is not None


def _not_negative(what: str, value: float | None) -> float | None:
    if value is not None and not value >= 0:
        raise ScriptError(f"{what} is a number of seconds from 0 on, not {value!r}")
    return value
