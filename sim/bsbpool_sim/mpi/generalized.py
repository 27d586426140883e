"""Generalised requests: operations of the program's own, which it completes itself."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any

from ..errors import MPIError
from .constants import ANY_SOURCE, ANY_TAG
from .requests import Request
from .running_rank import running_task
from .status import Status, fill


class Grequest(Request):
    """A request that the program completes.

    :raises TypeError: it is made a further handle of a request that is none.
    """

    _query: Callable[..., None] | None = None
    _release: Callable[..., None] | None = None
    _cancelled: Callable[..., None] | None = None
    _arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    _object: Any = None

    def __init__(self, of: Any = None, why: Any = None):
        if isinstance(of, Request) and of and not isinstance(of._own, Grequest):
            raise TypeError(f"Grequest takes an MPI.Grequest, not {type(of._own).__name__}")
        super().__init__(of, why)

    @classmethod
    def Start(
        cls,
        query_fn: Callable[..., None] | None = None,
        free_fn: Callable[..., None] | None = None,
        cancel_fn: Callable[..., None] | None = None,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> Grequest:
        """Make a request.

        :param query_fn: called with a status, which it fills, when the request has ended or somebody asks.
        :param free_fn: called when the request goes.
        :param cancel_fn: called with whether the request was completed, when it is cancelled.
        :param args: what each of them is called with besides; `kwargs` the same, by name.
        """
        self = Grequest(running_task().kernel, lambda: "its generalised request to be completed (Grequest)")
        self._query, self._release, self._cancelled = query_fn, free_fn, cancel_fn
        self._arguments = tuple(args or ()), dict(kwargs or {})
        return self

    def Complete(self) -> None:
        """The operation is complete.

        :raises MPIError: it was already, or the request is null.
        """
        own = self._there("Complete")
        if own.done:
            raise MPIError("Complete of a request that was completed already", "ERR_REQUEST")
        own.complete()

    def complete(self, obj: Any = None) -> None:
        """The operation is complete, with a result: `wait` returns it."""
        own = self._own
        if isinstance(own, Grequest) and own is self:
            self._object, self.known = obj, True  # by its own program
            super().complete()
        else:
            own.complete(obj)

    def _call(self, function: Callable[..., None] | None, *first: Any) -> None:
        """Call a function of the program's; what it raises is an error of MPI, as MPI has no other."""
        if function is None:
            return
        args, kwargs = self._arguments
        try:
            function(*first, *args, **kwargs)
        except Exception as error:
            traceback.print_exception(error, file=sys.stderr)
            code = error.Get_error_class() if isinstance(error, MPIError) else None
            text = f"a function of a generalised request raised {type(error).__name__}: {error}"
            raise MPIError(text, "ERR_OTHER") if code is None else MPIError(code)  # it was shown
        return

    def _end(self, status: Any) -> Any:
        self.over = True
        try:
            self._peek_into(status)
        finally:
            self._call(self._release)
        found, self._object = self._object, None
        return found

    def _peek(self, status: Any) -> None:
        if self.over:
            fill(status, ANY_SOURCE, ANY_TAG, 0)
        else:
            self._peek_into(status)

    def _peek_into(self, status: Any) -> None:
        own = Status()
        self._call(self._query, own)
        cancelled = own.cancelled and self._cancelled is not None
        fill(status, own.source, own.tag, own.count, cancelled)
        if isinstance(status, Status):
            status.error = own.error

    def _cancel(self) -> None:
        self._call(self._cancelled, self.done)

    def _given_up(self) -> None:
        if self.done and not self.over:
            self.over = True
            self._call(self._release)
