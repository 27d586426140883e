"""Scenario files: tests in YAML, which describe a cluster, a pool, its jobs and its faults, and the expected outcome.

``load(path)`` returns a `Scenario`, ``run(path)`` runs it. The language itself is in `model`.
"""

from .document import ScenarioError
from .model import schema, schema_text
from .outcome import Failure, Outcome
from .running import Result, Scenario, load, parse, run

__all__ = ["Failure", "Outcome", "Result", "Scenario", "ScenarioError", "load", "parse", "run", "schema", "schema_text"]
