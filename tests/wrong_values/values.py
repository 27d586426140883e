"""What is given to MPI's methods: what is right, by the name of the parameter, and what is wrong, by its kind.

Each value has a name of one word, under which its outcome is recorded, and is made anew for each call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: Makes a value, of what a case has.
Maker = Callable[[Any], Any]


def array(here: Any, dtype: str = "i4", size: int = 4) -> Any:
    """Numbers, with room before and behind: what lies outside of a buffer may be touched, and no more."""
    whole = np.zeros(48 + size, dtype)
    part = whole[16 : 16 + size]
    part[:] = np.arange(1, size + 1)
    here.arrays.append((whole, whole.copy()))
    return part


def room(size: int) -> Any:
    """Memory that MPI keeps for itself: what becomes of it says nothing."""
    return np.zeros(size, "B")


def _readonly(here: Any) -> Any:
    part = array(here)
    part.flags.writeable = False
    return part


def _freed(handle: Any) -> Any:
    handle.Free()
    return handle


def _ints(*values: Any) -> Maker:
    return lambda here: [*values]


# -- what is right --------------------------------------------------------------------------------

#: By the name of the parameter.
RIGHT: dict[str, Maker] = {
    **dict.fromkeys(
        [
            "dest",
            "source",
            "root",
            "rank",
            "target_rank",
            "local_leader",
            "remote_leader",
            "tag",
            "sendtag",
            "recvtag",
            "key",
            "color",
            "position",
            "offset",
            "disp",
            "target_disp",
            "assertion",
            "lb",
            "n",
            "partition",
            "partition_low",
            "partition_high",
            "direction",
            "errorcode",
            "error",
        ],
        lambda here: 0,
    ),
    **dict.fromkeys(
        ["count", "blocklength", "nnodes", "partitions", "disp_unit", "flag", "num_to_ack", "level"], lambda here: 1
    ),
    "stride": lambda here: 1,
    "extent": lambda here: 16,
    "size": lambda here: 16,
    "nbytes": lambda here: 16,
    "whence": lambda here: here.MPI.SEEK_SET,
    "amode": lambda here: here.MPI.MODE_RDWR | here.MPI.MODE_CREATE | here.MPI.MODE_DELETE_ON_CLOSE,
    "order": lambda here: here.MPI.ORDER_C,
    "lock_type": lambda here: here.MPI.LOCK_EXCLUSIVE,
    "split_type": lambda here: here.MPI.COMM_TYPE_SHARED,
    "typeclass": lambda here: here.MPI.TYPECLASS_INTEGER,
    "required": lambda here: here.MPI.THREAD_MULTIPLE,
    "r": lambda here: 5,
    "p": lambda here: 6,
    "addr1": lambda here: 24,
    "addr2": lambda here: 8,
    "status": lambda here: here.MPI.Status(),
    "statuses": lambda here: [],
    "requests": lambda here: [here.request()],
    "info": lambda here: here.info(),
    "items": lambda here: {"a": "b"},
    "op": lambda here: here.MPI.SUM,
    "group": lambda here: here.comm.Get_group(),
    "group1": lambda here: here.comm.Get_group(),
    "group2": lambda here: here.comm.Get_group(),
    "local_group": lambda here: here.comm.Get_group(),
    "remote_group": lambda here: here.comm.Get_group(),
    "comm": lambda here: here.comm,
    "peer_comm": lambda here: here.comm,
    "session": lambda here: here.session(),
    "datatype": lambda here: here.MPI.INT,
    "etype": lambda here: here.MPI.INT,
    "filetype": lambda here: here.MPI.INT,
    "value": lambda here: here.MPI.INT,
    "index": lambda here: here.MPI.INT,
    "errhandler": lambda here: here.MPI.ERRORS_RETURN,
    "datarep": lambda here: "native",
    "pset_name": lambda here: "mpi://SELF",
    "stringtag": lambda here: "tag",
    "filename": lambda here: here.path,
    "name": lambda here: "name",
    "key_of_info": lambda here: "a",
    "obj": lambda here: 1,
    "sendobj": lambda here: [1],
    "attrval": lambda here: 3,
    "memory": array,
    "location": array,
    "mem": lambda here: here.MPI.Alloc_mem(16),
    "ranks": _ints(0),
    "recvcounts": _ints(4),
    "blocklengths": _ints(1),
    "displacements": _ints(0),
    "datatypes": lambda here: [here.MPI.INT],
    "sizes": _ints(4),
    "subsizes": _ints(2),
    "starts": _ints(1),
    "gsizes": _ints(4),
    "psizes": _ints(1),
    "distribs": lambda here: [here.MPI.DISTRIBUTE_BLOCK],
    "dargs": lambda here: [here.MPI.DISTRIBUTE_DFLT_DARG],
    "dims": _ints(1),
    "periods": _ints(True),
    "remain_dims": _ints(True),
    "coords": _ints(0),
    "edges": _ints(0),
    "sources": _ints(0),
    "degrees": _ints(1),
    "destinations": _ints(0),
    "sourceweights": _ints(1),
    "destweights": _ints(1),
    "weights": _ints(1),
    "nprocs": lambda here: 1,
    "default": lambda here: None,
    "string": lambda here: "said",
    "copy_fn": lambda here: None,
    "delete_fn": lambda here: None,
    "errhandler_fn": lambda here: lambda handle, code: None,
    "function": lambda here: lambda a, b, datatype: None,
    "shape": lambda here: [16],
    "format": lambda here: "B",
}
#: By the kind of the parameter, if its name is none of the above.
RIGHT_KIND: dict[str, Maker] = {
    "buffer": array,
    "buffer v": lambda here: [array(here), [4], [0], here.MPI.INT],
    "buffer w": lambda here: [array(here), [4], [0], [here.MPI.INT]],
    "target": lambda here: [0, 4, here.MPI.INT],
    "memory": array,
    "function": lambda here: None,
    "flag": lambda here: False,
    "ranges": lambda here: [(0, 0, 1)],
    "status": lambda here: here.MPI.Status(),
}
#: By method and parameter, where it is neither.
RIGHT_THERE: dict[str, Maker] = {
    "Comm.recv buf": lambda here: None,
    "Comm.irecv buf": lambda here: None,
    "Comm.sendrecv recvbuf": lambda here: None,
    "Comm.sendrecv sendobj": lambda here: 1,
    "Comm.Iagree flag": lambda here: array(here, size=1),
    "Comm.reduce op": lambda here: here.MPI.SUM,
    "Intracomm.Create_graph index": _ints(1),
    "Intracomm.Graph_map index": _ints(1),
    "Intracomm.Create_from_group stringtag": lambda here: "tag",
    "Info.Get key": lambda here: "a",
    "Info.Set key": lambda here: "c",
    "Info.Set value": lambda here: "d",
    "Info.Delete key": lambda here: "a",
    "Info.get key": lambda here: "a",
    "Info.pop key": lambda here: "a",
    "Info.Create_env args": lambda here: ["program"],
    "Datatype.Match_size size": lambda here: 4,
    "Datatype.fromcode code": lambda here: "i",
    "Datatype.Pack_external datarep": lambda here: "external32",
    "Datatype.Unpack_external datarep": lambda here: "external32",
    "Datatype.Pack_external_size datarep": lambda here: "external32",
    "Datatype.Pack outbuf": lambda here: array(here, "B", 32),
    "Datatype.Pack_external outbuf": lambda here: array(here, "B", 32),
    "Datatype.Unpack inbuf": lambda here: array(here, "B", 16),
    "Datatype.Unpack_external inbuf": lambda here: array(here, "B", 16),
    "Datatype.Create_darray rank": lambda here: 0,
    "Datatype.Create_darray size": lambda here: 1,
    "Comm.Free_keyval keyval": lambda here: here.keyval("Comm"),
    "Compute_dims dims": lambda here: 2,
    "Win.Detach memory": lambda here: here.attached,
    "Win.Compare_and_swap origin": lambda here: array(here, size=1),
    "Win.Compare_and_swap compare": lambda here: array(here, size=1),
    "Win.Compare_and_swap result": lambda here: array(here, size=1),
    "Win.Fetch_and_op origin": lambda here: array(here, size=1),
    "Win.Fetch_and_op result": lambda here: array(here, size=1),
    "Prequest.Startall requests": lambda here: [here.inactive()],
    "Prequest.Pready_list partitions": _ints(0, 1),
    "Prequest.Pready_range partition_high": lambda here: 1,
    "Add_error_code errorclass": lambda here: here.MPI.Add_error_class(),
    "Remove_error_class errorclass": lambda here: here.MPI.Add_error_class(),
    "Remove_error_code errorcode": lambda here: here.MPI.Add_error_code(here.MPI.ERR_OTHER),
    "Add_error_string errorcode": lambda here: here.MPI.Add_error_class(),
    "Remove_error_string errorcode": lambda here: here.with_string(),
    "Attach_buffer buf": lambda here: room(4096),
    "Comm.Attach_buffer buf": lambda here: room(4096),
    "Session.Attach_buffer buf": lambda here: room(4096),
    "Grequest.Start args": lambda here: (),
    "Grequest.Start kwargs": lambda here: {},
    "Status.f2py arg": lambda here: here.MPI.Status().py2f(),
    "Pickle.loads data": lambda here: here.MPI.pickle.dumps(1),
    "Pickle.loads_oob data": lambda here: here.MPI.pickle.dumps_oob(1)[0],
    "Pickle.loads_oob buffers": lambda here: [],
    "buffer.frombuffer obj": array,
    "buffer.tobytes order": lambda here: None,
}


def right(full: str, name: str, kind: str) -> Maker:
    """What is right for a parameter of a method."""
    found = RIGHT_THERE.get(f"{full} {name}")
    if found is None and name == "keyval":
        return lambda here: here.keyval(full.partition(".")[0], set=True)
    if found is None:
        found = (
            RIGHT_KIND.get(kind)
            if kind.startswith("buffer") or kind == "ranges"
            else RIGHT.get(name) or RIGHT_KIND.get(kind)
        )
    if found is None:
        raise LookupError(f"nobody has said what is right for {name} of {full}")
    return found


# -- what is wrong --------------------------------------------------------------------------------

_ANY = {"None": lambda here: None, "text": lambda here: "text", "object": lambda here: object()}
_HANDLE = {**_ANY, "3": lambda here: 3}
_INTEGER: dict[str, Maker] = {
    **_ANY,
    "digits": lambda here: "1",
    "half": lambda here: 0.5,
    "list": lambda here: [],
    "-1": lambda here: -1,
    "-99": lambda here: -99,
    "99": lambda here: 99,
    "2**31": lambda here: 2**31,
    "2**63": lambda here: 2**63,
}
_INTEGERS: dict[str, Maker] = {
    **_ANY,
    "3": lambda here: 3,
    "empty": _ints(),
    "[None]": _ints(None),
    "[text]": _ints("text"),
    "[half]": _ints(0.5),
    "[-1]": _ints(-1),
    "[-99]": _ints(-99),
    "[99]": _ints(99),
    "[2**31]": _ints(2**31),
    "twice": _ints(0, 0),
    "array": lambda here: np.zeros(1, "i4"),
}
_MEMORY: dict[str, Maker] = {
    **_ANY,
    "3": lambda here: 3,
    "bytes": lambda here: b"abcdefghijklmnop",
    "readonly": _readonly,
    "strided": lambda here: array(here, size=8)[::2],
    "fortran": lambda here: array(here).reshape(2, 2).T,
    "list": lambda here: [],
}
_TYPED: dict[str, Maker] = {
    **_MEMORY,
    "shorter": lambda here: array(here, size=2),
    "longer": lambda here: array(here, size=8),
    "empty": lambda here: array(here, size=0),
    "doubles": lambda here: array(here, "f8"),
    "shorts": lambda here: array(here, "i2", 8),
    "swapped": lambda here: array(here, ">i4"),
    "objects": lambda here: np.array([1, 2], dtype=object),
    "structured": lambda here: np.zeros(2, [("a", "i4"), ("b", "i4")]),
    "in-place": lambda here: here.MPI.IN_PLACE,
    "bottom": lambda here: here.MPI.BOTTOM,
    "[]": lambda here: [],
    "[a]": lambda here: [array(here)],
    "[a,None]": lambda here: [array(here), None],
    "[a,i]": lambda here: [array(here), "i"],
    "[a,f]": lambda here: [array(here), "f"],
    "[a,x]": lambda here: [array(here), "x"],
    "[a,INT]": lambda here: [array(here), here.MPI.INT],
    "[a,DOUBLE]": lambda here: [array(here), here.MPI.DOUBLE],
    "[a,null-type]": lambda here: [array(here), here.MPI.DATATYPE_NULL],
    "[a,freed-type]": lambda here: [array(here), _freed(here.MPI.INT.Dup())],
    "[a,uncommitted]": lambda here: [array(here), here.MPI.INT.Create_contiguous(2)],
    "[a,comm]": lambda here: [array(here), here.comm],
    "[a,2]": lambda here: [array(here), 2],
    "[a,2,INT]": lambda here: [array(here), 2, here.MPI.INT],
    "[a,5,INT]": lambda here: [array(here), 5, here.MPI.INT],
    "[a,-1,INT]": lambda here: [array(here), -1, here.MPI.INT],
    "[a,half,INT]": lambda here: [array(here), 0.5, here.MPI.INT],
    "[a,text,INT]": lambda here: [array(here), "text", here.MPI.INT],
    "[a,2**31,INT]": lambda here: [array(here), 2**31, here.MPI.INT],
    "[a,2,1,INT]": lambda here: [array(here), 2, 1, here.MPI.INT],
    "[a,(2,1),INT]": lambda here: [array(here), (2, 1), here.MPI.INT],
    "[a,2,9,INT]": lambda here: [array(here), 2, 9, here.MPI.INT],
    "[a,2,-1,INT]": lambda here: [array(here), 2, -1, here.MPI.INT],
    "[a,1,1,1,1]": lambda here: [array(here), 1, 1, 1, 1],
    "[None,0,INT]": lambda here: [None, 0, here.MPI.INT],
    "[None,1,INT]": lambda here: [None, 1, here.MPI.INT],
    "(a,2,INT)": lambda here: (array(here), 2, here.MPI.INT),
    "{a}": lambda here: {"a": array(here)},
}
_V: dict[str, Maker] = {
    **_TYPED,
    "[a,[4]]": lambda here: [array(here), [4]],
    "[a,[5]]": lambda here: [array(here), [5]],
    "[a,[2],INT]": lambda here: [array(here), [2], here.MPI.INT],
    "[a,[-1],INT]": lambda here: [array(here), [-1], here.MPI.INT],
    "[a,[None],INT]": lambda here: [array(here), [None], here.MPI.INT],
    "[a,[],INT]": lambda here: [array(here), [], here.MPI.INT],
    "[a,[2,2],INT]": lambda here: [array(here), [2, 2], here.MPI.INT],
    "[a,[4],[1],INT]": lambda here: [array(here), [4], [1], here.MPI.INT],
    "[a,[4],[-1],INT]": lambda here: [array(here), [4], [-1], here.MPI.INT],
    "[a,[4],[],INT]": lambda here: [array(here), [4], [], here.MPI.INT],
    "[a,[4],[0,0],INT]": lambda here: [array(here), [4], [0, 0], here.MPI.INT],
    "[a,[4],text,INT]": lambda here: [array(here), [4], "text", here.MPI.INT],
    "[a,([4],[0]),INT]": lambda here: [array(here), ([4], [0]), here.MPI.INT],
    "[a,([4],None),INT]": lambda here: [array(here), ([4], None), here.MPI.INT],
    "[a,[4],[0],null-type]": lambda here: [array(here), [4], [0], here.MPI.DATATYPE_NULL],
}
_W: dict[str, Maker] = {
    **_ANY,
    "a": array,
    "in-place": lambda here: here.MPI.IN_PLACE,
    "[a]": lambda here: [array(here)],
    "[a,[INT]]": lambda here: [array(here), [here.MPI.INT]],
    "[a,INT]": lambda here: [array(here), here.MPI.INT],
    "[a,[4],[0],INT]": lambda here: [array(here), [4], [0], here.MPI.INT],
    "[a,([4],[0]),[INT]]": lambda here: [array(here), ([4], [0]), [here.MPI.INT]],
    "[a,[5],[0],[INT]]": lambda here: [array(here), [5], [0], [here.MPI.INT]],
    "[a,[4],[4],[INT]]": lambda here: [array(here), [4], [4], [here.MPI.INT]],
    "[a,[4],[-4],[INT]]": lambda here: [array(here), [4], [-4], [here.MPI.INT]],
    "[a,[-1],[0],[INT]]": lambda here: [array(here), [-1], [0], [here.MPI.INT]],
    "[a,[],[0],[INT]]": lambda here: [array(here), [], [0], [here.MPI.INT]],
    "[a,[4],[],[INT]]": lambda here: [array(here), [4], [], [here.MPI.INT]],
    "[a,[4],[0],[]]": lambda here: [array(here), [4], [0], []],
    "[a,[4],[0],[text]]": lambda here: [array(here), [4], [0], ["text"]],
    "[a,[4],[0],[null-type]]": lambda here: [array(here), [4], [0], [here.MPI.DATATYPE_NULL]],
    "[None,[0],[0],[INT]]": lambda here: [None, [0], [0], [here.MPI.INT]],
}
_TARGET: dict[str, Maker] = {
    **_ANY,
    "0": lambda here: 0,
    "2": lambda here: 2,
    "99": lambda here: 99,
    "-4": lambda here: -4,
    "[]": lambda here: [],
    "[0]": lambda here: [0],
    "[0,4]": lambda here: [0, 4],
    "[0,2]": lambda here: [0, 2],
    "[0,5]": lambda here: [0, 5],
    "[0,-1]": lambda here: [0, -1],
    "[0,text]": lambda here: [0, "text"],
    "[0,5,INT]": lambda here: [0, 5, here.MPI.INT],
    "[0,2,INT]": lambda here: [0, 2, here.MPI.INT],
    "[-4,4,INT]": lambda here: [-4, 4, here.MPI.INT],
    "[99,4,INT]": lambda here: [99, 4, here.MPI.INT],
    "[0,4,FLOAT]": lambda here: [0, 4, here.MPI.FLOAT],
    "[0,2,DOUBLE]": lambda here: [0, 2, here.MPI.DOUBLE],
    "[0,4,null-type]": lambda here: [0, 4, here.MPI.DATATYPE_NULL],
    "[0,4,text]": lambda here: [0, 4, "text"],
    "[0,4,INT,0]": lambda here: [0, 4, here.MPI.INT, 0],
}
WRONG: dict[str, dict[str, Maker]] = {
    "integer": _INTEGER,
    "integers": _INTEGERS,
    "ranges": {
        **_INTEGERS,
        "[()]": _ints(()),
        "[(0,)]": _ints((0,)),
        "[(0,0,0)]": _ints((0, 0, 0)),
        "[(0,5,1)]": _ints((0, 5, 1)),
        "[(-1,0,1)]": _ints((-1, 0, 1)),
        "[(0,0,1,1)]": _ints((0, 0, 1, 1)),
    },
    "datatypes": {
        **_ANY,
        "empty": _ints(),
        "[text]": _ints("text"),
        "[null]": lambda here: [here.MPI.DATATYPE_NULL],
        "twice": lambda here: [here.MPI.INT, here.MPI.INT],
    },
    "buffer": _TYPED,
    "buffer v": _V,
    "buffer w": _W,
    "target": _TARGET,
    "memory": _MEMORY,
    "status": {**_ANY, "3": lambda here: 3, "request": lambda here: here.MPI.REQUEST_NULL},
    "statuses": {
        **_ANY,
        "3": lambda here: 3,
        "tuple": lambda here: (),
        "[None]": _ints(None),
        "[text]": _ints("text"),
        "[status]": lambda here: [here.MPI.Status()],
    },
    "requests": {
        **_ANY,
        "3": lambda here: 3,
        "empty": _ints(),
        "[None]": _ints(None),
        "[text]": _ints("text"),
        "[null]": lambda here: [here.MPI.REQUEST_NULL],
        "tuple": lambda here: (here.request(),),
    },
    "function": {"None": lambda here: None, "text": lambda here: "text", "3": lambda here: 3},
    "path": {**_ANY, "3": lambda here: 3, "empty": lambda here: "", "nowhere": lambda here: here.path + ".none/x",
             "bytes": lambda here: here.path.encode(), "zero": lambda here: "a\0b", "folder": lambda here: here.folder},
    "items": {**_ANY, "3": lambda here: 3, "[pair]": _ints(("a", "b")), "{3}": lambda here: {"a": 3},
              "{empty}": lambda here: {"": "b"}, "info": lambda here: here.info()},
    "text": {"None": lambda here: None, "3": lambda here: 3, "list": _ints(), "bytes": lambda here: b"a",
             "empty": lambda here: "", "long": lambda here: "a" * 10000, "zero": lambda here: "a\0b",
             "other": lambda here: "other", "umlaut": lambda here: "ä"},
    "flag": {"None": lambda here: None, "text": lambda here: "text", "2": lambda here: 2, "list": _ints()},
    "": {},
    "Comm": {**_HANDLE, "null": lambda here: here.MPI.COMM_NULL, "freed": lambda here: _freed(here.comm.Dup()),
             "type": lambda here: here.MPI.INT},
    "Group": {**_HANDLE, "null": lambda here: here.MPI.GROUP_NULL, "empty": lambda here: here.MPI.GROUP_EMPTY,
              "freed": lambda here: _freed(here.comm.Get_group()), "comm": lambda here: here.comm},
    "Info": {**_HANDLE, "null": lambda here: here.MPI.INFO_NULL, "freed": lambda here: _freed(here.MPI.Info.Create()),
             "dict": lambda here: {"a": "b"}},
    "Op": {**_HANDLE, "null": lambda here: here.MPI.OP_NULL, "bitwise": lambda here: here.MPI.BAND,
           "MAXLOC": lambda here: here.MPI.MAXLOC, "REPLACE": lambda here: here.MPI.REPLACE,
           "NO_OP": lambda here: here.MPI.NO_OP, "function": lambda here: lambda a, b: a,
           "freed": lambda here: _freed(here.MPI.Op.Create(lambda a, b, t: None))},
    "Datatype": {**_HANDLE, "null": lambda here: here.MPI.DATATYPE_NULL, "DOUBLE": lambda here: here.MPI.DOUBLE,
                 "uncommitted": lambda here: here.MPI.INT.Create_contiguous(2), "comm": lambda here: here.comm,
                 "freed": lambda here: _freed(here.MPI.INT.Dup())},
    "Errhandler": {**_HANDLE, "null": lambda here: here.MPI.ERRHANDLER_NULL, "comm": lambda here: here.comm,
                   "freed": lambda here: _freed(here.MPI.Comm.Create_errhandler(lambda c, e: None))},
    "Session": {**_HANDLE, "null": lambda here: here.MPI.SESSION_NULL},
}  # fmt: skip
