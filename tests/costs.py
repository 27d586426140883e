"""What a call costs, counted in steps of Python: the same on each machine, however busy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any


def steps(function: Callable[[], Any], module: ModuleType | None = None) -> int:
    """How many instructions of Python's a call takes, in one module or in all."""
    count = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        if module is not None and frame.f_code.co_filename != module.__file__:
            return None
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def assert_linear(
    made: Callable[[int], Callable[[], Any]], few: int = 100, many: int = 400, module: ModuleType | None = None
) -> None:
    """The steps of what `made(n)` gives grow as n does."""
    less, more = steps(made(few), module), steps(made(many), module)
    assert more < 1.3 * many / few * less
