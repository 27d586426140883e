"""Providers of services that may be missing."""

from __future__ import annotations

import importlib
from typing import Any

from .exceptions import DependencyError


class ErrorModule:
    """Stands for a module that is missing: any attribute of it raises `DependencyError`.

    :param message: what the error says.
    """

    def __init__(self, message: str):
        self._message = message

    def __getattr__(self, name: str) -> Any:
        raise DependencyError(self._message)


class MockModule:
    """Making one gives the real module where it can be imported, else an instance of the class, which stands in.

    :param module: the name of the module.
    """

    _mocked: bool

    def __new__(cls, module: str) -> Any:
        try:
            return importlib.import_module(module)
        except ImportError:
            instance = super().__new__(cls)
            instance._mocked = True
            return instance

    def __init__(self, module: str):
        self._module = module
