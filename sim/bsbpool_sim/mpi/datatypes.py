"""Datatypes: the handles that programs have, their names and codes. Constructors are in `datatype_constructors`.

The predefined ones are shared by all simulated ranks; what a rank writes on them (a name, an attribute) is its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Self

from ..errors import CannotSimulateError, MPIError
from . import predefined
from .attributes import WithAttributes
from .constants import real
from .datatype_constructors import Constructors
from .definitions import COMBINERS, DEFINITIONS, OF_FORTRAN, wrap
from .integer_arguments import text_argument
from .kept_by_rank import of_rank
from .packing import Packing


class Datatype(Constructors, Packing, WithAttributes, root=True):
    """A datatype, as programs have it.

    :param datatype: another handle, of the same datatype; None: the new one is DATATYPE_NULL.
    """

    def __repr__(self) -> str:
        if self._state is None:
            return "DATATYPE_NULL"
        return self._state.constant or f"<datatype {self._state!r}>"

    def __reduce__(self) -> Any:
        if self._state is None or self._state.constant:
            return super().__reduce__()
        return create, (*self.decode(), True)

    def free(self) -> None:
        """`Free`, unless it is null or predefined; it is null then, unless it is a name of MPI."""
        if self._state is not None and self._state.combiner in OF_FORTRAN:
            self._nullify()
        else:
            super().free()

    def _attributes(self, call: str) -> dict[int, Any]:
        """The attributes of a predefined one are each rank's own."""
        state = self._state
        if state is None or state.row is None:
            return super()._attributes(call)
        own: dict[str, dict[int, Any]] = of_rank("attributes of datatypes", dict)
        return own.setdefault(state.row.name, {})

    def Dup(self) -> Self:
        """The same datatype once more, with the attributes whose keys have a function that copies them."""
        attributes = self._copied_attributes()  # if that fails, there is no duplicate
        found = super().Dup()
        definition = found._defined()
        definition.committed, definition.attributes = self._defined().committed, attributes
        return found

    Create_dup = Dup

    def Commit(self) -> Self:
        """Make it ready for communication."""
        self._defined().committed = True
        return self

    def Free(self) -> None:
        """Give it up: this handle is DATATYPE_NULL then. Datatypes that were made of it stay.

        :raises MPIError: it is predefined, or null.
        """
        definition = self._defined()
        if definition.row is not None:
            raise MPIError(f"{definition!r} is predefined and can't be freed", "ERR_TYPE")
        self._delete_attributes()
        definition.freed = True
        self._nullify()

    # -- sizes -------------------------------------------------------------------------------------

    def Get_size(self) -> int:
        """Bytes of data in one item."""
        return self._defined().map.size

    def Get_extent(self) -> tuple[int, int]:
        """Lower bound and extent in bytes."""
        found = self._defined().map
        return found.lb, found.extent

    def Get_true_extent(self) -> tuple[int, int]:
        """Lower bound and extent of its data alone, in bytes."""
        found = self._defined().map
        return found.true_lb, found.true_ub - found.true_lb

    @property
    def size(self) -> int:
        """Bytes of data in one item."""
        return self._defined().map.size

    @property
    def extent(self) -> int:
        """Bytes from one item to the next."""
        return self._defined().map.extent

    @property
    def lb(self) -> int:
        """Lower bound."""
        return self._defined().map.lb

    @property
    def ub(self) -> int:
        """Upper bound."""
        return self._defined().map.ub

    @property
    def true_extent(self) -> int:
        """Bytes from its first byte of data to behind its last."""
        return self.Get_true_extent()[1]

    @property
    def true_lb(self) -> int:
        """Where its first byte of data is."""
        return self._defined().map.true_lb

    @property
    def true_ub(self) -> int:
        """Behind its last byte of data."""
        return self._defined().map.true_ub

    # -- how it was made ---------------------------------------------------------------------------

    def Get_envelope(self) -> tuple[int, int, int, int, int]:
        """Numbers of integers, addresses, counts and datatypes that made it, and the constructor."""
        definition = self._defined()
        integers, counts = definition.arguments()
        return len(integers), 0, len(counts), len(definition.bases), COMBINERS[definition.combiner]

    def Get_contents(self) -> tuple[list[int], list[int], list[int], list[Datatype]]:
        """Integers, addresses, counts and datatypes that made it.

        :raises MPIError: it is a named one, which nothing made.
        """
        definition = self._defined()
        if definition.combiner == "NAMED":
            raise MPIError(f"{definition!r} is a named datatype: nothing made it", "ERR_TYPE")
        integers, counts = definition.arguments()
        return integers, [], counts, [wrap(Datatype, each) for each in definition.bases]

    envelope = property(Get_envelope, doc="What `Get_envelope` returns.")
    contents = property(Get_contents, doc="What `Get_contents` returns.")

    def decode(self) -> tuple[Datatype, str, dict[str, Any]]:
        """The datatype that this one was made of, the constructor's name, and its other arguments."""
        definition = self._defined()
        if definition.combiner == "NAMED":
            return self, "NAMED", {}
        bases = [wrap(Datatype, each) for each in definition.bases]
        params = {k: list(v) if isinstance(v, list) else v for k, v in definition.params.items()}
        if definition.combiner == "STRUCT":
            params["datatypes"] = bases
        return bases[0] if len(bases) == 1 else DATATYPE_NULL, definition.combiner, params

    @property
    def combiner(self) -> int:
        """The constructor that made it."""
        return COMBINERS[self._defined().combiner]

    @property
    def is_named(self) -> bool:
        """Whether it is one that MPI has a name for."""
        return self._defined().combiner == "NAMED"

    @property
    def is_predefined(self) -> bool:
        """Whether MPI has it: it can't be freed."""
        return self._state is None or self._state.combiner in ("NAMED", *OF_FORTRAN)

    # -- names and codes ---------------------------------------------------------------------------

    def Get_name(self) -> str:
        """Its name; "" if it has none."""
        if self._state is None:
            return "MPI_DATATYPE_NULL"
        if self._state.row is None:
            return self._state.name
        renamed: dict[str, str] = of_rank("names of datatypes", dict)
        return renamed.get(self._state.row.name, self._state.row.mpi_name)

    def Set_name(self, name: str) -> None:
        """Name it, on this rank."""
        definition, name = self._defined(), text_argument(name, "the name of a datatype")
        if definition.row is None:
            definition.name = name
        else:
            of_rank("names of datatypes", dict)[definition.row.name] = name

    name = property(Get_name, Set_name, doc="Its name; on predefined ones, each rank writes its own.")

    def tocode(self) -> str:
        """The letter or NumPy's name of a predefined datatype.

        :raises ValueError: it has none.
        """
        found = typecode(self)
        if found is None:
            raise ValueError("cannot map to character code or type string")
        return found

    @classmethod
    def fromcode(cls, code: str) -> Datatype:
        """The predefined datatype of a letter, or of NumPy's name.

        :raises ValueError: there is none.
        """
        if code not in predefined.CODES:
            raise ValueError(f"cannot map code {code!r} to MPI datatype")
        return DATATYPES[predefined.CODES[code]]

    @property
    def typestr(self) -> str:
        """NumPy's name; "V" and the extent if it has none."""
        return "" if self._state is None else self._state.typestr

    @property
    def typechar(self) -> str:
        """Its letter; "V" if it has none."""
        return "" if self._state is None else self._state.letter or "V"


