"""Opens the traces of real runs: the names of the files, and their first lines. The events belong to `trace`."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import platform
import socket
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ..frames import warn
from ..text import harmless
from ..trace.format import describe
from ..trace.recording import FileRecorder, Sink

#: The variable that names the trace of a program.
VARIABLE = "BSBPOOL_TRACE"

#: The trace of this process: what was requested (path, capture), the recorder, and the process that opened it.
_asked: tuple[str, bool] | None = None
_recorder: FileRecorder | None = None
_process = 0


def record_to(path: str, capture: bool = False) -> None:
    """Record the pools of this process from now on.

    :param path: the file; a relative path is one from the current folder.
    :param capture: keep the calls of failed jobs in a file beside it.
    """
    global _asked
    _asked = (os.path.abspath(path), capture)


def process_recorder(ranks: int, hosts: Sequence[str]) -> Sink | None:
    """Return the recorder of this process for a pool that opens; None if no recording was requested."""
    global _recorder, _process
    asked = _asked or ((os.path.abspath(os.environ[VARIABLE]), False) if os.environ.get(VARIABLE) else None)
    if asked is None:
        return None
    if _recorder is None or _process != os.getpid():  # a forked process does not use the recorder of its parent
        path, capture = asked
        try:
            _recorder = open_recorder(path, capture, ranks, hosts)
        except OSError as error:
            _forget_it(path, error)
            return None
        _process = os.getpid()
        atexit.register(_finish, _recorder, _process)
    return _recorder


def forget() -> None:
    """Undo `record_to` and detach the recorder, without closing its file: the next recorded pool opens another."""
    global _asked, _recorder
    _asked = _recorder = None


def recorded() -> str | None:
    """Return the path of the trace of this process; None if there is none."""
    return _recorder.path if _recorder is not None and _process == os.getpid() else None


def open_recorder(path: str, capture: bool, ranks: int, hosts: Sequence[str]) -> FileRecorder:
    """Begin a trace of this process.

    :param path: the file; if it exists, a number is added to the name.
    :param capture: keep the calls of failed jobs in a file beside it.
    :param ranks: the number of ranks of the pool.
    :param hosts: names of hosts by rank; one if all ranks are on it; none if they are not known.
    :raises OSError: the file can't be created.
    """
    file, path, calls = _create(os.path.abspath(path), _rank_of_process(), capture)
    header = about_this_process(max(ranks, _size_of_program()), hosts)
    when, start = datetime.now(UTC).isoformat(timespec="microseconds"), time.monotonic_ns()
    header = {**header, "run": f"{socket.gethostname()}-{os.getpid()}-{when}", "when": when, "process": os.getpid()}
    return FileRecorder(file, path, header, time.monotonic_ns, start, threading.RLock(), calls)


def about_this_process(ranks: int, hosts: Sequence[str]) -> dict[str, Any]:
    """Return what the first line of a trace says of this process and its program."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    return {
        "ranks": ranks,
        "hosts": [*hosts] if len(hosts) in (0, 1, ranks) else [],
        "simulated": False,
        "bsbpool": sys.modules["bsbpool"].__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "mpi": _mpi_library(),
        "arguments": [harmless(argument) for argument in sys.argv],
        "program": describe(getattr(main, "__file__", None)),
        "module": describe(getattr(spec, "name", None)),
        "folder": describe(os.getcwd()),
    }


def numbered(path: str, number: int, mark: str = "") -> str:
    """Add a number (from 2 on) to a path, before its ending: ``run.trace``, ``run-2.trace``, ``run-3.trace``."""
    folder, name = os.path.split(path)
    name, packed = (name[:-3], ".gz") if name.endswith(".gz") else (name, "")
    stem, ending = os.path.splitext(name)
    return os.path.join(folder, f"{stem}{mark}{f'-{number}' if number > 1 else ''}{ending}{packed}")


def _create(path: str, rank: int, capture: bool) -> tuple[int, str, int | None]:
    """Create a trace, and with `capture` the file of its calls, as new files that no other process uses.

    :returns: the trace's file descriptor, its path (with a number in its name if there is such a file already), and
        the file descriptor of the calls.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "it is no file", path)
    mark = f"-rank{rank}" if rank else ""
    number = 1
    while True:
        name = numbered(path, number, mark)
        file = None
        try:
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
            if not capture:
                return file, name, None
            return file, name, os.open(f"{name}.calls", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if file is not None:
                os.close(file)
                os.unlink(name)
            if not isinstance(error, FileExistsError):
                raise
            number += 1


def _mpi() -> Any:
    """mpi4py's MPI, if this process uses it."""
    module = sys.modules.get("mpi4py.MPI")
    return module if module is not None and module.Is_initialized() and not module.Is_finalized() else None


def _rank_of_process() -> int:
    mpi = _mpi()
    return mpi.COMM_WORLD.Get_rank() if mpi is not None else 0


def _size_of_program() -> int:
    mpi = _mpi()
    return mpi.COMM_WORLD.Get_size() if mpi is not None else 1


def _mpi_library() -> str | None:
    mpi = _mpi()
    return harmless(" ".join(mpi.Get_library_version().split())[:60]) if mpi is not None else None


def _forget_it(path: str, error: OSError) -> None:
    """Warn once that the run is not recorded; the run goes on."""
    global _asked
    _asked = None
    with contextlib.suppress(KeyError):
        del os.environ[VARIABLE]
    warn(f"This run is not recorded: {path} can't be written ({error.strerror})")


def _finish(recorder: FileRecorder, process: int) -> None:
    if process == os.getpid():
        recorder.close()
