"""The schedules that earlier explorations have covered, in a folder: the next exploration continues from there.

The folder has `covered.json`, and a file for each finding. Programs and scenarios are identified by their text: if one
has changed, its exploration starts again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bsbpool import __version__
from bsbpool.values import shown

from .exploration import Exploration, ExplorationError

_FORMAT = "bsbpool explore, covered, 1"


def identity(*parts: str, files: Sequence[str] = ()) -> str:
    """Return a text that changes when the explored program changes.

    :param parts: how it is explored.
    :param files: the files that it is made of, as far as they are known.
    """
    digest = hashlib.sha256("\0".join((__version__, *parts)).encode())
    for file in files:
        digest.update(b"\0" + Path(file).read_bytes())
    return digest.hexdigest()


class Covered:
    """The coverage of all programs that are explored into one folder.

    :raises ExplorationError: there is a file of that name that is none, or nothing can be written to the folder.
    """

    def __init__(self, folder: str):
        self._folder = Path(folder)
        self._file = self._folder / "covered.json"
        self._entries: dict[str, dict[str, Any]] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self._folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._folder))
            there = self._file.exists()
        except (OSError, ValueError) as error:
            raise self._unusable(error) from None
        if there:
            try:
                data = json.loads(self._file.read_text(encoding="utf-8"))
                good = isinstance(data, dict) and data.get("format") == _FORMAT
            except OSError as error:
                raise self._unusable(error) from None
            except ValueError:
                good = False
            if not good:
                raise ExplorationError(f"{self._file} does not say what was covered: name another folder")
            self._entries = data["explored"]

    def of(self, name: str, identity: str) -> Mapping[str, Any]:
        """What was covered of something: `drawn`, `schedules`, `seconds`, `complete`, `tried` (whether trying each
        schedule once was begun and did not end) and `findings`; empty if it is new, or has changed."""
        entry = self._entries.get(name, {})
        return entry if entry.get("identity") == identity else {}

    def add(self, name: str, identity: str, exploration: Exploration, findings: Sequence[dict[str, Any]]) -> None:
        """Add an exploration, and write all of it.

        :param findings: its findings as data.
        :raises ExplorationError: it can't be written.
        """
        before = self.of(name, identity)
        schedules = before.get("schedules", 0)
        if exploration.complete:
            schedules = exploration.schedules  # there are no others
        elif not before.get("complete"):
            schedules += exploration.schedules
        known = {_key(each): each for each in (*before.get("findings", ()), *findings)}
        self._entries[name] = {
            "identity": identity,
            "schedules": schedules,
            "drawn": before.get("drawn", 0) + exploration.drawn,
            "seconds": round(before.get("seconds", 0) + exploration.elapsed, 3),
            "complete": exploration.complete or before.get("complete", False),
            "tried": not exploration.complete and (before.get("tried", False) or exploration.tried),
            "findings": [*known.values()],
        }
        try:
            self._write(name, known)
        except OSError as error:
            raise self._unusable(error) from None

    def _write(self, name: str, known: Mapping[Any, dict[str, Any]]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": _FORMAT, "explored": self._entries}, indent=1) + "\n"
        new = self._file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self._file)
        for each in known.values():
            number = hashlib.sha256(repr((name, _key(each))).encode()).hexdigest()[:8]
            path = self._folder / f"{each['kind']}-{number}.json"
            path.write_text(json.dumps({"explored": name, **each}, indent=1) + "\n", encoding="utf-8")

    def _unusable(self, error: Exception) -> ExplorationError:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return ExplorationError(
            f"nothing can be kept in {shown(str(self._folder))[1:-1]}: {reason}; name a folder that can be written to"
        )

    def text(self, name: str, identity: str) -> str:
        """Return the coverage of a program in words."""
        entry = self.of(name, identity)
        found = len(entry["findings"])
        schedules = f"{entry['schedules']} schedule{'s' if entry['schedules'] != 1 else ''}"
        return (
            f"covered so far: {schedules} in {entry['seconds']:.0f} s, "
            f"{found or 'no'} finding{'s' if found != 1 else ''} ({shown(str(self._file))[1:-1]})"
        )


def _key(finding: Mapping[str, Any]) -> tuple[Any, ...]:
    return finding["kind"], finding["file"], finding["line"], finding["message"] if not finding["line"] else ""