def create(datatype: Datatype, combiner: str, params: dict[str, Any], free: bool = False) -> Datatype:
    """Make a datatype of what `decode` returned, and commit it.

    :param free: whether those that it is made of are freed then, unless they are predefined: a pickle made them.
    """
    factory: Callable[..., Datatype] = getattr(datatype, f"Create_{combiner.lower()}")
    made = factory(**params).Commit()
    if free:
        for each in (datatype, *params.get("datatypes", ())):
            each.free()
    return made


def decode(datatype: Datatype, mark: bool = False) -> tuple[Datatype, str, dict[str, Any]]:
    """What `Datatype.decode` returns."""
    return datatype.decode()


def typecode(datatype: Datatype) -> str | None:
    """The letter or NumPy's name of a predefined datatype, or of its duplicates; None if it has none."""
    definition = datatype.definition
    while definition is not None and definition.combiner == "DUP":
        (definition,) = definition.bases
    if definition is None:
        return None
    if definition.row is not None:
        return definition.row.code or None
    return definition.typestr if definition.combiner in OF_FORTRAN else None


def typealign(datatype: Datatype) -> int | None:
    """The alignment of a predefined datatype in bytes; None if it is a derived one."""
    definition = datatype.definition
    if definition is None or (definition.row is None and definition.letter is None):
        return None
    return definition.map.alignment


