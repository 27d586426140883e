"""Windows: their constructors, and the calls that begin and end accesses: fences, locks, and Start, Post, Complete and
Wait.

The accesses are in `window_access`; the common state of the ranks of a window is in `window_state`.
"""

from __future__ import annotations

import functools
from typing import Any, Self

from ..errors import MPIError
from .addresses import address_of
from .arrays import bytes_of, is_bottom, no_buffer
from .attributes import WithAttributes
from .communicators import Comm, current, self_comm
from .constants import LOCK_EXCLUSIVE, LOCK_SHARED, PROC_NULL, means
from .contexts import Context
from .error_handlers import WithErrhandler, give_first_handler
from .giving_memory import gives_memory
from .groups import Group
from .info import INFO_NULL, Info, hints_of
from .integer_arguments import LONG, integer, text_argument
from .named_integers import NUMBERS
from .request_lists import look
from .window_access import WindowAccess
from .window_memory import (
    WIN_FLAVOR_ALLOCATE,
    WIN_FLAVOR_CREATE,
    WIN_FLAVOR_DYNAMIC,
    WIN_FLAVOR_SHARED,
    Memory,
)
from .window_state import Shared, WindowEnd

MODE_NOCHECK, MODE_NOSTORE, MODE_NOPUT, MODE_NOPRECEDE, MODE_NOSUCCEED = 1024, 2048, 4096, 8192, 16384
#: What all ranks say in a fence, or none.
_OF_ALL = {"MODE_NOPRECEDE": MODE_NOPRECEDE, "MODE_NOSUCCEED": MODE_NOSUCCEED}
WIN_UNIFIED = 2

#: The keys of the attributes that MPI itself gives a window: those of `attrs`, `flavor` and `model`.
_KEYVALS = [NUMBERS[f"WIN_{name}"] for name in ("BASE", "SIZE", "DISP_UNIT", "CREATE_FLAVOR", "MODEL")]

#: Characters of a name that are kept.
_NAME = 127


