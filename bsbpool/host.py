"""What a framework around the pool, such as BSB, adds to it. Without a framework nothing is added.

The pool knows no framework: it asks the one that is `current` here. `bsbpool.bsb` sets it. What a framework adds must
not depend on the rank, since simulated ranks share the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Host", "chunks_of"]


class Host:
    """What a framework may add. Derive from it, and set `current`."""

    def run_job(self, function: Callable[[], Any]) -> Any:
        """Run the user's code of a job, on the rank that runs it, and return what it returns."""
        return function()

    def chunks(self, chunks: Any) -> Any:
        """The chunks of a job as `SubmissionContext.chunks` gives them.

        :param chunks: what the submitter gave; never None.
        """
        return chunks

    def owner_again(self, owner: Any) -> Callable[[Sequence[Path]], Any] | None:
        """What makes such an owner again, in another process, for a job that runs there from its kept call.

        :returns: a function that can be pickled: it is called with the folders where files of that run may be now. None
            if the owner can't be made again.
        """
        return None


#: The framework; None if there is none.
current: Host | None = None


def chunks_of(chunks: Any) -> Any:
    """The chunks of a job, as the framework's users know them."""
    return chunks if current is None or chunks is None else current.chunks(chunks)
