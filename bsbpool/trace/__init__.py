"""Traces: the record of a real or simulated run, in one format.

`format` defines the format, as data; `recording` makes traces, and `reading` reads their files. Drawing, comparing and
replaying only read traces. A trace contains no pickles: opening a trace from somebody else runs no code of theirs.
"""

from typing import TYPE_CHECKING, Any

from ..exceptions import TraceError
from .format import EVENTS, FIELDS, FOLDED, VERSION, Trace, describe
from .recording import Recorder

if TYPE_CHECKING:
    from .listener import TraceRecorder
    from .reading import read_trace

__all__ = [
    "EVENTS", "FIELDS", "FOLDED", "VERSION", "Recorder", "Trace", "TraceError", "TraceRecorder", "describe",
    "read_trace",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "TraceRecorder":  # it needs worlds, which need what is here
        from .listener import TraceRecorder

        return TraceRecorder
    if name == "read_trace":  # most runs read none
        from .reading import read_trace

        return read_trace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