@gives_memory
class Win(WithAttributes, WithErrhandler, WindowAccess, root=True):
    """A window, as one simulated rank has it: memory that others read and write; `Win()` is null, as WIN_NULL."""

    _null_name = "WIN_NULL"
    _null_number = 0x20000000
    _state: WindowEnd | None

    # -- making one --------------------------------------------------------------------------------

    @classmethod
    def Create(cls, memory: Any, disp_unit: int = 1, info: Any = INFO_NULL, comm: Any = None) -> Self:
        """A window over `memory`. All ranks of the communicator call it.

        :param memory: a buffer that can be written; None or MPI.BOTTOM: nothing of this rank's.
        :param disp_unit: bytes of one unit of the others' displacements.
        :param comm: by default MPI.COMM_SELF.
        """
        view = memoryview(bytearray()) if is_bottom(memory) else bytes_of(memory, receives=True)
        return cls._together("Create", comm, info, disp_unit, WIN_FLAVOR_CREATE, view, memory)

    @classmethod
    def Allocate(cls, size: int, disp_unit: int = 1, info: Any = INFO_NULL, comm: Any = None) -> Self:
        """A window over `size` new bytes of zeros, found with `tomemory`."""
        view = memoryview(bytearray(_size("Allocate", size)))
        return cls._together("Allocate", comm, info, disp_unit, WIN_FLAVOR_ALLOCATE, view)

    @classmethod
    def Allocate_shared(cls, size: int, disp_unit: int = 1, info: Any = INFO_NULL, comm: Any = None) -> Self:
        """A window over new bytes of zeros, one rank's behind the other's, that all reach with `Shared_query`.

        :raises MPIError: ranks are on several hosts.
        """
        return cls._together(
            "Allocate_shared", comm, info, disp_unit, WIN_FLAVOR_SHARED, _size("Allocate_shared", size)
        )

    @classmethod
    def Create_dynamic(cls, info: Any = INFO_NULL, comm: Any = None) -> Self:
        """A window to which ranks attach memory; displacements are what MPI.Get_address gives where the memory is."""
        return cls._together("Create_dynamic", comm, info, 1, WIN_FLAVOR_DYNAMIC, None)

    @classmethod
    def _together(cls, name: str, comm: Any, info: Any, unit: int, flavor: int, given: Any, memory: Any = None) -> Self:
        unit = integer(unit, "disp_unit")
        if unit < 1:
            raise MPIError(f"Win.{name}(disp_unit={unit}): a unit is 1 byte or more", "ERR_DISP")
        if comm is None:
            here = current()
            comm = self_comm(here.cluster, here.world_rank)
        if not isinstance(comm, Comm):
            raise TypeError(f"Win.{name}: comm must be a communicator, not {comm!r}")
        hints = hints_of(info, f"Win.{name}")
        if flavor == WIN_FLAVOR_SHARED and not comm.cluster.hosts.together(comm.context.members):
            # As MPI names it; MPICH's error is of class ERR_OTHER.
            text = (
                f"Win.{name} of ranks on several hosts, which can't share memory: let those of each host call it, with "
            )
            raise MPIError(f"{text}comm.Split_type(MPI.COMM_TYPE_SHARED)", "ERR_RMA_SHARED")
        call = comm._together(f"Win.{name}", (given, unit))
        comm.cluster.shares_memory = True
        if call.result is None:
            parts = [call.payloads[rank] for rank in range(comm.size)]
            if flavor == WIN_FLAVOR_SHARED:
                parts = _side_by_side(parts)
            memories = [Memory(view, theirs) for view, theirs in parts]
            # Of its own, as in MPI: its fences are no collective calls of the program's communicator.
            call.result = Shared(Context(comm.cluster, comm.context.members, "the window"), flavor, memories)
            if flavor == WIN_FLAVOR_SHARED:
                call.result.reach(*range(comm.size))
        new = cls._of(WindowEnd(call.result, comm.rank, memory, hints))
        give_first_handler(new)
        return new

    def Free(self) -> None:
        """Give the window up; this handle is null then. All ranks call it.

        :raises MPIError: an epoch of this rank is open.
        """
        end = self._end("Free")
        end.epochs.check_free("Free of a window")
        end.finish()
        self._delete_attributes()
        end.together("Free")
        end.freed = True
        self._nullify()

    # -- its memory --------------------------------------------------------------------------------

    def tomemory(self) -> Any:
        """This rank's memory, as an MPI.buffer."""
        return _buffer(self._own_view("tomemory"))

    def __buffer__(self, flags: int, /) -> memoryview:
        """This rank's memory, for ``memoryview(window)``."""
        return self._own_view("memoryview")

    def _own_view(self, call: str) -> memoryview:
        end = self._end(call)
        view = end.memories[end.rank].view
        return memoryview(bytearray()) if view is None else view

    def Shared_query(self, rank: int) -> tuple[Any, int]:
        """The memory of a rank, as an MPI.buffer, and its displacement unit; none, and 0, of a rank that shares none.

        Ranks share what Allocate_shared has made, and on one host what Allocate has made.

        :param rank: PROC_NULL: the first that has memory, if all share it.
        :raises MPIError: the window has attached memory.
        """
        end = self._end("Shared_query")
        if end.shared.flavor == WIN_FLAVOR_DYNAMIC:
            raise MPIError("Shared_query of a window with attached memory, which is not shared", "ERR_RMA_FLAVOR")
        if means(rank, PROC_NULL):
            rank = next((r for r, memory in enumerate(end.memories) if memory.view), 0)
            shared = end.shared.can_reach(*range(end.size))
        else:
            rank = end.peer(rank, "rank")
            shared = rank == end.rank or end.shared.can_reach(rank, end.rank)
        if not shared:
            return _buffer(memoryview(bytearray())), 0
        if rank != end.rank:
            end.shared.reach(rank)
        memory = end.memories[rank]
        assert memory.view is not None
        return _buffer(memory.view), memory.unit

    def Attach(self, memory: Any) -> None:
        """Attach memory of this rank to a window that was made with Create_dynamic.

        :raises MPIError: some of it is attached already, or the window is another one.
        """
        if memory is None:
            no_buffer(memory)
        self._dynamic("Attach").attach(bytes_of(memory, receives=True))

    def Detach(self, memory: Any) -> None:
        """Detach memory that was attached.

        :raises MPIError: it was not.
        """
        self._dynamic("Detach").detach(bytes_of(memory, receives=True))

    def _dynamic(self, call: str) -> Memory:
        end = self._end(call)
        if end.shared.flavor != WIN_FLAVOR_DYNAMIC:
            raise MPIError(f"{call}: the window was not made with Create_dynamic", "ERR_RMA_FLAVOR")
        return end.memories[end.rank]

    # -- what it is --------------------------------------------------------------------------------

    @property
    def attrs(self) -> tuple[int, int, int]:
        """Address of this rank's memory, its size, and its displacement unit."""
        view, end = self._own_view("attrs"), self._end("attrs")
        return address_of(view) if len(view) else 0, len(view), end.memories[end.rank].unit

    @property
    def flavor(self) -> int:
        """How it was made: WIN_FLAVOR_CREATE, or another one."""
        return self._end("flavor").shared.flavor

    @property
    def model(self) -> int:
        """WIN_UNIFIED: there is one copy of memory."""
        self._end("model")
        return WIN_UNIFIED

    def _predefined_attribute(self, keyval: int) -> Any:
        if keyval not in _KEYVALS:
            return NotImplemented
        return dict(zip(_KEYVALS, (*self.attrs, self.flavor, self.model), strict=True))[keyval]

    def Get_info(self) -> Info:
        """The window's hints."""
        return Info._new(self._end("Get_info").hints)

    def Set_info(self, info: Any) -> None:
        """Add hints to those of the window, which nothing here heeds. All ranks call it."""
        end = self._end("Set_info")
        hints = hints_of(info, "Set_info")
        if not info:
            raise MPIError("Set_info: info is INFO_NULL, or was freed", "ERR_ARG")
        end.together("Set_info")
        end.hints.update(hints)

    info = property(lambda self: Info._made(self._end("Get_info").hints), Set_info, doc="The window's hints.")

    def Get_group(self) -> Group:
        """The group of its ranks."""
        return Group._of_all(self._end("Get_group").context.members)

    group = property(Get_group, doc="The group of its ranks.")

    @property
    def group_size(self) -> int:
        """Number of its ranks."""
        return self._end("Get_group").size

    @property
    def group_rank(self) -> int:
        """This rank's number among them."""
        return self._end("Get_group").rank

    def Get_name(self) -> str:
        """The window's name, as this rank has named it."""
        return "MPI_WIN_NULL" if self._state is None else self._state.name

    def Set_name(self, name: str) -> None:
        """Name the window; of a name, 127 characters are kept."""
        self._end("Set_name").name = text_argument(name, "the name of a window")[:_NAME]

    name = property(Get_name, Set_name, doc="The window's name, as this rank has named it.")

    # -- fences ------------------------------------------------------------------------------------

    def Fence(self, assertion: int = 0) -> None:
        """Wait until all ranks are here; until the next fence all may access all memory.

        :param assertion: MODE_NOPRECEDE: this rank has made no accesses since the last fence; MODE_NOSUCCEED: no
            accesses follow; MODE_NOPUT: until the next fence nobody writes into this rank's memory. The others have no
            effect.
        :raises MPIError: another epoch is open, or there were accesses with MODE_NOPRECEDE.
        """
        end = self._end("Fence")
        _assertion("Fence", assertion, MODE_NOSTORE | MODE_NOPUT | MODE_NOPRECEDE | MODE_NOSUCCEED)
        assertion = int(assertion)
        end.epochs.check_fence("Fence", bool(assertion & MODE_NOPRECEDE))
        end.withdraw(end.fences)
        end.fences += 1
        end.expose(end.fences, bool(assertion & MODE_NOPUT))
        end.finish()
        end.together("Fence", " | ".join(name for name, mode in _OF_ALL.items() if assertion & mode))
        end.epochs.fence(not assertion & MODE_NOSUCCEED)

    # -- Start, Post, Complete and Wait ------------------------------------------------------------

    def Start(self, group: Any, assertion: int = 0) -> None:
        """Wait until the ranks of a group have called Post; until Complete this rank may access their memory.

        :raises MPIError: another epoch of access is open, or a rank of the group is not of the window.
        """
        end = self._end("Start")
        _assertion("Start", assertion, MODE_NOCHECK)
        targets = end.ranks_of("Start", group)
        end.epochs.begin("Start")
        for target in targets:
            end.shared.take("post", target, end.rank, functools.partial(end.waits_for, target, "Post"))
        end.epochs.started = targets

    def Complete(self) -> None:
        """End what Start began: all accesses have happened then.

        :raises MPIError: there was no Start.
        """
        end = self._end("Complete")
        targets, end.epochs.started = end.epochs.started, None
        if targets is None:
            raise MPIError("Complete without Start", "ERR_RMA_SYNC")
        end.finish()
        for target in targets:
            end.shared.tell("complete", end.rank, target)

    def Post(self, group: Any, assertion: int = 0) -> None:
        """Let the ranks of a group access this rank's memory, until they have called Complete.

        :raises MPIError: some are let already, or a rank of the group is not of the window.
        """
        end = self._end("Post")
        _assertion("Post", assertion, MODE_NOCHECK | MODE_NOSTORE | MODE_NOPUT)
        origins = end.ranks_of("Post", group)
        end.epochs.post(origins)
        end.expose(0, bool(int(assertion) & MODE_NOPUT))
        for origin in origins:
            end.shared.tell("post", end.rank, origin)

    def Wait(self) -> bool:
        """Wait until all that may access this rank's memory since Post have called Complete.

        :raises MPIError: there was no Post.
        """
        end = self._end("Wait")
        for origin in end.posted("Wait"):
            end.shared.take("complete", origin, end.rank, functools.partial(end.waits_for, origin, "Complete"))
        end.withdraw(0)
        end.epochs.posted = None
        return True

    def Test(self) -> bool:
        """Whether `Wait` would wait for nobody; then it ends what Post began. If not, virtual time passes.

        :raises MPIError: there was no Post.
        """
        end = self._end("Test")
        origins = end.posted("Test")

        def enough() -> bool:
            return all(end.shared.heard("complete", origin, end.rank) for origin in origins)

        return self.Wait() if look(end.cluster.kernel, "Test", enough) else False

    # -- locks -------------------------------------------------------------------------------------

    def Lock(self, rank: int, lock_type: int = LOCK_EXCLUSIVE, assertion: int = 0) -> None:
        """Wait for the lock of `rank`'s memory; who asked first gets it first, if nothing else is chosen.

        :raises MPIError: another epoch of access is open, or `lock_type` is neither LOCK_EXCLUSIVE nor LOCK_SHARED.
        """
        end, lock_type = self._end("Lock"), integer(lock_type, "lock_type")
        exclusive = means(lock_type, LOCK_EXCLUSIVE)
        if not exclusive and not means(lock_type, LOCK_SHARED):
            raise MPIError(f"lock_type={lock_type!r}: it is MPI.LOCK_EXCLUSIVE or MPI.LOCK_SHARED", "ERR_LOCKTYPE")
        _assertion("Lock", assertion, MODE_NOCHECK)
        if means(rank, PROC_NULL):
            return
        target = end.peer(rank, "rank")
        end.epochs.check_lock(target)
        end.lock(target, exclusive)
        end.epochs.lock(target)

    def Unlock(self, rank: int) -> None:
        """Give the lock of `rank`'s memory back; all accesses of it have happened then.

        :raises MPIError: this rank doesn't hold it.
        """
        end = self._end("Unlock")
        if means(rank, PROC_NULL):
            return
        target = end.peer(rank, "rank")
        end.epochs.unlock(target)
        end.finish(target)
        end.unlock(target)

    def Lock_all(self, assertion: int = 0) -> None:
        """Wait for a shared lock of every rank's memory.

        :raises MPIError: another epoch of access is open.
        """
        end = self._end("Lock_all")
        _assertion("Lock_all", assertion, MODE_NOCHECK)
        end.epochs.begin("Lock_all")
        for target in range(end.size):
            end.lock(target, False)
        end.epochs.all_locked = True

    def Unlock_all(self) -> None:
        """Give every lock back; all accesses have happened then.

        :raises MPIError: there was no Lock_all.
        """
        end = self._end("Unlock_all")
        if not end.epochs.all_locked:
            raise MPIError("Unlock_all without Lock_all", "ERR_RMA_SYNC")
        end.finish()
        end.epochs.all_locked = False
        for target in range(end.size):
            end.unlock(target)

    def Flush(self, rank: int) -> None:
        """Wait until this rank's accesses of `rank`'s memory have happened.

        :raises MPIError: this rank doesn't hold its lock.
        """
        self._flush("Flush", integer(rank, "rank"))

    def Flush_local(self, rank: int) -> None:
        """`Flush`: buffers may be used again."""
        self._flush("Flush_local", integer(rank, "rank"))

    def Flush_all(self) -> None:
        """Wait until all of this rank's accesses have happened.

        :raises MPIError: this rank holds no lock.
        """
        self._flush("Flush_all")

    def Flush_local_all(self) -> None:
        """`Flush_all`: buffers may be used again."""
        self._flush("Flush_local_all")

    def Sync(self) -> None:
        """Nothing to do: there is one copy of memory.

        :raises MPIError: this rank holds no lock.
        """
        end = self._end("Sync")
        end.epochs.passive("Sync")
        if end.cluster.races is not None:
            end.cluster.races.synced(end.shared, end.rank)

    def _flush(self, call: str, rank: int | None = None) -> None:
        end = self._end(call)
        target = None if rank is None else end.peer(rank, "rank")
        end.epochs.passive(call, target)
        end.finish(target, call.startswith("Flush_local"))


WIN_NULL = Win._named(None)


def _size(call: str, size: int) -> int:
    size = integer(size, "size", bits=LONG)
    if size < 0:
        raise MPIError(f"Win.{call}(size={size}): a size is 0 or more", "ERR_SIZE")
    return size


def _side_by_side(parts: list[tuple[int, int]]) -> list[tuple[memoryview, int]]:
    """One run of memory, in which each rank has its part."""
    memory, at, views = memoryview(bytearray(sum(size for size, _ in parts))), 0, []
    for size, unit in parts:
        views.append((memory[at : at + size], unit))
        at += size
    return views


def _assertion(call: str, assertion: int, allowed: int) -> None:
    assertion = integer(assertion, "assertion")
    if assertion & ~allowed or assertion < 0:
        raise MPIError(f"{call}(assertion={assertion}): it is none for this call", "ERR_ARG")


def _buffer(view: memoryview) -> Any:
    from .mpi_buffer import buffer

    return buffer.frombuffer(view) if view else buffer()
