"""`simulate`: runs a program on simulated ranks, and returns the results.

It creates the parts of a simulation and removes them again; how ranks communicate, wait and fail belongs in the parts.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from greenlet import GreenletExit, getcurrent

from bsbpool.durations import exact_duration
from bsbpool.sizes import MOST_RANKS
from bsbpool.trace import Trace
from bsbpool.values import add_note, shown, text_of

from .choices import Policy, Strategy, is_policy, is_strategy
from .cluster import HORIZON, MAX_EVENTS, Cluster, RunScript
from .ctrl_c import ending_at_ctrl_c
from .default_strategies import InOrder, Shuffled
from .errors import DeadlockError, HorizonError, OverlongError, RankErrors, ScriptError, SimulationError, TapeError
from .faults import install_faults
from .garbage import deliberate_collection
from .kernel import SECOND, Task, nanoseconds
from .mpi.communicators import Comm, world_comms
from .mpi.contexts import ranks as ranks_text
from .network import Network
from .python.chance import global_generators
from .python.late_imports import enter_event_loop, leave_event_loop
from .python.locks import forget_locks
from .python.threads import THREADS, leave_threads, wait_for_threads
from .substitutes import substitutes
from .tape import Tape
from .world import SimWorld

if TYPE_CHECKING:
    from .checks.audit import Audit
    from .checks.violations import Violation


@dataclass
class Simulation:
    """Result of a simulation.

    :ivar results: what the program returned on each rank; None for a rank that died or raised.
    :ivar elapsed: virtual seconds until the last program ended.
    :ivar trace: what happened.
    :ivar died: ``{rank: virtual seconds}`` of the ranks that died.
    :ivar seed: the seed it ran with.
    :ivar tape: the choices of the run: `simulate(tape=…)` repeats it. Without a policy and a tape, it is empty.
    :ivar violations: the violations of MPI's rules, of the kinds in `checks`; empty if a program did not return.
    """

    results: list[Any]
    elapsed: float
    trace: Trace = field(repr=False)
    died: dict[int, float]
    seed: int
    tape: Tape = field(default_factory=Tape)
    violations: list[Violation] = field(default_factory=list)


def simulate(
    program: Callable[[Comm], Any],
    ranks: int,
    *,
    seed: int = 0,
    script: RunScript | None = None,
    latency: float = 0.0,
    bandwidth: float | None = None,
    policy: Strategy | Policy | str | None = None,
    tape: Tape | str | Sequence[int] | None = None,
    late_matching: bool = False,
    eager_limit: int | None = None,
    checks: Sequence[str] = (),
    faults: int = 0,
    compute: float = 0.0,
    hosts: int = 1,
    horizon: float = HORIZON / SECOND,
    max_events: int = MAX_EVENTS,
) -> Simulation:
    """Run ``program(comm)`` on each of `ranks` simulated ranks, in virtual time.

    The same program, arguments, script and tape give the same results and the same trace, to the byte, except with
    `compute`.

    :param program: the function that each rank runs; `comm` is its communicator, like mpi4py's COMM_WORLD.
    :param ranks: how many ranks there are, 10,000 at the most.
    :param seed: the seed of all random numbers of the simulation, also those of the `random` module.
    :param script: a `Script` of faults and durations of ranks, links and jobs, or another `RunScript`; None: none.
    :param latency: seconds that each message takes.
    :param bandwidth: bytes per second of each link; None: unlimited.
    :param policy: decides the choices that MPI and virtual time leave open. None: the first alternative, in the order
        of time; ``"shuffled"``: the seed draws the order of events of one instant; or an object with
        ``pick(choice)``, which returns the index of an alternative, or with ``choose()``, which gives each event a
        number.
    :param tape: the choices that are made before the policy is asked: `Simulation.tape` of a run, its text, or the
        indices.
    :param late_matching: match receives and probes from any rank only when nothing else can run, so that each message
        that could match is an alternative, at whatever time it arrives. Events of one instant are not choices then.
    :param eager_limit: bytes up to which a message is buffered; the sender of a larger one waits until its receiver
        takes it, as a real MPI may do. None: all are buffered. 0: also collective calls wait for all ranks.
    :param checks: which violations of MPI's rules are recorded in `Simulation.violations`:
        ``"unreceived-message"``, ``"unfinished-request"``, ``"leaked-handle"``, ``"type-mismatch"``,
        ``"buffer-race"`` and ``"rma-race"``.
    :param faults: how many faults may occur that no script names: a rank dies before it sends a message, or with a
        pool also after; a job of a pool raises, or takes an hour longer. Each is a choice; by default none occurs.
    :param compute: the factor by which processor time of a rank becomes virtual time, in virtual seconds for each
        second, such as 1.0; such a run is not reproducible. 0: computing takes no virtual time.
    :param hosts: on how many simulated hosts the ranks are, in blocks: those of one host can share memory, and get the
        same name from `MPI.Get_processor_name`.
    :param horizon: virtual seconds after which the simulation is stopped.
    :param max_events: events after which it is stopped.
    :returns: the results, the virtual time that passed, and the trace.
    :raises RankErrors: programs raised; it holds each rank's exception.
    :raises DeadlockError: no task can run any more, and a rank waits.
    :raises HorizonError: it exceeded `horizon` or `max_events`.
    :raises AbortError: a rank called `Abort`.
    :raises TapeError: `tape` is not a tape, or is of another program.
    :raises SimulationError: it was called on a simulated rank.
    :raises TypeError: `program` is not callable.
    :raises ValueError: another argument is out of range.

    >>> import time
    >>> from bsbpool_sim import simulate
    >>> def program(comm):
    ...     time.sleep(60 * comm.rank)
    ...     return comm.allreduce(comm.rank)
    >>> simulation = simulate(program, ranks=4)
    >>> simulation.results, simulation.elapsed
    ([6, 6, 6, 6], 180.0)
    """
    setup = Setup(
        ranks, seed=seed, latency=latency, bandwidth=bandwidth, checks=checks, faults=faults, compute=compute,
        hosts=hosts, horizon=horizon, max_events=max_events,
    )  # fmt: skip
    setup.check()
    if late_matching and (policy == "shuffled" or is_policy(policy)):
        raise ValueError(f"policy={policy!r} orders events of one instant, which are no choices with late_matching")
    if not callable(program):
        raise TypeError(f"program must be a function of a communicator, not {shown(program)}")
    _check(
        "eager_limit",
        eager_limit,
        eager_limit is None or (_integer(eager_limit) and eager_limit >= 0),
        "bytes, 0 or more, or None",
    )
    if compute and tape is not None:
        raise ValueError("compute and tape don't go together: a run with compute does not repeat exactly")
    return setup.run(
        program, script, _policy(policy, seed), None if tape is None else Tape.of(tape), late_matching, eager_limit
    )


class Setup(NamedTuple):
    """What is the same in each of many runs of a program, as `simulate` takes it."""

    ranks: int
    seed: int = 0
    latency: float = 0.0
    bandwidth: float | None = None
    checks: Sequence[str] = ()
    faults: int = 0
    compute: float = 0.0
    hosts: int = 1
    horizon: float = HORIZON / SECOND
    max_events: int = MAX_EVENTS

    def check(self) -> None:
        """Raise a `ValueError` if something is out of range, and a `SimulationError` on a simulated rank."""
        here = getcurrent()
        if isinstance(here, Task):
            raise SimulationError(
                f"simulate() was called on simulated rank {here.rank.index}: simulations can't be nested, "
                "call it outside of the program"
            )
        ranks, hosts = self.ranks, self.hosts
        right = f"an integer, 1 or more, up to {MOST_RANKS:,}"
        _check("ranks", ranks, 1 <= ranks <= MOST_RANKS if _integer(ranks) else False, right)
        _check("seed", self.seed, _integer(self.seed), "an integer")
        _check("latency", self.latency, _finite(self.latency) and self.latency >= 0, "seconds, 0 or more")
        wide = self.bandwidth is None or self.bandwidth > 0
        _check("bandwidth", self.bandwidth, wide, "bytes per second, more than 0, or None")
        _check("horizon", self.horizon, _finite(self.horizon) and self.horizon > 0, "seconds, more than 0")
        _check(
            "max_events", self.max_events, _integer(self.max_events) and self.max_events >= 1, "an integer, 1 or more"
        )
        _check("faults", self.faults, _integer(self.faults) and self.faults >= 0, "an integer, 0 or more")
        _check("compute", self.compute, _finite(self.compute) and self.compute >= 0, "a factor, 0 or more")
        right = f"an integer from 1 to {ranks}, the number of ranks"
        _check("hosts", hosts, _integer(hosts) and 1 <= hosts <= ranks, right)
        if self.checks != ():
            from .checks.audit import KINDS

            _check("checks", self.checks, all(each in KINDS for each in self.checks), f"of {', '.join(KINDS)}")

    def _make_audit(self) -> Audit | None:
        """Make what looks for what a program does wrong; None without checks, which most simulations are."""
        if not self.checks:
            return None
        from .checks.audit import Audit

        return Audit(self.checks)

    def run(
        self, program: Callable[[Comm], Any], script: RunScript | None, policy: Strategy | Policy, tape: Tape | None,
        late_matching: bool, eager_limit: int | None,
    ) -> Simulation:  # fmt: skip
        """Run the program once, as `simulate` does; nothing is checked any more."""
        # From before its ranks are made until they are gone: then most of what is left is garbage, and found in one go.
        with deliberate_collection():
            return self._run(program, script, policy, tape, late_matching, eager_limit)

    def _run(
        self, program: Callable[[Comm], Any], script: RunScript | None, policy: Strategy | Policy, tape: Tape | None,
        late_matching: bool, eager_limit: int | None,
    ) -> Simulation:  # fmt: skip
        cluster = Cluster(
            self.ranks, seed=self.seed, network=Network(self.latency, self.bandwidth), policy=policy,
            horizon=nanoseconds(self.horizon), max_events=self.max_events, tape=tape, late_matching=late_matching,
            compute=self.compute, hosts=self.hosts,
        )  # fmt: skip
        audit = self._make_audit()
        cluster.eager_limit, cluster.audit = eager_limit, audit
        if audit is not None:
            cluster.buffers, cluster.races = audit.buffers, audit.races
        cluster.kernel.keep_tasks()
        try:
            if script is not None:
                script.install(cluster)
            if self.faults:
                install_faults(cluster, self.faults)
            simulation = run_on(cluster, program, script)
            if audit is not None and not simulation.died:
                simulation.violations = audit.violations()
        except (RankErrors, SimulationError) as error:
            if audit is not None and isinstance(error.simulation, Simulation):
                error.simulation.violations = audit.violations(ended=False)
            raise
        finally:
            cluster.dissolve()
            if audit is not None:
                audit.dissolve()
        return simulation


def run_on(
    cluster: Cluster, program: Callable[[Comm], Any], script: RunScript | None = None, *, last: bool = True
) -> Simulation:
    """Run ``program(comm)`` on each rank of a cluster, and return or raise as `simulate` does.

    :param last: whether nothing else runs on these ranks after it. Else what is left of messages, communicators and
        tasks stays, unless the ranks got stuck.
    """
    kernel, stuck, over = cluster.kernel, None, True
    kernel.reopen()
    cluster.make_world = cluster.make_world or SimWorld
    for rank, comm in zip(kernel.ranks, world_comms(cluster), strict=True):
        kernel.start_program(rank, _run, program, comm, last)
    loop = leave_event_loop()
    with ending_at_ctrl_c(kernel), substitutes(), global_generators(cluster.seed, kernel), deliberate_collection():
        try:
            kernel.run()
            over = last
        except (DeadlockError, HorizonError, OverlongError) as error:
            stuck = error
            if isinstance(error, HorizonError) and cluster.late is not None:
                error.passed_over = cluster.late.is_open()
        except SimulationError as error:
            error.simulation = _simulation(cluster)
            raise
        except KeyboardInterrupt as stop:
            stop.__dict__["simulation"] = _simulation(cluster)  # what happened so far
            raise
        finally:
            tasks = [(r.index, r.main) for r in kernel.ranks if r.main is not None]
            if over:
                cluster.recorder.stop()  # `finally` blocks of dead and stuck ranks run below: that is no event
                cluster.close()
                forget_locks(kernel)
            if loop is not None:
                enter_event_loop(loop)
    simulation = _simulation(cluster)
    misfit = kernel.chooser.misfit() if kernel.chooser is not None and last else None
    if raised := [(t, i) for i, t in tasks if t.error is not None and t.ended_at is not None]:
        raise _errors(raised, simulation, stuck, functools.partial(_checked, script, cluster), misfit)
    if stuck is not None:
        stuck.simulation = simulation
        if misfit is not None:
            add_note(stuck, f"and {misfit}")
        raise stuck
    if misfit is not None:
        misfit.simulation = simulation
        raise misfit
    if script is not None:
        script.check(cluster)
    return simulation


def close(cluster: Cluster) -> None:
    """End what still waits on the ranks of a cluster."""
    cluster.recorder.stop()
    with substitutes():
        cluster.close()
    forget_locks(cluster.kernel)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _check(name: str, value: Any, good: bool, right: str) -> None:
    if not good:
        raise ValueError(f"{name}={value!r}: it must be {right}")


def _policy(policy: Strategy | Policy | str | None, seed: int) -> Strategy | Policy:
    if policy is None:
        return InOrder()
    if policy == "shuffled":
        return Shuffled(seed)
    if isinstance(policy, str) or not (is_strategy(policy) or is_policy(policy)):
        raise ValueError(f'policy={policy!r}: it must be None, "shuffled", or an object with pick(choice) or choose()')
    return policy


def _run(program: Callable[[Comm], Any], comm: Comm, last: bool) -> Any:
    task: Any = getcurrent()
    try:
        result = program(comm)
        if last and THREADS in task.rank.kept:
            wait_for_threads(task)
        return result
    except GreenletExit:
        raise
    except Exception as error:
        if last:
            wait_for_threads(task, error)
        raise
    except SystemExit as stop:
        if last:
            wait_for_threads(task, stop)
        if stop.code in (None, 0):
            return None
        raise RuntimeError(f"the program ended itself, with exit status {stop.code!r}") from stop
    except BaseException as error:
        # Ctrl-C, or a test framework's way out: meant for whoever called simulate(), and at once.
        task.kernel.fail(error)  # by the task: its communicator is of no use any more after MPI.Finalize
    finally:
        if last and THREADS in task.rank.kept:
            leave_threads(task.rank)


def _simulation(cluster: Cluster) -> Simulation:
    kernel = cluster.kernel
    results, last = [], 0
    for rank in kernel.ranks:
        if (main := rank.main) is not None:
            results.append(main.result)
            if main.ended_at is not None and main.ended_at > last:
                last = main.ended_at
    return Simulation(
        results,
        last / SECOND,
        cluster.recorder.trace,
        {r.index: r.dead_at / SECOND for r in kernel.ranks if r.dead_at is not None} if kernel.dead else {},
        cluster.seed,
        Tape() if kernel.chooser is None else kernel.chooser.tape,
    )


def _checked(script: RunScript | None, cluster: Cluster) -> str | None:
    """What the script finds wrong with itself after the run."""
    try:
        if script is not None:
            script.check(cluster)
    except ScriptError as error:
        return str(error)
    return None


def _errors(
    raised: list[tuple[Task, int]],
    simulation: Simulation,
    stuck: Exception | None,
    check: Callable[[], str | None],
    misfit: TapeError | None,
) -> RankErrors:
    by_rank: dict[int, Exception] = {}
    times: dict[int, int] = {}
    for task, rank in raised:
        assert isinstance(task.error, Exception)
        assert task.ended_at is not None
        add_note(task.error, f"on simulated rank {rank}, at {exact_duration(task.ended_at)}")
        by_rank[rank], times[rank] = task.error, task.ended_at
    first = min(by_rank, key=lambda r: (times[r], r))
    what = f"{type(by_rank[first]).__name__}: {text_of(by_rank[first])}".removesuffix(": ")
    if len(by_rank) == 1:
        message = f"rank {first} raised {what}"
    else:
        message = f"{ranks_text(list(by_rank))} raised; rank {first} first: {what}"
    group = RankErrors(message, list(by_rank.values()))
    group.by_rank, group.simulation = by_rank, simulation
    if stuck is not None:
        group.add_note(f"and then {stuck}")
        group.stuck = getattr(stuck, "stuck", ())
    if (wrong := check()) is not None:
        group.add_note(f"and the script: {wrong}")
    if misfit is not None:
        group.add_note(f"and {misfit}")
    return group
