"""Really runs the calls of failed jobs that were kept beside a trace. This requires that the user trusts their author.

Reading the calls without running them belongs in `bsbpool.trace.recorded_calls`.
"""

from __future__ import annotations

import importlib
import io
import pickle
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bsbpool.pool.calls import bind
from bsbpool.trace import Trace
from bsbpool.trace.recorded_calls import Call, calls_path, read_calls
from bsbpool.tracebacks import describe_with_causes


class Calls:
    """The calls that go with a trace; making one of them a function runs code of theirs.

    :ivar ran: how many were run.
    :ivar missing: why others could not be, by pool and job.
    :raises TraceError: there are none.
    """

    def __init__(self, path: str, trace: Trace):
        self._calls = read_calls(calls_path(path), trace)
        self._labels = [event.pool for event in trace.events if event.e == "pool"]
        self._header = trace.header
        self._beside = Path(path).resolve().parent
        self._program: Mapping[str, Any] | None = None
        self.ran = 0
        self.missing: dict[tuple[int | str, int], str] = {}

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def cut(self) -> bool:
        """Whether the end of their file is missing, so that there may have been others."""
        return self._calls.cut

    @property
    def jobs(self) -> Sequence[tuple[int | str, int]]:
        """Pool and id of each job whose call is there."""
        return list(self._calls)

    def name(self, pool: int | str, job: int) -> str:
        """The name of a job."""
        return self._calls[pool, job].name

    def function(self, pool: int | str, job: int, owner: Any) -> Callable[[], Any]:
        """What does that job, on this owner, or on the one that the call says how to make: a network of BSB's.

        :raises Exception: it can't be unpickled here, or its owner can't be made.
        """
        call, again = self._unpickled(self._calls[pool, job])
        return bind(call, owner if again is None else again(self._places()))

    def for_replay(self, number: int, job: int, owner: Any) -> Callable[[], Any] | None:
        """What does a job of a pool (its number in the trace) in a replay; None if its call is not there."""
        label = self._labels[number]
        if (label, job) not in self._calls:
            return None
        try:
            function = self.function(label, job, owner)
        except Exception as error:
            self.missing[label, job] = describe_with_causes(error)
            return None
        self.ran += 1
        return function

    def _unpickled(self, call: Call) -> tuple[tuple[Any, Any, Any], Callable[[Sequence[Path]], Any] | None]:
        """A call, and what makes its owner again, if that is kept with it."""
        self._find_modules()
        called, args, kwargs, *again = _Unpickler(io.BytesIO(call.packed), self._main).load()
        return (called, args, kwargs), again[0] if again else None

    def _find_modules(self) -> None:
        """The program's own modules are to be found, as they were when it ran."""
        for place in reversed(self._places()):
            if str(place) not in sys.path:
                sys.path.insert(0, str(place))

    def _places(self) -> list[Path]:
        """Where the program's modules may be: where Python looked for them, beside the trace, or here.

        The folder of a module that ran with ``-m`` is none of these: its modules belong to its package, and have other
        names there.
        """
        folder = Path(str(self._header.get("folder") or "."))
        program = folder / str(self._header.get("program") or "")
        places = [folder, self._beside, Path.cwd()]
        return places if self._header.get("module") else [program.parent, *places]

    def _main(self, name: str) -> Any:
        """What the program itself defined under that name. Like multiprocessing, it must guard what it runs."""
        if self._program is None:
            module, program = self._header.get("module"), self._header.get("program")
            if module:
                self._program = vars(importlib.import_module(str(module)))
            else:
                name_of_file = Path(str(program)).name
                paths = [place / name_of_file for place in self._places()]
                path = next((path for path in paths if path.is_file()), None)
                if path is None:
                    raise FileNotFoundError(
                        f"{name_of_file}, the program that was recorded, is not in {paths[0].parent}; put it beside "
                        "the trace, or into this folder"
                    )
                self._program = runpy.run_path(str(path), run_name="__mp_main__")
        found: Any = self._program[name.split(".")[0]]
        for part in name.split(".")[1:]:
            found = getattr(found, part)
        return found


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, main: Callable[[str], Any]):
        super().__init__(file)
        self._main = main

    def find_class(self, module: str, name: str) -> Any:
        return self._main(name) if module == "__main__" else super().find_class(module, name)
