"""The submitter of a job, and its description. The work of a job belongs in `jobs`."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from .. import host
from ..values import name_of


class Names:
    """Names of submitters, in a row: mostly all are one function, whose text takes as long as half of queueing it."""

    def __init__(self) -> None:
        self._last: Any = None
        self._qualname = self._name = ""

    def of(self, submitter: Any) -> str:
        """The name of a submitter."""
        plain = type(submitter) is FunctionType
        if plain and submitter is self._last and submitter.__qualname__ is self._qualname:
            return self._name
        name = name_of(submitter)
        if plain and not submitter.__dict__:  # one that has attributes may have its name from them
            self._last, self._qualname, self._name = submitter, submitter.__qualname__, name
        return name


class SubmissionContext:
    """The submitter of a job, and information about it.

    :param submitter: the object that submits; its `get_node_name()`, if it has one, names the job.
    :param chunks: the chunks that the job is about.
    :param kwargs: further information, by name; each entry can also be read as an attribute.

    >>> from bsbpool.pool import SubmissionContext
    >>> context = SubmissionContext("golgi", chunks=[(0, 0, 1)], attempt=2)
    >>> context.name, context.attempt, context.context
    ('golgi', 2, {'attempt': 2})
    """

    __slots__ = ("_chunks", "_context", "_submitter")

    def __init__(self, submitter: Any, chunks: Any = None, **kwargs: Any):
        self._submitter = submitter
        self._chunks = chunks
        self._context = kwargs

    @property
    def name(self) -> str:
        """The node name of the submitter, or its text."""
        return name_of(self._submitter)

    @property
    def submitter(self) -> Any:
        """The object that submitted."""
        return self._submitter

    @property
    def chunks(self) -> Any:
        """The chunks that the job is about; in BSB a sorted list of its `Chunk`."""
        return host.chunks_of(self._chunks)

    @property
    def context(self) -> dict[str, Any]:
        """A copy of the context."""
        return dict(self._context)

    def __getattr__(self, name: str) -> Any:
        if name not in SubmissionContext.__slots__ and name in self._context:
            return self._context[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}, nor has its context")
