"""Definitions of datatypes: what handles refer to. The handles that programs have are in `datatypes`.

How data lies in memory is in `typemaps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from ..errors import MPIError
from . import predefined
from .handles import Handle, State, predefine
from .named_integers import NUMBERS
from .predefined import CODES, LETTERS
from .typemaps import Repeated, TypeMap

ORDER_C, ORDER_FORTRAN = NUMBERS["ORDER_C"], NUMBERS["ORDER_FORTRAN"]
DISTRIBUTE_BLOCK, DISTRIBUTE_CYCLIC = NUMBERS["DISTRIBUTE_BLOCK"], NUMBERS["DISTRIBUTE_CYCLIC"]
DISTRIBUTE_NONE, DISTRIBUTE_DFLT_DARG = NUMBERS["DISTRIBUTE_NONE"], NUMBERS["DISTRIBUTE_DFLT_DARG"]

#: The number of each constructor.
COMBINERS = {name.removeprefix("COMBINER_"): number for name, number in NUMBERS.items() if name.startswith("COMBINER_")}
OF_FORTRAN = ("F90_REAL", "F90_COMPLEX", "F90_INTEGER")


AnyHandle = TypeVar("AnyHandle", bound="TypeHandle")


class Definition(State):
    """What a handle of a datatype refers to: several handles may refer to one.

    :param map: its layout.
    :param combiner: the constructor that made it.
    :param params: that constructor's arguments, by name, without the datatypes.
    :param bases: the datatypes that it was made of.
    :param row: what there is to say of it, if it is a predefined one.
    """

    #: whether a program has freed it.
    freed = False

    def __init__(
        self,
        map: TypeMap,
        combiner: str,
        params: dict[str, Any] | None = None,
        bases: Sequence[Definition] = (),
        letter: str | None = None,
        row: predefined.Predefined | None = None,
    ):
        self.map = map
        self.combiner = combiner
        self.params = params or {}
        self.bases = tuple(bases)
        self.letter = letter
        self.row = row
        self.name = ""
        self.committed = row is not None or combiner in OF_FORTRAN
        self.attributes: dict[int, Any] = {}

    def arguments(self) -> tuple[list[int], list[int]]:
        """The integers and the counts of its constructor's arguments, in MPI's order."""
        params = self.params
        if self.combiner == "SUBARRAY":
            counts = [*params["sizes"], *params["subsizes"], *params["starts"]]
            return [len(params["sizes"]), params["order"]], counts
        if self.combiner == "DARRAY":
            lists = (*params["distribs"], *params["dargs"], *params["psizes"])
            return [params["size"], params["rank"], len(params["gsizes"]), *lists, params["order"]], [*params["gsizes"]]
        if self.combiner in OF_FORTRAN:
            return [*params.values()], []
        if "displacements" in params:
            lengths = params.get("blocklengths", [params.get("blocklength")])
            return [], [len(params["displacements"]), *lengths, *params["displacements"]]
        return [], [*params.values()]

    @property
    def typestr(self) -> str:
        """NumPy's name for it, or "V" and its extent."""
        return LETTERS[self.letter][2] if self.letter else f"V{max(0, self.map.extent)}"

    @property
    def holds(self) -> str | None:
        """What a predefined one holds, for the operations that MPI has for it; None for a derived one."""
        return None if self.row is None else self.row.holds

    def __repr__(self) -> str:
        if self.row is not None:
            return self.row.name
        of = ", ".join(map(repr, dict.fromkeys(self.bases)))
        return self.combiner + (f" of {of}" if of else "")


class TypeHandle(Handle):
    """A handle of a datatype, or of none."""

    _null_name = "DATATYPE_NULL"
    _null_number = 0x0C000000
    _state: Definition | None

    @property
    def definition(self) -> Definition | None:
        """What it refers to; None if it is null."""
        return self._state

    @property
    def map(self) -> TypeMap:
        """Its layout.

        :raises MPIError: it is null.
        """
        return self._defined().map

    def _defined(self) -> Definition:
        """What this refers to.

        :raises MPIError: nothing, it is DATATYPE_NULL.
        """
        if self._state is None:
            raise MPIError("a datatype is DATATYPE_NULL, or was freed: use one that is there", "ERR_TYPE")
        return self._state


def wrap(cls: type[AnyHandle], definition: Definition | None) -> AnyHandle:
    """A new handle of a definition."""
    return cls() if definition is None else cls._of(definition)


def _predefined(row: predefined.Predefined) -> Definition:
    if len(row.letters) == 1:
        map = TypeMap.of_primitive(row.name, *LETTERS[row.letters][:2])
        return Definition(map, "NAMED", letter=row.letters, row=row)
    value, index = (TypeMap.of_primitive(CODES[letter], *LETTERS[letter][:2]) for letter in row.letters)
    at = max(value.size, index.alignment)
    return Definition(TypeMap([Repeated(value, 0), Repeated(index, at)]).aligned(), "NAMED", row=row)


#: Each predefined datatype, by name.
DEFINITIONS: dict[str, Definition] = {
    row.name: predefine(_predefined(row), row.name, row.handle) for row in predefined.PREDEFINED
}
