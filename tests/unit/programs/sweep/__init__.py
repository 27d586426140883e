"""A parameter sweep: rank 0 hands tasks to whoever asks. The library binds its communicator as it is imported."""

from .workers import COMM, run

__all__ = ["COMM", "run"]
