"""Traces: what happened in a run, real or simulated, in one format.

`format` is the format, as data; `recording` makes traces, and `reading` reads their files. Drawing, comparing and
replaying read what is here and add nothing to it. A trace holds no pickle: opening somebody's trace runs no code of
theirs.
"""

from ..exceptions import TraceError
from .format import EVENTS, FIELDS, VERSION, Trace, describe
from .reading import read_trace
from .recording import Recorder

__all__ = ["EVENTS", "FIELDS", "VERSION", "Recorder", "Trace", "TraceError", "describe", "read_trace"]
