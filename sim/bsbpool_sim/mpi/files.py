"""Files: opening and closing, sizes, views, positions, and how data is represented. They are real files.

Reading and writing is in `file_access`; what ranks share of an open file, in `open_files`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Self

from ..errors import MPIError
from .collective_call import see_alike
from .collective_forms import Forms
from .communicators import Comm
from .contexts import Context
from .datatypes import BYTE, Datatype, datatype
from .error_handlers import WithErrhandler, give_first_handler
from .file_access import FileAccess
from .file_handles import Opened
from .file_modes import (
    DISPLACEMENT_CURRENT,
    MAX_DATAREP_STRING,
    MODE_RDONLY,
    MODE_SEQUENTIAL,
    SEEK_CUR,
    SEEK_END,
    SEEK_SET,
    of_system,
)
from .file_views import View
from .groups import Group
from .handles import State
from .info import INFO_NULL, Info, hints_of
from .integer_arguments import LONG, integer, text_argument
from .kept_by_rank import of_rank
from .members import CommMember
from .open_files import OpenFile, open_together
from .running_rank import note_made

#: The representations that a view can have, by their names in small letters; "internal" is the native one.
_DATAREPS = {"native": "native", "internal": "native", "external32": "external32"}

#: The hints that MPI has for files.
_HINTS = (
    "access_style", "cb_block_size", "cb_buffer_size", "cb_nodes", "chunked", "chunked_item", "chunked_size",
    "collective_buffering", "file_perm", "filename", "io_node_list", "nb_proc", "num_io_nodes", "striping_factor",
    "striping_unit",
)  # fmt: skip

#: Under which key a rank keeps the representations that it has registered.
_REGISTERED = "data representations"


class File(WithErrhandler, FileAccess, root=True):
    """A file that the ranks of a communicator have opened together; `File()` is null, as FILE_NULL.

    The file is a real one: what ranks write stays, and takes no virtual time. It is closed when the simulation ends.
    """

    _null_name = "FILE_NULL"
    _null_number = 0

    def _of_this(self, call: str) -> Any:
        # FILE_NULL has an error handler too, which hears of files that can't be opened or deleted.
        return of_rank("FILE_NULL", State) if self._state is None else self._state

    def _release(self) -> None:
        self.Close()

    # -- opening and closing -----------------------------------------------------------------------

    @classmethod
    def Open(cls, comm: Comm, filename: Any, amode: int = MODE_RDONLY, info: Any = INFO_NULL) -> Self:
        """Open a file. All ranks of the communicator call it, with one name and one mode.

        :param comm: a communicator; the file gets one of its own.
        :param filename: a path, of `str`, `bytes` or `os.PathLike`; a relative one is below the rank's directory.
        :param amode: the sum of MODE_RDONLY, MODE_WRONLY or MODE_RDWR, and other modes.
        :raises MPIError: it can't be opened so; all ranks raise it.
        """
        if not isinstance(comm, Comm):
            raise TypeError(f"File.Open: comm must be a communicator, not {comm!r}")
        path, hints = _path(filename), _known(info, "File.Open")
        if comm.size > 1:
            comm.cluster.shares_memory = comm.cluster.reads_and_writes = True
        call = comm._together("File.Open", (path, int(amode)))
        if call.result is None:
            call.result = open_together(call.payloads)
            if isinstance(call.result, OpenFile):
                name = f"the file {os.path.basename(path)}"
                call.result = (Context(comm.cluster, comm.context.members, name), call.result)
                comm.cluster.when_over.append(call.result[1].give_up)
        if not isinstance(call.result, tuple):
            raise _told(call.result[comm.rank])
        context, file = call.result
        opened = Opened(Forms._of(CommMember(context, comm.rank)), file, hints)
        note_made(opened, "file")
        new = cls._of(opened)
        give_first_handler(new)
        return new

    def Close(self) -> None:
        """Close the file; this handle is null then. All ranks call it.

        :raises MPIError: a split collective call has not ended.
        """
        opened = self._opened("Close")
        call = self._together("Close", opened)
        opened.freed = True
        self._nullify()
        if call.result is None:
            call.result = True
            try:
                opened.file.close()
            except OSError as error:
                raise of_system("Close", opened.file.path, error) from None

    @classmethod
    def Delete(cls, filename: Any, info: Any = INFO_NULL) -> None:
        """Delete a file.

        :raises MPIError: there is none, or it can't be deleted.
        """
        path, _ = _path(filename), hints_of(info, "File.Delete")
        try:
            os.unlink(path)
        except OSError as error:
            raise _told(of_system("Delete", path, error)) from None

    # -- what it is --------------------------------------------------------------------------------

    def Get_size(self) -> int:
        """Bytes of the file."""
        return self._opened("Get_size").file.size

    def Set_size(self, size: int) -> None:
        """Cut the file off, or fill it up with zeros. All ranks call it, with one size."""
        opened = self._unless_sequential("Set_size")
        self._resize("Set_size", opened, size, OpenFile.resize)

    def Preallocate(self, size: int) -> None:
        """See that the file has at least so many bytes, and room for them. All ranks call it, with one size."""
        self._resize("Preallocate", self._opened("Preallocate"), size, OpenFile.reserve)

    def _resize(self, call: str, opened: Opened, size: int, resize: Callable[[OpenFile, int], None]) -> None:
        size = integer(size, "size", bits=LONG)
        if size < 0:
            raise MPIError(f"{call}({size}): a size is 0 or more", "ERR_ARG")
        self._writable(call, opened)
        together = self._together(call, opened, size)
        see_alike(call, together.payloads, "ERR_ARG")
        if together.result is None:
            together.result = True
            try:
                resize(opened.file, size)
            except OSError as error:
                raise of_system(call, opened.file.path, error) from None

    def _writable(self, call: str, opened: Opened) -> None:
        if opened.file.amode & MODE_RDONLY:
            raise MPIError(f"{call}: the file was opened with MODE_RDONLY", "ERR_READ_ONLY")

    def Get_amode(self) -> int:
        """The mode in which it was opened."""
        return self._opened("Get_amode").file.amode

    size = property(Get_size, doc="Bytes of the file.")
    amode = property(Get_amode, doc="The mode in which it was opened.")

    def Get_info(self) -> Info:
        """The file's hints: those that the program has given, of MPI's for files."""
        return Info._new(self._opened("Get_info").hints)

    def Set_info(self, info: Any) -> None:
        """Add hints to those of the file, which nothing here heeds. All ranks call it."""
        opened = self._opened("Set_info")
        hints = _known(info, "Set_info")
        self._together("Set_info", opened)
        opened.hints.update(hints)

    info = property(lambda self: Info._made(self._opened("Get_info").hints), Set_info, doc="The file's hints.")

    def Get_group(self) -> Group:
        """The group of the ranks that opened it."""
        return Group._of_all(self._opened("Get_group").comm.context.members)

    group = property(Get_group, doc="The group of the ranks that opened it.")

    @property
    def group_size(self) -> int:
        """Number of the ranks that opened it."""
        return self._opened("Get_group").comm.size

    @property
    def group_rank(self) -> int:
        """This rank's number among them."""
        return self._opened("Get_group").comm.rank

    # -- views -------------------------------------------------------------------------------------

    def Set_view(
        self, disp: int = 0, etype: Any = BYTE, filetype: Any = None, datarep: str = "native", info: Any = INFO_NULL
    ) -> None:
        """Say what of the file this rank sees, and begin there. All ranks call it.

        :param disp: the byte at which it begins; DISPLACEMENT_CURRENT for a file that was opened with MODE_SEQUENTIAL.
        :param etype: the unit of offsets and positions.
        :param filetype: which bytes are seen, again and again; by default all.
        :param datarep: ``"native"``, ``"internal"`` or ``"external32"``.
        :raises MPIError: there is no such view.
        """
        opened = self._opened("Set_view")
        hints_of(info, "Set_view")
        sequential = bool(opened.file.amode & MODE_SEQUENTIAL)
        disp = integer(disp, "disp", bits=LONG)
        if disp < 0 and disp != DISPLACEMENT_CURRENT:
            raise MPIError(f"Set_view(disp={disp}): a displacement is 0 or more", "ERR_ARG")
        if sequential != (disp == DISPLACEMENT_CURRENT):
            right = "DISPLACEMENT_CURRENT, and nothing else, is for files that were opened with MODE_SEQUENTIAL"
            raise MPIError(f"Set_view(disp={disp}): {right}", "ERR_ARG")
        representation = _DATAREPS.get("native" if datarep is None else text_argument(datarep, "datarep").lower())
        if representation is None:
            there = ", ".join(_DATAREPS)
            raise MPIError(f"Set_view(datarep={datarep!r}): there are {there}", "ERR_UNSUPPORTED_DATAREP")
        if sequential:
            disp = opened.view.byte(opened.file.shared * opened.view.item)
        unit = _datatype(etype, "Set_view")
        view = View(disp, unit, unit if filetype is None else _datatype(filetype, "Set_view"), representation)
        call = self._together("Set_view", opened, view)
        views = [call.payloads[rank] for rank in range(opened.comm.size)]
        if len({each.item for each in views}) > 1:
            raise MPIError("Set_view: all ranks must give etypes of one size", "ERR_NOT_SAME")
        if len({each.datarep for each in views}) > 1:
            raise MPIError("Set_view: all ranks must give one representation", "ERR_NOT_SAME")
        if call.result is None:
            call.result = True
            opened.file.shared = 0
        opened.view, opened.at = view, 0

    def Get_view(self) -> tuple[int, Datatype, Datatype, str]:
        """Displacement, etype, filetype and representation."""
        view = self._opened("Get_view").view
        return view.disp, view.etype, view.filetype, view.datarep

    def Get_type_extent(self, datatype: Any) -> int:
        """Bytes from one item of a datatype in the file to the next."""
        self._opened("Get_type_extent")
        extent: int = _datatype(datatype, "Get_type_extent").extent
        return extent

    # -- positions ---------------------------------------------------------------------------------

    def Seek(self, offset: int, whence: int = SEEK_SET) -> None:
        """Move this rank's file pointer.

        :param offset: in etypes: from the view's beginning, from where it is (SEEK_CUR), or from the end (SEEK_END).
        :raises MPIError: that is before the beginning.
        """
        opened = self._unless_sequential("Seek")
        opened.at = _sought("Seek", opened, offset, whence, opened.at // opened.view.item) * opened.view.item

    def Get_position(self) -> int:
        """Where this rank's file pointer is, in etypes of the view."""
        opened = self._unless_sequential("Get_position")
        return opened.at // opened.view.item

    def Get_byte_offset(self, offset: int) -> int:
        """The byte of the file at an offset of the view."""
        opened = self._unless_sequential("Get_byte_offset")
        return opened.view.byte(self._start("Get_byte_offset", opened, integer(offset, "offset", bits=LONG)))

    def Seek_shared(self, offset: int, whence: int = SEEK_SET) -> None:
        """Move the shared file pointer, as `Seek` does. All ranks call it, with the same arguments."""
        opened = self._unless_sequential("Seek_shared")
        call = self._together("Seek_shared", opened, (offset, whence))
        see_alike("Seek_shared", call.payloads, "ERR_ARG")
        if call.result is None:
            call.result = _sought("Seek_shared", opened, offset, whence, opened.file.shared)
            opened.file.shared = call.result

    def Get_position_shared(self) -> int:
        """Where the shared file pointer is, in etypes of the view."""
        return self._unless_sequential("Get_position_shared").file.shared

    # -- consistency -------------------------------------------------------------------------------

    def Set_atomicity(self, flag: bool) -> None:
        """Say whether accesses must be atomic; they always are. All ranks call it, with one flag."""
        opened = self._opened("Set_atomicity")
        call = self._together("Set_atomicity", opened, bool(flag))
        see_alike("Set_atomicity", call.payloads, "ERR_ARG")
        opened.file.atomic = bool(flag)

    def Get_atomicity(self) -> bool:
        """Whether accesses must be atomic."""
        return self._opened("Get_atomicity").file.atomic

    atomicity = property(Get_atomicity, Set_atomicity, doc="Whether accesses must be atomic.")

    def Sync(self) -> None:
        """Wait until all ranks have called it: then each sees what the others wrote. Nobody waits for the disk."""
        opened = self._opened("Sync")
        self._writable("Sync", opened)
        self._together("Sync", opened)


FILE_NULL = File._named(None)


def Register_datarep(datarep: str, read_fn: Any, write_fn: Any, extent_fn: Any) -> None:
    """Register a representation of data, as far as MPICH has it: its name, which no view can use.

    :raises MPIError: it has functions that convert data, or is registered, or its name is too long.
    """
    if len(datarep) >= MAX_DATAREP_STRING:
        raise MPIError(f"Register_datarep: a name has less than {MAX_DATAREP_STRING} characters", "ERR_ARG")
    registered: list[str] = of_rank(_REGISTERED, list)
    if datarep in registered:
        raise MPIError(f"Register_datarep({datarep!r}): it is registered already", "ERR_DUP_DATAREP")
    if read_fn is not None or write_fn is not None:
        text = f"Register_datarep({datarep!r}): functions that convert data can't be used, as in MPICH: give None"
        raise MPIError(text, "ERR_UNSUPPORTED_DATAREP")
    registered.append(datarep)


def _known(info: Any, call: str) -> dict[str, str]:
    """The hints of an info object that MPI has for files; others are ignored, as MPI has it."""
    return {key: value for key, value in hints_of(info, call).items() if key in _HINTS}


def _told(error: MPIError) -> MPIError:
    """An error of which the error handler of FILE_NULL was told."""
    FILE_NULL.Call_errhandler(error.error_code)
    return error


def _datatype(given: Any, call: str) -> Datatype:
    """A datatype that a program gives.

    :raises MPIError: it was not committed.
    """
    if isinstance(given, str):
        raise TypeError(f"{call}: a datatype must be an MPI.Datatype, not {given!r}")
    found = datatype(given)
    if found.definition is not None and not found.definition.committed:
        raise MPIError(f"{call}: {found!r} was not committed: call its Commit() first", "ERR_TYPE")
    return found


def _path(filename: Any) -> str:
    path = os.fsdecode(filename)
    if "\0" in path:
        raise ValueError("embedded null byte")
    return os.path.abspath(path)


def _sought(call: str, opened: Opened, offset: int, whence: int, here: int) -> int:
    """Where a pointer goes, in etypes."""
    offset, whence = integer(offset, "offset", bits=LONG), integer(whence, "whence")
    if whence not in (SEEK_SET, SEEK_CUR, SEEK_END):
        raise MPIError(f"{call}(whence={whence}): it is SEEK_SET, SEEK_CUR or SEEK_END", "ERR_ARG")
    base = {SEEK_SET: 0, SEEK_CUR: here}.get(whence)
    if base is None:
        base = opened.view.items(opened.file.size)
    if base + offset < 0:
        raise MPIError(f"{call}({offset}): that is before the beginning of the view", "ERR_ARG")
    return base + offset
