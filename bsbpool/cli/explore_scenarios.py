"""`bsbpool explore` of scenario files: each in all orders of what falls into one instant, and with faults."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bsbpool.text import label

from . import say
from .exploring import Progress, Report, complain
from .outputs import Output


def are_scenarios(files: Sequence[str]) -> bool:
    """Whether these are scenario files, or folders of them."""
    return bool(files) and all(Path(file).is_dir() or Path(file).suffix in (".yaml", ".yml") for file in files)


def explore_scenarios(files: Sequence[str], outputs: Sequence[Output], limits: Mapping[str, Any]) -> None:
    """Explore scenarios, with a line for each and what was found in it; then exit.

    :param limits: the budget and the faults, where they are not what each scenario says.
    """
    from bsbpool_sim.errors import SimulationError
    from bsbpool_sim.exploring import kept
    from bsbpool_sim.exploring.scenarios import explore_scenario
    from bsbpool_sim.scenario import ScenarioError, load

    quiet = any(each.to_standard_output for each in outputs)
    report = Report(quiet, 4)
    found: list[dict[str, Any]] = []
    unusable = interrupted = False
    for file in files:
        try:
            scenario = load(file)
            with Progress() as progress:
                exploration = explore_scenario(scenario, progress=progress.show, **limits)
        except (ScenarioError, SimulationError) as error:
            unusable = True
            complain(str(error) if isinstance(error, ScenarioError) else f"{file} can't be explored: {error}")
            continue
        good = not exploration.findings
        say(f"{'✓' if good else '✗'} {label(scenario.title)}  {file}: {exploration}", err=quiet)
        faults = scenario.model.explore.faults if limits["faults"] is None else limits["faults"]

        def again(finding: Any, file: str = file, seed: int = scenario.seeds[0], faults: int = faults) -> str:
            return kept.scenario_again(finding, file, seed, faults)

        report.findings(exploration, again)
        found.append({"scenario": file, "faults": faults, **kept.as_data(exploration, again)})
        if interrupted := exploration.interrupted:
            break
    findings = [{"scenario": each["scenario"], **finding} for each in found for finding in each["findings"]]
    data = {
        "generator": "bsbpool explore",
        "findings": findings,
        "schedules": sum(each["schedules"] for each in found),
        "complete": not interrupted and not unusable and all(each["complete"] for each in found),
        "scenarios": found,
    }
    complete = sum(each["complete"] for each in found)
    report = Report(quiet)
    of = f"{len(found)} of {len(files)} scenarios explored, {complete} of them completely"
    how_many = f"{len(findings) or 'no'} finding{'s' if len(findings) != 1 else ''}"
    stopped = " (interrupted)" if interrupted else ""
    report.line(f"{of}: {data['schedules']} schedules; {how_many}{stopped}")
    for output in outputs:
        output.write((json.dumps(data) + "\n").encode())
    sys.exit(2 if unusable else int(bool(findings)))
