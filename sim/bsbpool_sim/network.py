"""The network: computes when a message that is sent now arrives. Senders and contents do not belong here."""

from __future__ import annotations

from .kernel import SECOND


class Network:
    """Latency, bandwidth and delays of links; messages between two ranks never overtake each other.

    :param latency: seconds between the start of a send and the arrival of its first byte.
    :param bandwidth: bytes per second of a link; None: unlimited.
    """

    def __init__(self, latency: float = 0.0, bandwidth: float | None = None):
        self._delays: dict[tuple[int, int], int] = {}
        self._last: dict[tuple[int, int], int] = {}
        #: whether nothing has taken any time so far, so that each message arrives as it is sent.
        self.instant = True
        self.set(latency, bandwidth)

    def set(self, latency: float, bandwidth: float | None) -> None:
        """Set the latency in seconds and the bandwidth in bytes per second (None: unlimited) of all messages from now
        on.
        """
        self._latency = round(latency * SECOND)
        self._per_byte = 0.0 if bandwidth is None else SECOND / bandwidth
        #: whether how long a message takes depends on its size.
        self.weighs = bandwidth is not None
        self._look()

    def delay(self, source: int, dest: int, ns: int) -> None:
        """Delay messages from `source` to `dest` by `ns` nanoseconds from now on."""
        self._delays[source, dest] = ns
        self._look()

    def _look(self) -> None:
        self.instant = not (self._latency or self._per_byte or self._delays or self._last)

    def takes(self, size: int) -> int:
        """Return the nanoseconds that `size` bytes take over a link without delay."""
        return self._latency + round(size * self._per_byte)

    def arrival(self, now: int, source: int, dest: int, size: int, longer: int = 0) -> int:
        """Return when a message of `size` bytes arrives that `source` sends to `dest` at `now`.

        :param longer: nanoseconds that this message takes more than others of its link.
        """
        if self.instant and not longer:
            return now
        self.instant = False
        link = (source, dest)
        arrival = now + longer + self._latency + round(size * self._per_byte)
        if self._delays:
            arrival += self._delays.get(link, 0)
        last = self._last.get(link, 0)
        if arrival < last:
            arrival = last
        self._last[link] = arrival
        return arrival
