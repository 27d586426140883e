"""Scenario files: in YAML, what a cluster, a pool and its jobs are, what goes wrong when, and what must come of it.

``load(path)`` gives a `Scenario`, ``run(path)`` runs it. The language itself is in `model`.
"""

from .document import ScenarioError
from .expecting import Failure, Outcome
from .model import schema, schema_text
from .running import Result, Scenario, load, parse, run

__all__ = ["Failure", "Outcome", "Result", "Scenario", "ScenarioError", "load", "parse", "run", "schema", "schema_text"]
