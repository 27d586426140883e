"""Explores scenarios: runs each in all orders of events of the same instant, and with faults, and checks the invariants
of pools; in schedules without faults, also the expectations of the scenario.

The meaning of scenarios belongs in `bsbpool_sim.scenario`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest

from bsbpool.trace.events import Event
from bsbpool.values import shown

from ..choices import Strategy
from ..default_strategies import InOrder
from ..garbage import collect_between_runs, deliberate_collection
from ..python.chance import global_generators
from ..scenario.always import check_what_always_holds
from ..scenario.expecting import Checker
from ..scenario.observed import Observed
from ..scenario.outcome import Failure, Outcome
from ..scenario.running import Result, Scenario
from ..simulation import Simulation
from ..substitutes import substitutes
from ..tape import Tape
from .exploration import Exploration, ExplorationError, explore_runs
from .findings import FoundFault
from .overtime import Overtime
from .pools import Watch
from .schedules import Schedule, ScriptWithStrategy


class ScenarioRunner:
    """Runs a scenario once for each schedule.

    :param faults: how many faults may strike in a schedule.
    :param seed: its seed; by default the first.
    :param expectations: whether what it expects is looked at, and not only what always holds.
    """

    def __init__(self, scenario: Scenario, faults: int, seed: int | None = None, *, expectations: bool = True):
        self.expectations = expectations
        self.seed = scenario.seeds[0] if seed is None else seed
        self.scenario = scenario
        self.faults = faults
        self.watch = Watch()
        self.overtime = Overtime()
        #: what the last run came to.
        self.outcome: Outcome | None = None
        self._observed: Observed | None = None

    def told(self, event: Event) -> str:
        """An event of the last run, with the names of its jobs."""
        assert self.outcome is not None
        if self._observed is None or self._observed.outcome is not self.outcome:
            self._observed = Observed(self.scenario.plan, self.outcome)
        return self._observed.told(event)

    def __call__(
        self, strategy: Strategy, tape: Tape | None, *, late: bool, eager_limit: int | None = None
    ) -> Schedule:
        """Run it once."""
        collect_between_runs()
        self.watch.begin()
        scenario = self.scenario
        outcome = scenario.run_seed(
            self.seed, policy=strategy, tape=tape, faults=self.faults,
            script=lambda script: ScriptWithStrategy(script, strategy, self.overtime), check=False,
        )  # fmt: skip
        self.outcome = outcome
        simulation = outcome.simulation
        assert isinstance(simulation, Simulation)
        schedule = Schedule(simulation, None, {}, {}, {}, struck=outcome.struck)
        broken = self.watch.of_run(outcome.trace, False)
        outcome.failures = [Failure((), "always", "what every pool holds to", what) for what in broken]
        outcome.failures += failures_of(scenario, outcome, self.expectations)
        schedule.found = _faults(scenario, outcome)
        return schedule


class _ByDefault(InOrder):
    """Takes the default everywhere, and is asked: `InOrder` itself is not, since it is known what it says."""


def _see_that_the_default_is_ordinary(scenario: Scenario, seed: int) -> None:
    """See that what happens by default is what happens where nothing is a choice: that is run by other code, which is
    faster, and whoever runs the scenario gets it.

    :raises ExplorationError: it is something else.
    """
    runs = [scenario.run_seed(seed, policy=policy, check=False) for policy in (_ByDefault(), InOrder())]
    by_default, ordinary = (run.trace.events for run in runs)
    if by_default == ordinary:
        return
    pairs = enumerate(zip_longest(by_default, ordinary), 1)
    number, (one, other) = next((number, pair) for number, pair in pairs if pair[0] != pair[1])
    raise ExplorationError(
        f"what happens by default is not what happens without choices: as event {number} there is {shown(one)}, "
        f"and {shown(other)} where nothing is chosen. This is an error in the simulator: please report it"
    )


def failures_of(scenario: Scenario, outcome: Outcome, expectations: bool = True) -> list[Failure]:
    """What is wrong with an outcome: all that the scenario expects counts if that should hold there."""
    checker = Checker(scenario.plan, outcome)
    model, expect = scenario.model, scenario.model.expect
    in_any_order = model.policy is None and len(model.seeds) > 1
    if expectations and not outcome.struck and (in_any_order or not outcome.simulation.tape.departures):
        return checker.check()
    kinds = ["ok", "error", "died"]
    if expect.outcome is not None:
        kinds.append(expect.outcome)
    if expect.deadlock is not None:
        kinds.append("deadlock")
    if any("hour longer" in each for each in outcome.struck):
        kinds.append("horizon")
    ours = any(error is each for error in [outcome.stage.outcomes.get(0)] for each in outcome.stage.raised)
    if outcome.kind not in kinds and not ours:
        said = outcome.kind if outcome.error is None else f"{outcome.kind}: {outcome.error}"
        checker.fail((), "always", "main leaves execute() with results, or with a WorkflowError", said, outcome.elapsed)
    elif outcome.kind not in ("deadlock", "horizon"):
        check_what_always_holds(checker)
    return checker.failures


def _faults(scenario: Scenario, outcome: Outcome) -> list[FoundFault]:
    """The first thing that is wrong: it brings about the rest."""
    document = scenario.plan.document
    title = document.place(("scenario",), key=True)[0]
    for failure in outcome.failures[:1]:
        kind = "expectation" if failure.path else "deadlock" if outcome.kind == "deadlock" else "invariant"
        line = document.place(failure.path, key=True)[0] if failure.path else title
        message = f"{failure.what}: expected {failure.expected}, happened {' '.join(failure.happened.split())}"
        return [FoundFault(kind, message, scenario.path, line, ())]
    return []


def run_tape(scenario: Scenario, tape: Tape | str, *, seed: int | None = None, faults: int = 0) -> Result:
    """Run a schedule of a scenario that exploring has found again.

    :param scenario: the scenario.
    :param tape: the tape of the finding, or its text.
    :param seed: the seed; by default the first of the scenario, with which it is explored.
    :param faults: how many faults may strike, as when it was explored.
    :returns: its outcome, held against what `explore_scenario` holds it against.
    :raises TapeError: the tape is not of this scenario, or not of this number of faults.
    """
    run = ScenarioRunner(scenario, faults, seed)
    with run.watch.watching():
        run(InOrder(), Tape.of(tape), late=False)
    assert run.outcome is not None
    given = f" --faults {faults}" if faults else ""
    return Result(scenario, [run.outcome], f"{given} --tape {tape}")


def explore_scenario(
    scenario: Scenario, *, faults: int | None = None, seconds: float | None = None, schedules: int | None = None,
    strategy: str = "auto", begin: int = 0, quick: bool = False,
    expectations: bool = True, compare: bool = True, progress: Callable[[Exploration], None] | None = None,
) -> Exploration:  # fmt: skip
    """Run a scenario in every order of what falls into one instant, with faults; or in a sample of these.

    Virtual time is that of the scenario. Ranks that it does not name count as alike until main has heard of them. What
    is not said here is as its key ``explore`` says.

    :param scenario: the scenario; `bsbpool_sim.scenario.load` reads it.
    :param faults: how many faults may strike in one schedule; by default one.
    :param seconds: the budget in seconds of real time; by default 60.
    :param schedules: the budget in schedules; None: no limit.
    :param strategy: how schedules are chosen, as for `explore`.
    :param begin: the number of the first schedule that is drawn, if some are.
    :param quick: stop at the first finding, and leave it as it is.
    :param expectations: whether what it expects is looked at, and not only what always holds.
    :param compare: whether findings are compared with runs that pass.
    :param progress: called after each schedule with what was found so far.
    :returns: what was found.
    :raises ExplorationError: it does something else by default than without choices, or with the same choices.

    >>> from bsbpool_sim.exploring.scenarios import explore_scenario
    >>> from bsbpool_sim.scenario import load
    >>> print(explore_scenario(load("scenarios/dependencies/a-chain-runs-in-order.yaml"), faults=0))
    complete: 1 schedule; no findings
    """
    said = scenario.model.explore
    if faults is None:
        faults = said.faults
    if seconds is None:
        seconds = said.length / 1e9
    if schedules is None:
        schedules = said.schedules
    if expectations:
        _see_that_the_default_is_ordinary(scenario, scenario.seeds[0])
    run = ScenarioRunner(scenario, faults, expectations=expectations)
    with deliberate_collection(), substitutes(), global_generators(scenario.seeds[0]):  # once for all schedules
        return explore_runs(
            run, strategy=strategy, seconds=seconds, schedules=schedules, seed=scenario.seeds[0], late=False,
            may_fail=faults > 0, checks=(), progress=progress, timed=True, alike=_not_named(scenario),
            begin=begin, quick=quick, compare=compare,
        )  # fmt: skip


def _not_named(scenario: Scenario) -> list[int]:
    """The workers of which a scenario says nothing special."""
    model = scenario.model
    if not all(event.delay is None for event in model.events):
        return []
    named: set[int | None] = {0, *model.slow, *model.expect.freed}
    named.update(rank for ranks in model.expect.ran_on.values() for rank in ranks)
    for event in model.events:
        named |= {event.kill, None if event.pause is None else event.pause.rank}
        named.add(None if event.slow is None else event.slow.rank)
    return [rank for rank in range(model.ranks) if rank not in named]
