"""What a program is, and how Python begins to run it: a script, a folder, an archive, a module or code.

Running it on ranks belongs in `program_run`.
"""

from __future__ import annotations

import builtins
import os
import runpy
import sys
import traceback
import types
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import BuiltinImporter, PathFinder, SourceFileLoader
from typing import Any

from bsbpool.worlds.opening import open_to_read

LARGEST_SCRIPT = 64 * 10**6  # bytes


class ProgramError(Exception):
    """A program can't be run. The message says why, and what would be right."""


@dataclass(frozen=True)
class Program:
    """What to run: ``python script.py``, ``python -m module`` or ``python -c code``, with arguments.

    :ivar name: the path of the script, the name of the module, or the code.
    :ivar kind: ``script``, ``module`` or ``code``.
    """

    name: str
    kind: str = "script"
    arguments: tuple[str, ...] = ()


def variables_of_main() -> dict[str, Any]:
    """Return the variables of `__main__` with which Python begins."""
    names: dict[str, Any] = {"__package__": None, "__loader__": BuiltinImporter, "__spec__": None}
    if sys.version_info < (3, 14):
        names["__annotations__"] = {}
    return {**names, "__builtins__": builtins}


def prepared(program: Program) -> tuple[Callable[[types.ModuleType], None], str]:
    """What runs a program in a rank's `__main__`, and the first folder of its `sys.path`.

    :raises ProgramError: there is no such program, or it is no Python.
    """
    if program.kind == "code":
        return _executes(_compiled(program.name, "<string>"), lambda: {}), ""
    if program.kind == "module":
        top = program.name.partition(".")[0]
        if top not in sys.builtin_module_names and PathFinder.find_spec(top, [os.getcwd(), *sys.path[1:]]) is None:
            missing = f"there is no module {top}, neither here nor installed: give the name of one, or a script"
            raise ProgramError(missing)
        return _module(program.name), os.getcwd()
    path = os.path.join(os.getcwd(), program.name)  # as Python has it in __file__, with "." and ".."
    if os.path.isdir(path) or (os.path.isfile(path) and zipfile.is_zipfile(path)):
        if os.path.isdir(path) and not os.path.isfile(os.path.join(path, "__main__.py")):
            raise ProgramError(f"{program.name} is a folder without a __main__.py: give the path of a script")
        return _module("__main__"), os.path.abspath(path)
    try:
        with open_to_read(path) as file:
            source = file.read(LARGEST_SCRIPT + 1)
    except FileNotFoundError:
        wanted = "/dev/stdin for a program from a pipe" if program.name == "-" else "the path of a Python program"
        missing = f"there is no script {program.name}: give {wanted}, or -m MODULE"
        raise ProgramError(missing) from None
    except OSError as error:
        raise ProgramError(f"{program.name} can't be read: {error.strerror}") from None
    if len(source) > LARGEST_SCRIPT:
        raise ProgramError(f"{program.name} has more than {LARGEST_SCRIPT // 10**6} MB, the most that a script has")

    def names() -> dict[str, Any]:
        return {"__file__": path, "__cached__": None, "__loader__": SourceFileLoader("__main__", path)}

    return _executes(_compiled(source, path), names), os.path.dirname(os.path.realpath(path))


def _compiled(source: str | bytes, path: str) -> types.CodeType:
    try:
        return compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        text = "".join(traceback.format_exception_only(error)).rstrip()
        raise ProgramError(f"this is no Python that can be run:\n{text}") from None


def _executes(code: types.CodeType, names: Callable[[], dict[str, Any]]) -> Callable[[types.ModuleType], None]:
    def run(main: types.ModuleType) -> None:
        main.__dict__.update(names())
        exec(code, main.__dict__)

    return run


def _module(name: str) -> Callable[[types.ModuleType], None]:
    """What runs a module as ``python -m`` does; it is looked for on each rank, since its packages are imported."""

    def run(main: types.ModuleType) -> None:
        finds: Any = runpy
        try:
            if name == "__main__":
                _, spec, code = finds._get_main_module_details(_NoModule)
            else:
                _, spec, code = finds._get_module_details(name, _NoModule)
        except _NoModule as error:
            print(f"{sys.executable}: {error}", file=sys.stderr)
            raise SystemExit(1) from None
        main.__dict__.update(
            __file__=spec.origin, __cached__=spec.cached, __loader__=spec.loader, __package__=spec.parent, __spec__=spec
        )
        if name != "__main__":
            sys.argv[0] = spec.origin
        exec(code, main.__dict__)

    return run


class _NoModule(Exception):
    """There is no module of that name."""
