"""The cases: each public method of MPI, called as it should be, and with one thing wrong at a time; what that gives.

A case runs on one rank, in whichever world: nothing here knows which.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from signatures import Method, methods
from values import WRONG, array, right, room

from bsbpool_sim.error_classes import ERROR_CLASSES

#: How often a request is tested that may never be done.
_TESTS = 50

#: What is not called, and why.
NOT_CALLED = {
    "it ends the program": ["Comm.Abort", "Finalize", "Init", "Init_thread"],
    "it needs other programs": [
        "Comm.Join", "Intracomm.Accept", "Intracomm.Connect", "Intracomm.Spawn", "Intracomm.Spawn_multiple",
        "Open_port", "Close_port", "Publish_name", "Unpublish_name", "Lookup_name", "Comm.Revoke",
    ],
    "it takes whatever number it is given for a handle, or an address: under MPICH the next call ends the process": [
        "buffer.fromaddress", "Aint_add", "Aint_diff",
        *(f"{owner}.{name}" for owner in ("Comm", "Datatype", "Errhandler", "File", "Group", "Info", "Message", "Op",
                                          "Request", "Session", "Win") for name in ("fromhandle", "fromint", "f2py")),
    ],
    "it is about this MPI and this machine": [
        "Get_library_version", "Get_processor_name", "Get_hw_resource_info", "Get_version", "get_vendor", "Wtime",
        "Wtick", "Get_abi_fortran_info", "Get_abi_info", "Get_abi_version", "Get_address",
        *(f"{owner}.{name}" for owner in ("Comm", "Datatype", "Errhandler", "File", "Group", "Info", "Message", "Op",
                                          "Request", "Session", "Win") for name in ("toint", "py2f")),
        "Status.py2f",
    ],
    "it is for two groups of ranks, and here is one rank": [
        "Intracomm.Create_intercomm", "Intercomm.Create_from_groups", "Intercomm.Get_remote_group",
        "Intercomm.Get_remote_size", "Intercomm.Merge",
    ],
    "datareps stay for the whole process": ["Register_datarep"],
}  # fmt: skip
#: Values that are not given, since what then happens depends on how much memory and room on the disk there is.
NOT_GIVEN = {
    ("size", "2**31"), ("nbytes", "2**31"), ("size", "2**63"), ("nbytes", "2**63"), ("offset", "2**31"),
    ("nnodes", "2**31"),
}  # fmt: skip


class Case(NamedTuple):
    """One call.

    :ivar what: what is special about it: "right", "keywords", "one-more", "unknown", "too-few", "on-null", "on-freed",
        or a parameter and the name of its wrong value.
    """

    method: Method
    what: str


def cases() -> Iterator[Case]:
    """All of them, method by method."""
    left_out = {*itertools.chain(*NOT_CALLED.values())}
    for method in methods():
        if method.full in left_out:
            continue
        yield Case(method, "right")
        if method.parameters:
            yield Case(method, "keywords")
        yield Case(method, "one-more")
        yield Case(method, "unknown")
        if any(each.needed for each in method.parameters):
            yield Case(method, "too-few")
        if hasattr(Here, f"make_{method.owner}") and method.owner not in ("Status", "buffer", "Pickle", "Exception"):
            yield Case(method, "on-null")
            yield Case(method, "on-freed")
        for parameter in method.parameters:
            for name in WRONG[parameter.kind]:
                if (parameter.name, name) not in NOT_GIVEN:
                    yield Case(method, f"{parameter.name}={name}")


class Here:
    """What a case needs of MPI, and lets go at its end.

    :param folder: where its file is.
    """

    def __init__(self, MPI: Any, folder: str):
        self.MPI = MPI
        self.folder = folder
        self.path = str(Path(folder, "file"))
        self.arrays: list[Any] = []
        self.comm = MPI.COMM_SELF.Dup()
        self._closing: list[Any] = [self.comm.Free]
        self.attached: Any = None

    def close(self) -> None:
        """Let everything go, whatever has become of it."""
        for close in reversed(self._closing):
            with contextlib.suppress(Exception):
                close()

    def later(self, handle: Any, name: str = "Free") -> Any:
        """Let a handle go at the end."""
        self._closing.append(getattr(handle, name))
        return handle

    def info(self) -> Any:
        return self.later(self.MPI.Info.Create({"a": "b"}))

    def session(self) -> Any:
        return self.later(self.MPI.Session.Init(), "Finalize")

    def request(self) -> Any:
        """A receive that is done."""
        self.message()
        return self.comm.Irecv(array(self), 0)

    def receive(self) -> None:
        """Begin to receive a message."""
        received = self.comm.Irecv(room(400), 0, 0)
        self._closing.append(lambda: _finish(self.MPI, received))

    def inactive(self) -> Any:
        return self.later(self.comm.Send_init(array(self), self.MPI.PROC_NULL))

    def keyval(self, owner: str, set: bool = False) -> int:
        of = getattr(self.MPI, owner if owner in ("Datatype", "Win") else "Comm")
        number = of.Create_keyval()
        if set and self.receiver is not None and hasattr(self.receiver, "Set_attr"):
            self.receiver.Set_attr(number, 5)
        return int(number)

    def with_string(self) -> int:
        number = self.MPI.Add_error_class()
        self.MPI.Add_error_string(number, "said")
        return int(number)

    def message(self, obj: bool = False) -> None:
        """Send a message, and see that it has arrived."""
        sent = self.comm.isend(1, 0) if obj else self.comm.Isend(array(self), 0)
        self._closing.append(lambda: _finish(self.MPI, sent))
        self.comm.Probe(0)

    # -- what methods are called on ----------------------------------------------------------------

    receiver: Any = None

    def make_Datatype(self) -> Any:
        return self.later(self.MPI.INT.Create_contiguous(1).Commit())

    def make_Status(self) -> Any:
        return self.MPI.Status()

    def make_Request(self) -> Any:
        return self.request()

    def make_Prequest(self) -> Any:
        return self.inactive()

    def make_Grequest(self) -> Any:
        return self.MPI.Grequest.Start()

    def make_Message(self) -> Any:
        self.message()
        return self.comm.Mprobe()

    def make_Op(self) -> Any:
        return self.later(self.MPI.Op.Create(_add, True))

    def make_Group(self) -> Any:
        return self.later(self.comm.Get_group())

    def make_Info(self) -> Any:
        return self.info()

    def make_Errhandler(self) -> Any:
        return self.later(self.MPI.Comm.Create_errhandler(lambda comm, code: None))

    def make_Session(self) -> Any:
        return self.session()

    def make_Comm(self) -> Any:
        return self.comm

    make_Intracomm = make_Comm

    def make_Cartcomm(self) -> Any:
        return self.later(self.comm.Create_cart([1], [True]))

    def make_Graphcomm(self) -> Any:
        return self.later(self.comm.Create_graph([1], [0]))

    def make_Distgraphcomm(self) -> Any:
        return self.later(self.comm.Create_dist_graph_adjacent([0], [0]))

    make_Topocomm = make_Distgraphcomm

    def make_Win(self) -> Any:
        win = self.later(self.MPI.Win.Allocate(64, 1, comm=self.comm))
        np.frombuffer(win.tomemory(), "i4")[:] = 7
        return win

    def make_File(self) -> Any:
        mode = self.MPI.MODE_RDWR | self.MPI.MODE_CREATE | self.MPI.MODE_DELETE_ON_CLOSE
        file = self.later(self.MPI.File.Open(self.comm, self.path, mode), "Close")
        file.Write_at(0, np.full(16, 9, "i4"))
        return file

    def make_buffer(self) -> Any:
        return self.MPI.buffer.allocate(16, True)

    def make_Pickle(self) -> Any:
        return self.MPI.pickle

    def make_Exception(self) -> Any:
        return self.MPI.Exception(self.MPI.ERR_ARG)

    def make(self, method: Method, ready: bool) -> Any:
        """What a method is called on.

        :param ready: whether what has to be done before is done.
        """
        if not method.owner:
            return self.MPI
        self.receiver = made = getattr(self, f"make_{method.owner}")()
        if not ready:
            return made
        before = _BEFORE.get(method.full) or next(
            (how for names, how in _BEFORE_ALL if re.fullmatch(names, method.full)), None
        )
        found = before(self, made) if before is not None else None
        return made if found is None else found


def _add(some: Any, others: Any, datatype: Any) -> None:
    np.frombuffer(others, "i4")[:] += np.frombuffer(some, "i4")


def _locked(here: Here, win: Any) -> None:
    win.Lock(0)


def _posted(here: Here, win: Any) -> None:
    group = here.comm.Get_group()
    win.Post(group)
    win.Start(group)


def _completed(here: Here, win: Any) -> None:
    _posted(here, win)
    win.Complete()


def _shared(here: Here, win: Any) -> Any:
    return here.later(here.MPI.Win.Allocate_shared(16, 1, comm=here.comm))


def _dynamic(here: Here, win: Any) -> Any:
    made = here.later(here.MPI.Win.Create_dynamic(comm=here.comm))
    here.attached = array(here)
    return made


def _dynamic_attached(here: Here, win: Any) -> Any:
    made = _dynamic(here, win)
    made.Attach(here.attached)
    return made


def _partitioned(here: Here, request: Any) -> Any:
    sent = here.comm.Psend_init(array(here), 2, 0, 0)
    received = here.comm.Precv_init(array(here, size=8), 2, 0, 0)
    here.MPI.Prequest.Startall([sent, received])
    return sent


def _partitioned_received(here: Here, request: Any) -> Any:
    sent = here.comm.Psend_init(array(here), 2, 0, 0)
    received = here.comm.Precv_init(array(here, size=8), 2, 0, 0)
    here.MPI.Prequest.Startall([sent, received])
    sent.Pready_list([0, 1])
    return received


#: What is done before a method is called; if it returns something, the method is called on that.
_BEFORE: dict[str, Any] = {
    "Win.Unlock": _locked,
    "Win.Unlock_all": lambda here, win: win.Lock_all(),
    "Win.Complete": _posted,
    "Win.Wait": _completed,
    "Win.Test": _completed,
    "Win.Start": lambda here, win: win.Post(here.comm.Get_group()),
    "Win.Shared_query": _shared,
    "Win.Attach": _dynamic,
    "Win.Detach": _dynamic_attached,
    "Datatype.Commit": lambda here, datatype: here.later(datatype.Create_contiguous(2)),
    "Prequest.Pready": _partitioned,
    "Prequest.Pready_range": _partitioned,
    "Prequest.Pready_list": _partitioned,
    "Prequest.Parrived": _partitioned_received,
    "Comm.Detach_buffer": lambda here, comm: comm.Attach_buffer(room(4096)),
    "Session.Detach_buffer": lambda here, session: session.Attach_buffer(room(4096)),
    "Message.Probe": lambda here, message: here.message(),
    "Message.Iprobe": lambda here, message: here.message(),
    "Message.probe": lambda here, message: here.message(),
    "Message.iprobe": lambda here, message: here.message(),
    "Message.recv": lambda here, message: (here.message(True), here.comm.mprobe())[1],
    "Message.irecv": lambda here, message: (here.message(True), here.comm.mprobe())[1],
}
_ACCESSES = (
    r"Win\.(R?put|R?get|R?accumulate|R?get_accumulate|Put|Get|Accumulate|Get_accumulate|Fetch_and_op|Compare_and_swap)"
)
_BEFORE_ALL = (
    (r"Comm\.(Recv|Irecv|I?m?probe|Probe|Iprobe|Improbe|Mprobe|Recv_init)", lambda here, comm: here.message()),
    (r"Comm\.(recv|irecv)", lambda here, comm: here.message(True)),
    (r"Comm\.(I?[bB]send(_init)?|ibsend)", lambda here, comm: comm.Attach_buffer(room(4096))),
    (r"Comm\.[Ii]?(S|s|[SRrs]s)end", lambda here, comm: here.receive()),
    (rf"{_ACCESSES}|Win\.(Flush\w*|Sync)", _locked),
)  # fmt: skip


# -- a case ---------------------------------------------------------------------------------------


def run(case: Case, MPI: Any, folder: str) -> str:
    """What a call gives: the class of an error, or what it returns and has written, in one line."""
    here = Here(MPI, folder)
    try:
        on = here.make(case.method, ready=case.what not in ("on-null", "on-freed"))
        positional, named = _arguments(case, here)
        if case.what == "on-freed":
            _give_up(on)
        elif case.what == "on-null":
            on = getattr(MPI, case.method.owner)()
        if case.method.full.endswith("_end") and case.method.owner == "File":
            _begin(case, here, on)
        return _outcome(case, here, on, positional, named)
    finally:
        here.close()


def _give_up(handle: Any) -> None:
    for name in ("Free", "Close", "Finalize", "free"):
        if hasattr(handle, name):
            getattr(handle, name)()
            return


def _begin(case: Case, here: Here, file: Any) -> None:
    name = case.method.name.removesuffix("end") + "begin"
    given = (0, array(here)) if "_at_" in name else (array(here),)
    with contextlib.suppress(Exception):
        getattr(file, name)(*given)


def _arguments(case: Case, here: Here) -> tuple[list[Any], dict[str, Any]]:
    method = case.method
    wrong, _, value = case.what.partition("=")
    given = []
    for each in method.parameters:
        if each.name == wrong:
            given.append(WRONG[each.kind][value](here))
        elif each.name == "default":
            given.append("default")
        else:
            given.append(right(method.full, each.name, each.kind)(here))
    if case.what == "keywords":
        return [], {each.name: value for each, value in zip(method.parameters, given, strict=True)}
    if case.what == "one-more":
        return [*given, 1], {}
    if case.what == "unknown":
        return given, {"unknown": 1}
    if case.what == "too-few":
        return given[: sum(each.needed for each in method.parameters) - 1], {}
    return given, {}


def _outcome(case: Case, here: Here, on: Any, positional: list[Any], named: dict[str, Any]) -> str:
    MPI = here.MPI
    try:
        result = getattr(on, case.method.name)(*positional, **named)
        _finish_all(case, here, on, result)
        shown = "something" if case.method.full in _SAYS_NOTHING else _shown(MPI, result)
    except MPI.Exception as error:
        number = error.Get_error_class()
        return next((name for name in ERROR_CLASSES if getattr(MPI, name, None) == number), f"class {number}")
    except Exception as error:
        return type(error).__name__
    return " ".join(["=", shown, *_changed(here.arrays)])


#: What returns a number that is of this MPI, or words.
_SAYS_NOTHING = {
    "Add_error_class", "Add_error_code", "Get_error_string", "Exception.Get_error_string",
    *(f"{owner}.{name}_keyval" for owner in ("Comm", "Datatype", "Win") for name in ("Create", "Free")),
}  # fmt: skip


def _finish_all(case: Case, here: Here, on: Any, result: Any) -> None:
    """See what becomes of what a call has begun."""
    MPI, method = here.MPI, case.method
    for each in result if isinstance(result, tuple) else (result,):
        if isinstance(each, MPI.Request) and not isinstance(each, MPI.Grequest) and each != MPI.REQUEST_NULL:
            if method.owner == "File":
                each.Wait()
            else:
                _finish(MPI, each)
    if method.owner == "Win" and re.fullmatch(_ACCESSES, method.full):
        on.Flush(0)
    if method.owner == "File" and method.name.endswith("_begin"):
        getattr(on, method.name.removesuffix("begin") + "end")(room(400))


def _finish(MPI: Any, request: Any) -> None:
    if isinstance(request, MPI.Prequest):
        request.Start()
    for _ in range(_TESTS):
        if request.Test():
            break


def _changed(arrays: list[Any]) -> Iterator[str]:
    """What of arrays is not as it was, with its place in them; an array begins at place 16."""
    for number, (whole, before) in enumerate(arrays):
        places = [place for place in range(len(whole)) if whole[place] != before[place]]
        if places:
            values = ",".join(str(whole[place]) for place in places)
            yield f"{number}[{places[0]}:{places[-1] + 1}]={values}"


def _shown(MPI: Any, value: Any) -> str:
    """A value in one word."""
    if value is None or isinstance(value, (bool, str, bytes, float)):
        return repr(value).replace(" ", "_")
    if isinstance(value, int):
        return _constants(MPI).get(int(value), str(int(value)))
    if isinstance(value, (list, tuple)):
        opens, closes = "[]" if isinstance(value, list) else "()"
        return opens + ",".join(_shown(MPI, each) for each in value) + closes
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_shown(MPI, each)}" for key, each in value.items()) + "}"
    if isinstance(value, (MPI.buffer, memoryview)):
        return f"memory[{len(value)}]"
    # A class of one's own below it is nobody's business.
    names = (each.__name__ for each in type(value).__mro__ if getattr(MPI, each.__name__, None) is each)
    name = next(names, type(value).__name__)
    return name if isinstance(value, MPI.Status) or value else f"{name}(null)"


def _constants(MPI: Any) -> dict[int, str]:
    """Numbers that mean something else than themselves."""
    return {int(MPI.UNDEFINED): "UNDEFINED"}
