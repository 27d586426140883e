"""The three forms of a collective call: blocking, non-blocking and persistent. Each is made from one `Part`.

Which parts there are belongs to `collective_parts`, `reduction_parts`, `object_collectives` and `neighbours`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from bsbpool.frames import file_of

from ..errors import MPIError
from .collective_call import Collective, Part
from .constants import ANY_SOURCE, ANY_TAG
from .endpoint import Endpoint
from .info import hints_of
from .persistent_requests import Prequest
from .requests import Request
from .status import fill

_HERE = os.path.dirname(os.path.dirname(__file__)) + os.sep


def _line() -> tuple[Any, int]:
    """Where the program made the call."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return file_of(frame), frame.f_lineno


class CollectiveRequest(Request):
    """The request of a collective call that was begun. When it is complete, the results are in the rank's buffers.

    :param end: this rank's end of the communicator.
    :param part: what it brings and takes.
    :param line: file and line of the call.
    :ivar line: those of the call, or of the start of a persistent one.
    """

    _is_done = False

    def __init__(self, end: Endpoint, part: Part, line: tuple[Any, int]):
        super().__init__(end.cluster.kernel)
        self._rank, self._part, self.line = end.place, part, line
        self._call: Collective | None = None

    def waits_for(self) -> str:
        """Return what it waits for, in words."""
        if self._call is None:
            return f"Start() of {self._part.name}"
        text = self._call.waits_for(self._rank)
        return text if self._call.came(self._rank) else f"{text}, begun at {self.line[0]}:{self.line[1]}"

    def _gets_buffers(self) -> None:
        """The call has its buffers from now on, until it ends."""
        if self._kernel.cluster.buffers is not None:
            self._kernel.cluster.buffers.begins(self, self._part.given)

    def join(self, call: Collective) -> None:
        """Complete the request when `call` ends for this rank."""
        self._call = call
        call.complete(self._rank, self._part, self)

    def _end(self, status: Any) -> Any:
        self.over = True
        self._peek(status)

    def _peek(self, status: Any) -> None:
        # Whoever is told that the call has ended may look into the buffers.
        fill(status, ANY_SOURCE, ANY_TAG, 0)
        call, self._call = self._call, None
        if call is not None:
            self._gives_back()
            if self._kernel.cluster.races is not None:
                self._kernel.cluster.races.left(call, self._kernel.task.rank.index)
            self._part.take(call)

    def _given_up(self) -> None:
        if not self.over:
            raise MPIError(
                f"{self._part.name}: the request of a collective call can't be freed before its end: wait for it",
                "ERR_REQUEST",
            )

    def _cancel(self) -> None:
        """Collective calls can't be given up."""
        raise MPIError(f"{self._part.name}: a collective call can't be cancelled", "ERR_REQUEST")


class PersistentCollective(CollectiveRequest, Prequest):
    """A collective call that can be started again and again.

    The calls that make it are matched with each other like other collective calls; the n-th start of one rank, with the
    n-th of the others.
    """

    def __init__(self, end: Endpoint, part: Part, line: tuple[Any, int]):
        super().__init__(end, part, line)
        self._context = end.meeting
        self._key: int = end.meeting.announce(self._rank, part)
        self._starts = 0
        self.done = self.over = True

    def _start(self) -> None:
        self.line = _line()
        self._starts += 1
        self.done = self.over = False
        payload, size = self._part.bring()
        self.join(self._context.start(self._rank, self._part, (self._key, self._starts), payload, size))
        self._gets_buffers()


class Forms(Endpoint):
    """Makes collective calls of one rank in their three forms."""

    def _now(self, part: Part) -> Any:
        """Make a call, and wait until it ends for this rank. Returns what the method returns."""
        if self.cluster.buffers is not None and (given := part.given):
            self.cluster.buffers.touches(given)
        payload, size = part.bring()
        rank = self.place
        call = self.meeting.enter(rank, part, payload, size)
        call.wait(rank, part)
        return part.take(call)

    def _begin(self, part: Part) -> Request:
        """Begin a call."""
        payload, size = part.bring()
        request = CollectiveRequest(self, part, _line())
        request.join(self.meeting.enter(self.place, part, payload, size))
        request._gets_buffers()
        return request

    def _plan(self, part: Part, info: Any) -> Prequest:
        """Make a persistent call.

        :param info: hints, which nothing heeds.
        """
        hints_of(info, part.name)
        return PersistentCollective(self, part, _line())

    def _together(
        self,
        name: str,
        payload: Any = None,
        size: int = 0,
        *,
        root: int | None = None,
        waits: str = "all",
        detail: str = "",
    ) -> Collective:
        """Make a call that is no transfer of buffers or objects.

        :returns: the call, with what each rank brought; `result` is for what the first computes for all.
        """
        part = Part(name, lambda: (payload, size), _itself, waits, root, detail)
        call: Collective = self._now(part)
        return call

    def _begin_together(
        self, name: str, payload: Any = None, take: Callable[[Collective], Any] | None = None
    ) -> tuple[Collective, Request]:
        """Begin a call that is no transfer of buffers or objects, in which all wait for all.

        :param take: called when the request has ended.
        :returns: the call, and a request that completes when it ends.
        """
        part = Part(name, lambda: (payload, 0), take or _itself)
        request = CollectiveRequest(self, part, _line())
        call = self.meeting.enter(self.place, part, payload, 0)
        request.join(call)
        return call, request

    def _in_order(self, call: Collective) -> list[Any]:
        """What ranks brought, by rank."""
        return [call.payloads[r] for r in range(len(self.meeting.members))]


def _itself(call: Collective) -> Collective:
    return call
