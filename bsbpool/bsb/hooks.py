"""What the pool does for BSB only."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import host
from ..worlds import world_of


class HooksOfBSB(host.Host):
    """The hooks of BSB in the pool."""

    def run_job(self, function: Callable[[], Any]) -> Any:
        try:
            from bsb_otel.tracer import local_tracing
        except ImportError:  # BSB 7 comes without
            return function()
        # Otherwise a span that a job opens without a parent is broadcast to all ranks, which wait for other messages.
        with local_tracing():
            return function()

    def chunks(self, chunks: Any) -> Any:
        from bsb.storage._chunks import chunklist

        return chunklist(chunks)

    def owner_again(self, owner: Any) -> Callable[[Sequence[Path]], Any] | None:
        storage = getattr(owner, "storage", None)
        root = None if storage is None else getattr(storage, "root", None)
        return functools.partial(network_again, os.path.abspath(root)) if isinstance(root, str | os.PathLike) else None


def network_again(root: str, folders: Sequence[Path]) -> Any:
    """Load a copy of a network from its storage, to run a job that may write to it.

    :param root: the file or folder of its storage.
    :param folders: other folders that may have it, under the same name.
    :returns: its `Scaffold`.
    :raises FileNotFoundError: it is in none of these folders.
    """
    from bsb import from_storage

    name = os.path.basename(root)
    places = [root, *(os.path.join(folder, name) for folder in folders)]
    found = next((place for place in places if os.path.exists(place)), None)
    if found is None:
        raise FileNotFoundError(
            f"the job's network, {name}, is not in {os.path.dirname(root)}; put it beside the trace, or into this "
            "folder"
        )
    folder = world_of(None).folder()
    copy = os.path.join(folder, name)
    if os.path.isdir(found):
        shutil.copytree(found, copy)
    else:
        shutil.copyfile(found, copy)
    network = _in_one_of(folders, functools.partial(from_storage, copy))
    weakref.finalize(network, shutil.rmtree, folder, ignore_errors=True)
    return network


def _in_one_of(folders: Sequence[Path], make: Callable[[], Any]) -> Any:
    """Make a network in the first of these folders where that works: BSB looks for its components in the current one.

    :raises Exception: it works in none of them; why not in the first.
    """
    first: Exception | None = None
    for folder in dict.fromkeys(each for each in folders if each.is_dir()):
        try:
            with contextlib.chdir(folder):
                return make()
        except Exception as error:
            first = first or error
    raise first or FileNotFoundError("none of the folders where the program may be is there")
