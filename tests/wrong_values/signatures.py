"""Which public methods mpi4py has, and of which kind each parameter is: read from the stub that comes with mpi4py.

What is called with it, and what that gives, is not here.
"""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import NamedTuple

#: Of which kind a parameter is, by a part of its annotation: the first that fits.
_KINDS = (
    ("BufSpecW", "buffer w"),
    ("BufSpecV", "buffer v"),
    ("BufSpec", "buffer"),
    ("TargetSpec", "target"),
    ("Sequence[tuple[int, int, int]]", "ranges"),
    ("Sequence[Datatype]", "datatypes"),
    ("Sequence[int]", "integers"),
    ("Sequence[bool]", "integers"),
    ("list[Status]", "statuses"),
    ("Request]", "requests"),
    ("Prequest]", "requests"),
    ("Callable[[", "function"),
    ("Callable[...", "function"),
    ("PathLike", "path"),
    ("Mapping", "items"),
    ("Buffer", "memory"),
    ("Status", "status"),
    ("Datatype", "Datatype"),
    ("Errhandler", "Errhandler"),
    ("Session", "Session"),
    ("Group", "Group"),
    ("Info", "Info"),
    ("Comm", "Comm"),
    ("Intracomm", "Comm"),
    ("Op", "Op"),
    ("bool", "flag"),
    ("int", "integer"),
    ("str", "text"),
)


class Parameter(NamedTuple):
    """A parameter of a method.

    :ivar kind: what it takes; "" if that is anything.
    :ivar needed: whether it has no default.
    """

    name: str
    kind: str
    needed: bool


class Method(NamedTuple):
    """A method of a class of MPI, or a function of it.

    :ivar owner: the name of the class; "" for a function.
    """

    owner: str
    name: str
    parameters: tuple[Parameter, ...]

    @property
    def full(self) -> str:
        """Its name with that of its class."""
        return f"{self.owner}.{self.name}" if self.owner else self.name


def methods() -> list[Method]:
    """All that are public, each where it is defined, in the order of the stub."""
    package = importlib.util.find_spec("mpi4py")
    assert package is not None and package.origin is not None
    tree = ast.parse(Path(package.origin).with_name("MPI.pyi").read_text(encoding="utf-8"))
    found = [_method("", node) for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found += [_method(node.name, each) for each in node.body if isinstance(each, ast.FunctionDef)]
    return [each for each in found if each is not None and not each.name.startswith("_")]


def _method(owner: str, node: ast.FunctionDef) -> Method | None:
    if any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list):
        return None
    arguments = node.args.posonlyargs + node.args.args
    first_default = len(arguments) - len(node.args.defaults)
    parameters = [
        Parameter(each.arg, _kind(ast.unparse(each.annotation)), place < first_default)
        for place, each in enumerate(arguments)
        if each.annotation is not None
    ]
    return Method(owner, node.name, tuple(parameters))


def _kind(annotation: str) -> str:
    return next((kind for part, kind in _KINDS if part in annotation), "")
