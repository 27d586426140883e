"""Raises an exception at any statement of the pool's code: for tests that every rank leaves, whatever raises, wherever.

`points_in` puts a call of a function before each statement of the functions of a module, for as long as it is entered.
The functions stay the objects that they are, only their code is replaced, so that whoever has them already runs it too.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import types
from pathlib import Path

_NAME = "__point__"


class _Instrument(ast.NodeTransformer):
    """Puts a call before each statement inside of functions."""

    def __init__(self):
        self._depth = 0

    def visit_FunctionDef(self, node):
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        return node

    def generic_visit(self, node):
        super().generic_visit(node)
        if self._depth:
            for field in ("body", "orelse", "finalbody"):
                statements = getattr(node, field, None)
                if isinstance(statements, list) and not isinstance(node, ast.ClassDef):
                    setattr(node, field, [each for s in statements for each in (self._point(s), s) if each is not None])
        return node

    @staticmethod
    def _point(statement):
        if isinstance(statement, ast.Nonlocal | ast.Global | ast.Try):
            return None  # a `try` raises nothing itself: what it guards begins inside
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            return None  # nor does a docstring
        call = ast.Expr(ast.Call(ast.Name(_NAME, ast.Load()), [], []))
        return ast.fix_missing_locations(ast.copy_location(call, statement))


def _codes(code):
    """All code objects within one, by their qualified name and first line."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield (constant.co_qualname, constant.co_firstlineno), constant
            yield from _codes(constant)


@functools.cache
def _instrumented(module):
    path = Path(inspect.getsourcefile(module))
    tree = _Instrument().visit(ast.parse(path.read_text(encoding="utf-8")))
    return dict(_codes(compile(ast.fix_missing_locations(tree), str(path), "exec")))


def _functions(module):
    """The functions that a module defines, those of its classes too."""
    spaces = [vars(module)]
    spaces += [vars(c) for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__]
    for space in spaces:
        for thing in list(space.values()):
            for name in ("fget", "__func__", "__wrapped__"):
                thing = getattr(thing, name, thing)
            if isinstance(thing, types.FunctionType) and thing.__module__ == module.__name__:
                yield thing


@contextlib.contextmanager
def points_in(modules, point):
    """While this is entered, `point()` is called before each statement of the modules' functions."""
    replaced = {}
    for module in modules:
        codes = _instrumented(module)
        setattr(module, _NAME, point)
        for function in _functions(module):
            code = function.__code__
            if function not in replaced and (code.co_qualname, code.co_firstlineno) in codes:
                replaced[function] = code
                function.__code__ = codes[code.co_qualname, code.co_firstlineno]
    try:
        yield
    finally:
        for function, code in replaced.items():
            function.__code__ = code
        for module in modules:
            delattr(module, _NAME)
