"""Sends in ready mode: they may begin only when their receives have. That is looked for in a run of its own; otherwise
they are as others.
"""

from __future__ import annotations

from typing import Any

from ..mailbox import SentMessage, fits
from .integer_arguments import integer
from .point_to_point import PointToPoint
from .requests import Request


class ReadySends(PointToPoint):
    """The calls of a communicator that send in ready mode."""

    def Rsend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send a buffer to a receiver that waits already."""
        self._is_ready(dest, tag)
        self.Send(buf, dest, tag)

    def _is_ready(self, dest: int, tag: int) -> None:
        """Take note of a send in ready mode, and see whether a receive waits for it, if somebody asks."""
        cluster = self.cluster
        cluster.has_ready_sends = True
        if not cluster.late_receives or cluster.audit is None or (to := self._peer(dest, "dest")) is None:
            return
        message = SentMessage(self._rank, integer(tag, "tag"), b"")
        if not any(fits(each, message) for each in self.context.boxes[to].posted):
            cluster.audit.not_ready(f"sends in ready mode before {self.context.someone(dest)} has begun to receive")

    def Irsend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send a buffer to a receiver that waits already; the request is complete at once."""
        self._is_ready(dest, tag)
        return self.Isend(buf, dest, tag)
