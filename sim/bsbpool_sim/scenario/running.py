"""Runs a scenario with each of its seeds, and reports the expectations that do not hold.

What a scenario means is in `planning`, the program that it runs in `program`, and its expectations in `expecting`.
"""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bsbpool.durations import exact_duration
from bsbpool.errors_and_facts import describe_error, in_words
from bsbpool.exceptions import WorkflowError

from ..choices import Strategy
from ..errors import DeadlockError, HorizonError, RankErrors, TapeError
from ..faults import ExploredFaults
from ..script import Script
from ..simulation import Simulation, simulate
from ..tape import Tape
from .document import read
from .expecting import Checker
from .loading import load_model, validate
from .model import Model
from .observed import MOST_FAILURES
from .outcome import Failure, Outcome
from .planning import Plan
from .program import ScenarioRun
from .runtime import ScenarioScript

#: Events after which a run is stopped.
MOST_EVENTS = 10_000_000


@dataclass
class Scenario:
    """A scenario that can be run; `load` and `parse` make it.

    :ivar path: the path of its file, as it was given.
    :ivar model: the content of the file.
    :ivar plan: the jobs, nodes and events that follow from it.
    """

    path: str
    model: Model
    plan: Plan

    @property
    def title(self) -> str:
        """Its sentence: what it shows."""
        return self.model.scenario

    @property
    def seeds(self) -> list[int]:
        """The seeds with which its expectations must hold."""
        return self.model.seeds

    def run(self, seed: int | None = None, progress: Callable[[int, int], Any] | None = None) -> Result:
        """Run it.

        :param seed: the seed; by default each of its own, up to the first that fails.
        :param progress: called with the number of seeds that have run, and of all, after each.
        :returns: an outcome for each seed.
        """
        outcomes: list[Outcome] = []
        seeds = self.seeds if seed is None else [seed]
        for each in seeds:
            outcomes.append(self.run_seed(each))
            if progress is not None:
                progress(len(outcomes), len(seeds))
            if not outcomes[-1].ok:
                break
        return Result(self, outcomes)

    def run_seed(
        self, seed: int, *, policy: Strategy | None = None, tape: Tape | None = None, faults: int = 0,
        script: Callable[[Script], Any] | None = None, check: bool = True,
    ) -> Outcome:  # fmt: skip
        """Run it with one seed, and check its expectations.

        :param seed: the seed.
        :param policy: decides what comes first at one instant, and which faults strike; by default what the seeds say.
        :param tape: what is chosen before the policy is asked.
        :param faults: how many faults may strike that the scenario does not name.
        :param script: what to make of the script of the scenario before it is installed.
        :param check: whether expectations are checked.
        :returns: what happened, and the expectations that do not hold.
        """
        model, stage = self.model, ScenarioRun(self.plan, seed)
        of_scenario = ScenarioScript(stage)
        shuffled = model.policy is None and (len(model.seeds) > 1 or seed not in model.seeds)
        simulation: Any = None
        kind, said = "", None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Could not cancel")
            try:
                simulation = simulate(
                    stage.program,
                    model.ranks,
                    seed=seed,
                    script=of_scenario if script is None else script(of_scenario),
                    latency=model.latency / 1e9,
                    bandwidth=model.bandwidth,
                    policy=policy or ("shuffled" if shuffled and tape is None else None),
                    tape=tape,
                    faults=faults,
                    horizon=model.horizon / 1e9,
                    max_events=MOST_EVENTS,
                )
            except (DeadlockError, HorizonError) as stuck:
                kind = "deadlock" if isinstance(stuck, DeadlockError) else "horizon"
                simulation, said = stuck.simulation, str(stuck)
            except RankErrors as errors:  # a rank could not note how it left
                simulation, said, kind = errors.simulation, str(errors), "broken"
            except TapeError:
                raise
            except Exception as error:
                kind, said = type(error).__name__, f"a task of the simulation raised {describe_error(error)}"
        if not kind:
            kind, said = _how_main_left(stage, simulation.died)
        cluster = stage.runtime.cluster
        trace = cluster.recorder.trace
        elapsed = (
            stage.runtime.kernel.now
            if simulation is None or kind in ("deadlock", "horizon")
            else round(simulation.elapsed * 1e9)
        )
        died = {r.index: (r.dead_at or 0) / 1e9 for r in stage.runtime.kernel.dead}
        if simulation is None:  # all of it, but for what a task of the simulator's raised
            chooser = cluster.kernel.chooser
            simulation = Simulation([], elapsed / 1e9, trace, died, seed, Tape() if chooser is None else chooser.tape)
        outcome = Outcome(seed, kind, said, elapsed, trace, stage, died, simulation)
        if isinstance(cluster.faults, ExploredFaults):
            outcome.struck = tuple(cluster.faults.struck)
        if check:
            outcome.failures = Checker(self.plan, outcome).check()
        stage.dissolve()
        return outcome


