"""Recorded runs, again: exactly (`replay`), or with one thing changed.

Only the front door is here.
"""

from .exact import Replay, ReplayError, replay

__all__ = ["Replay", "ReplayError", "replay"]
