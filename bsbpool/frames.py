"""Classifies frames of a stack: code of this project, of Python, of a tool, or of the user.

Reports name the line of the user's code. A frame is classified by the folder from which its module was loaded, wherever
that is: an editable install, ``site-packages``, a zip file, a link. Names of modules are not reliable: a user's folder
of tests may have the name of this package.
"""

from __future__ import annotations

import functools
import linecache
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from enum import Enum
from types import CodeType, FrameType, TracebackType
from typing import Any, TypeAlias

#: The packages of this project.
OWN_PACKAGES = ("bsbpool", "bsbpool_sim")

#: Packages whose code runs beside a program: what measures it, and what runs tests.
OBSERVERS = ("pytest", "_pytest", "pluggy", "xdist", "execnet", "coverage")
#: Packages between this project and the user's code. Any other package that the user calls counts as the user's:
#: a program may well be installed, and then lies in `site-packages` itself.
TOOLS = ("mpi4py", "greenlet", "cloudpickle", "click", *OBSERVERS)

_HERE = os.path.dirname(__file__) + os.sep
_PYTHON = os.path.dirname(os.__file__) + os.sep
#: The folders of installed packages, those of virtual environments as well.
_PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


#: The files of packages; the file of code, and that of its module.
PackageFiles: TypeAlias = tuple[str, ...]
CodeFiles: TypeAlias = tuple[str, ...]


class Whose(Enum):
    """The owners of code."""

    OWN = "this project's"
    PYTHON = "Python's own library's"
    TOOL = "a tool's"
    USER = "the user's"


def whose(frame: FrameType) -> Whose:
    """Return whose code a frame runs."""
    of = whose_code(frame.f_code, frame.f_globals)
    return Whose.TOOL if of is Whose.USER and _is_console_script(frame) else of


def whose_code(code: CodeType, variables: dict[str, Any]) -> Whose:
    """Return whose a function is.

    :param code: its code.
    :param variables: those of its module.
    """
    module = variables.get("__file__")
    # The file of the module, since code may have no file (dataclasses generate some), or was compiled elsewhere.
    files = (code.co_filename, module) if isinstance(module, str) else (code.co_filename,)
    if _in_own_packages(files, _files(OWN_PACKAGES)):
        return Whose.OWN
    return _of_others(files, _files(TOOLS))


@functools.lru_cache(maxsize=8192)
def _in_own_packages(files: CodeFiles, own: PackageFiles) -> bool:
    """Whether code is in the folders of this project."""
    return any(each.startswith((_HERE, *_folders(own))) for each in files)


@functools.lru_cache(maxsize=8192)
def _of_others(files: CodeFiles, tools: PackageFiles) -> Whose:
    """Whose code is that is in none of these."""
    if library(files[0]) == "":
        return Whose.PYTHON
    return Whose.TOOL if any(each.startswith(_folders(tools)) for each in files) else Whose.USER


def library(file: str) -> str | None:
    """Return the library of a file: the name of an installed package; "" for Python's own; None if it is in none."""
    for folder in _PACKAGES:
        if folder in file:
            return file.rpartition(folder)[2].partition(os.sep)[0].partition(".")[0]
    return "" if file.startswith((_PYTHON, "<frozen ")) else None


def is_observers(frame: FrameType) -> bool:
    """Return whether a frame runs code that observes the program, such as that which measures coverage."""
    return frame.f_code.co_filename.startswith(_folders(_files(OBSERVERS)))


def is_own(frame: FrameType) -> bool:
    """Return whether a frame runs code of this project."""
    return whose(frame) is Whose.OWN


def is_users(frame: FrameType) -> bool:
    """Return whether a frame runs the user's code."""
    return whose(frame) is Whose.USER


def outward(frame: FrameType | None) -> Iterator[FrameType]:
    """Give a frame and its callers, the innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def file_of(frame: FrameType) -> str:
    """Return the file of the code of a frame, even if cloudpickle has removed the name of the file.

    Such code still has the file of its module. That is its own file if the first line of the code matches there.
    """
    code, module = frame.f_code, frame.f_globals.get("__file__")
    if code.co_filename == "<dynamic-code>" and isinstance(module, str):
        line = linecache.getline(module, code.co_firstlineno)
        start = "lambda" if code.co_name == "<lambda>" else f"def {code.co_name}("
        if start in line or line.lstrip().startswith("@"):
            return module
    return code.co_filename


def users_frame(frames: Iterable[FrameType]) -> FrameType | None:
    """Return the frame that a report names.

    :param frames: a stack, the innermost frame first.
    :returns: the innermost frame of the user; if there is none, the innermost that is not of this project; otherwise
        the innermost. None if there are no frames.
    """
    frames = list(frames)
    for fits in (is_users, lambda frame: not is_own(frame), lambda frame: True):
        for frame in frames:
            if fits(frame):
                return frame
    return None


def from_users(frame: FrameType) -> list[FrameType]:
    """Return the stack of a frame as users see it.

    :returns: frames, the innermost last: from the outermost of the user on, the frames of the user and of Python. If
        there is none of the user, all except those of tools.
    """
    stack = [(each, whose(each)) for each in outward(frame)][::-1]
    first = next((number for number, (_, of) in enumerate(stack) if of is Whose.USER), None)
    if first is None:
        return [each for each, of in stack if of is not Whose.TOOL]
    return [each for each, of in stack[first:] if of in (Whose.USER, Whose.PYTHON)]


def without_own(trace: TracebackType | None) -> TracebackType | None:
    """Remove the first frames of a traceback that are of this project; keep the innermost if there are no others."""
    while trace is not None and trace.tb_next is not None and is_own(trace.tb_frame):
        trace = trace.tb_next
    return trace


def warn(message: str) -> None:
    """Issue a warning at the user's line that caused it."""
    level = 1  # of the caller
    for depth, frame in enumerate(outward(sys._getframe(1)), 1):
        if is_users(frame):
            level = depth
            break
    warnings.warn(message, stacklevel=level + 1)


def _files(packages: Iterable[str]) -> PackageFiles:
    """Return the files of the packages that are loaded."""
    loaded = sys.modules.get
    files = [getattr(loaded(package), "__file__", None) for package in packages]
    return tuple([file for file in files if isinstance(file, str)])


@functools.lru_cache
def _folders(files: PackageFiles) -> tuple[str, ...]:
    """Return the folders of files."""
    return tuple(os.path.dirname(file) + os.sep for file in files)


def _is_console_script(frame: FrameType) -> bool:
    """Whether a frame runs a script that an installer made: a file without an ending, beside Python."""
    file = frame.f_code.co_filename
    if frame.f_globals.get("__name__") != "__main__" or os.path.splitext(file)[1]:
        return False
    return os.path.dirname(os.path.abspath(file)) == os.path.dirname(sys.executable)
