"""What kind of file an argument names, for commands that are given one of another kind: which command takes it."""

from __future__ import annotations

import json
import os
import shlex
import stat
from typing import Any

import click

#: Bytes of a file that are looked at.
_LOOKED_AT = 1 << 16

#: What each kind is, and the commands for it.
_COMMANDS = {
    "trace": ("the trace of a run", "bsbpool show {0}, or bsbpool replay {0}"),
    "recording": ("a recorded run, or other data in JSON", "bsbpool run {0}"),
    "scenario": ("a scenario", "bsbpool run {0}, or bsbpool explore {0}"),
    "program": ("a program", "bsbpool simulate -n 4 {0}, or bsbpool explore -n 4 {0}"),
}
_ENDINGS = {".yaml": "scenario", ".yml": "scenario", ".py": "program"}


class FileName(click.Path):
    """The name of a file; an empty one is that of none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take any name but none.

        :raises BadParameter: it is empty.
        """
        if value == "":
            self.fail("the name of the file is empty: is a variable of the shell not set?", param, ctx)
        return super().convert(value, param, ctx)


def kind_of(path: str) -> str | None:
    """Return ``"trace"``, ``"recording"``, ``"scenario"`` or ``"program"``; None if that can't be told, or read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None  # a pipe can be read once
        with open(path, "rb") as file:
            head = file.read(_LOOKED_AT)
    except (OSError, ValueError):
        return None
    if head[:2] == b"\x1f\x8b":
        return "trace" if path.endswith(".trace.gz") else None
    if head.lstrip()[:1] == b"{":
        try:
            first = json.loads(head.split(b"\n", 1)[0])
        except (ValueError, RecursionError):
            first = None
        if isinstance(first, dict) and first.get("trace") == "bsbpool":
            return "trace"
        if path.endswith(".json"):
            return "recording"
    return _ENDINGS.get(os.path.splitext(path)[1])


def better_command(path: str, *fits: str) -> str:
    """Return what to say of a file that is of another kind than these, with the commands for it; else nothing."""
    if path == "-" and not os.path.exists(path):
        return "to read the standard input, name /dev/stdin"
    kind = kind_of(path)
    if kind is None or kind in fits:
        return ""
    what, commands = _COMMANDS[kind]
    return f"this is {what}: {commands.format(shlex.quote(path))}"


def check_program(program: tuple[str, ...]) -> None:
    """Refuse what is no script of Python, although Python may find something to run in it.

    :raises UsageError: it is something else.
    """
    if program[:1] == ("",):
        raise click.UsageError("the name of the script is empty: is a variable of the shell not set?")
    if program and program[0] != "-" and (better := better_command(program[0], "program")):
        raise click.UsageError(f"{program[0]} is no program: {better}")
