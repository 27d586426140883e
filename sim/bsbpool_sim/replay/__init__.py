"""Runs a recorded run again: exactly (`replay`), or with one change (`what_if`).

This file has only the public names.
"""

from .ending import ReplayError
from .exact import Replay, replay
from .whatif import Change, what_if

__all__ = ["Change", "Replay", "ReplayError", "replay", "what_if"]
