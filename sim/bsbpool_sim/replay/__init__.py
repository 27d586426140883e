"""Runs a recorded run again: exactly (`replay`), or with one change (`what_if`).

Only the front door is here.
"""

from .ending import ReplayError
from .exact import Replay, replay
from .whatif import Change, what_if

__all__ = ["Change", "Replay", "ReplayError", "replay", "what_if"]