def _how_main_left(stage: ScenarioRun, died: Any) -> tuple[str, str | None]:
    if 0 in died:
        return "died", None
    error = stage.outcomes[0]
    if error is None:
        return "ok", None
    if isinstance(error, WorkflowError):
        return "error", "; ".join(f"{who}: {in_words(error)}" for who, error in stage.errors)
    return type(error).__name__, describe_error(error)


@dataclass
class Result:
    """Result of a scenario.

    :ivar scenario: the scenario.
    :ivar outcomes: an outcome for each seed that was run; only the last may have failed.
    :ivar options: of the command that runs it again, beside the seed.
    """

    scenario: Scenario
    outcomes: list[Outcome]
    options: str = ""

    @property
    def ok(self) -> bool:
        """Whether all expectations hold, with every seed."""
        return all(outcome.ok for outcome in self.outcomes)

    @property
    def failed(self) -> Outcome | None:
        """The outcome that failed; None if none did."""
        return next((outcome for outcome in self.outcomes if not outcome.ok), None)

    def report(self) -> str:
        """Report the failures: what was expected, what happened and when, and the events around it.

        :returns: the report, of several lines.
        """
        outcome = self.failed
        if outcome is None:
            return f"{self.scenario.title}: as expected"
        checker = Checker(self.scenario.plan, outcome)
        lines = [f"{self.scenario.title}"]
        shuffled = len(self.scenario.seeds) > 1
        lines.append(f"with seed {outcome.seed}" + (f", one of {len(self.scenario.seeds)}" if shuffled else ""))
        for failure in outcome.failures[:MOST_FAILURES]:
            lines += ["", *self._tell(checker, failure)]
        left = len(outcome.failures) - MOST_FAILURES
        if left > 0:
            lines += ["", f"and {left} more that {'is' if left == 1 else 'are'} not as expected"]
        lines += ["", f"again: bsbpool run {shlex.quote(self.scenario.path)} --seed {outcome.seed}{self.options}"]
        return "\n".join(lines)

    def _tell(self, checker: Checker, failure: Failure) -> list[str]:
        document = self.scenario.plan.document
        line = document.place(failure.path, key=True)[0]
        lines = [f"{document.file}:{line}: {failure.what}"]
        for word, text in (("expected", failure.expected), ("happened", failure.happened)):
            first, *more = text.splitlines() or [""]
            when = f", at {exact_duration(failure.at)}" if word == "happened" and failure.at is not None else ""
            if len(more) or len(first) > 300:
                first, when = f"{when.removeprefix(', ')}{': ' if when else ''}{first}", ""
            lines.append(f"  {word}  {first}{when}")
            lines += [f"            {each.strip()}" for each in more]
        around = checker.around(failure)
        if around:
            lines += ["  around it:", *(f"  {each}" for each in around)]
        return lines


def load(path: str | Path) -> Scenario:
    """Load a scenario file.

    :param path: the file.
    :returns: the scenario, checked completely.
    :raises ScenarioError: it can't be used: where, why, and what would be right.

    >>> from bsbpool_sim.scenario import load
    >>> scenario = load("scenarios/dependencies/a-probe-comes-first.yaml")
    >>> scenario.seeds, scenario.run_seed(19).ok
    ([19, 47, 97, 136], True)
    """
    model, document = load_model(path)
    return Scenario(str(path), model, Plan(model, document))


def parse(text: str, file: str) -> Scenario:
    """Read a scenario from a text.

    :param text: the content of a scenario file.
    :param file: its name in error messages; paths in the scenario are relative to it.
    :returns: the scenario, checked completely.
    :raises ScenarioError: it can't be used.

    >>> from bsbpool_sim.scenario import parse
    >>> scenario = parse('''
    ... scenario: A job runs
    ... ranks: 2
    ... jobs:
    ...   - {name: golgi, takes: 2s}
    ... expect:
    ...   statuses: {golgi: success}
    ...   elapsed: 2s
    ... ''', "golgi.yaml")
    >>> scenario.run().ok
    True
    """
    document = read(text, file)
    model = validate(document)
    return Scenario(file, model, Plan(model, document))


def run(path: str | Path, seed: int | None = None) -> Result:
    """Load a scenario file and run it.

    :param path: the file.
    :param seed: the seed; by default each of its own, up to the first that fails.
    :returns: an outcome for each seed.
    :raises ScenarioError: it can't be used.

    >>> from bsbpool_sim.scenario import run
    >>> print(run("scenarios/dependencies/a-probe-comes-first.yaml").report())
    What a failing probe should keep from running depends on the probe, and never starts: as expected
    """
    return load(path).run(seed)
