"""Hooks for a framework around the pool, such as BSB. Without a framework they do nothing.

The pool calls the hooks of the `current` framework, which `bsbpool.bsb` sets. They must not depend on the rank, since
simulated ranks share the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Host", "chunks_of"]


class Host:
    """The hooks. Derive from it, and set `current`."""

    def run_job(self, function: Callable[[], Any]) -> Any:
        """Run the user's code of a job, on the rank that runs it, and return its result."""
        return function()

    def chunks(self, chunks: Any) -> Any:
        """Convert the chunks of a job to what `SubmissionContext.chunks` returns.

        :param chunks: the chunks that were given on submission; never None.
        """
        return chunks

    def owner_again(self, owner: Any) -> Callable[[Sequence[Path]], Any] | None:
        """Return a function that makes such an owner again in another process, to run a job from its kept call.

        :returns: a function that can be pickled; it is called with the folders that may have the
            files of that run. None if the owner can't be made again.
        """
        return None


#: The framework; None if there is none.
current: Host | None = None


def chunks_of(chunks: Any) -> Any:
    """Convert the chunks of a job to the type that users of the framework know."""
    return chunks if current is None or chunks is None else current.chunks(chunks)