#: Each predefined datatype, by name.
DATATYPES: dict[str, Datatype] = {}


DATATYPES.update({name: Datatype._named(state) for name, state in DEFINITIONS.items()})
DATATYPES.update({name: Datatype._named(None) for name in (*predefined.ABSENT, "DATATYPE_NULL")})
DATATYPES.update({alias: DATATYPES[name] for alias, name in predefined.ALIASES.items()})
DATATYPE_NULL, BYTE = DATATYPES["DATATYPE_NULL"], DATATYPES["BYTE"]

_FOREIGN = (">", "!") if sys.byteorder == "little" else ("<",)


def is_same(one: Datatype, other: Datatype) -> bool:
    """Whether two handles are of one datatype, perhaps with two names."""
    return one.definition is other.definition


def is_alike(one: Datatype, other: Datatype) -> bool:
    """Whether items of both datatypes have the same primitives, though ranks may have made them each for itself."""
    mine, theirs = one.definition, other.definition
    if mine is theirs or mine is None or theirs is None:
        return mine is theirs
    derived = mine.row is None and theirs.row is None
    return derived and mine.map.signature() == theirs.map.signature()


def of_buffer(format: str) -> Datatype:
    """The datatype of a buffer for which the program names none.

    :raises BufferError: its bytes are in the order of another machine.
    :raises KeyError: no predefined datatype has its format.
    """
    found = FORMATS.get(format)
    if found is not None:
        return found
    if format.startswith(_FOREIGN):
        raise BufferError(
            f"the format {format!r} of this buffer has the byte order of another machine, which MPI does not turn: "
            "convert it first, with array.astype(array.dtype.newbyteorder('='))"
        )
    found = FORMATS.get(format.lstrip("@=<>!"))
    if found is None:
        raise KeyError(
            f"the format {format!r} of this buffer is that of no MPI datatype: name one, as [array, MPI.BYTE], or use "
            "the lower-case methods"
        )
    return found


#: The datatype of each code.
FORMATS = {code: DATATYPES[name] for code, name in predefined.CODES.items()}


def datatype(given: Any) -> Datatype:
    """`given` as one of our datatypes: ours, a predefined one of the real mpi4py's, or a format like ``"d"``.

    The handle of a derived one is not the program's, which may free its own while communication uses the datatype.

    :raises CannotSimulateError: it is a derived datatype of the real mpi4py's.
    :raises KeyError: it is a format that no datatype has.
    """
    if isinstance(given, Datatype):
        state = given._state
        return given if state is None or state.row is not None else Datatype._of(state)
    if isinstance(given, str):
        if given not in FORMATS:
            raise KeyError(f"cannot map {given!r} to MPI datatype")
        return FORMATS[given]
    kind = real("Datatype")
    if kind is None or not isinstance(given, kind):
        raise TypeError(f"a datatype is an MPI.Datatype or a format, such as 'd', not {given!r}")
    for name, ours in DATATYPES.items():
        if given == real(name):
            return ours
    raise CannotSimulateError(
        f"{given!r} is a derived datatype of the installed mpi4py: make it in the program, from simulated ranks' own "
        "datatypes"
    )
