"""Traces: what happened in a run, real or simulated, in one format.

`format` is the format, as data; `recording` makes traces. Drawing, comparing and replaying read what
is here and add nothing to it. A trace holds no pickle: opening somebody's trace runs no code of theirs.
"""

from .format import EVENTS, VERSION, Trace, describe
from .recording import Recorder

__all__ = ["EVENTS", "VERSION", "Recorder", "Trace", "describe"]
