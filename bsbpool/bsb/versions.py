"""The supported versions of BSB, and whether this project knows the pool of the installed one."""

from __future__ import annotations

import importlib
import inspect
import types
import warnings
from collections.abc import Iterator
from importlib import metadata, util
from typing import Any

from .. import pool as ours
from ..exceptions import DependencyError

#: The versions of bsb-core with which this project is tested: the last in all tests, the others by whole compiles on 1
#: and on 3 ranks.
TESTED = ("7.6.0", "7.6.1", "8.0.0", "8.0.1", "8.0.2")


def version() -> str | None:
    """Return the version of BSB that is installed.

    :returns: the version of bsb-core; None if it is not installed.
    """
    try:
        return metadata.version("bsb-core")
    except metadata.PackageNotFoundError:
        return None


def _tested() -> str:
    return f"bsb-core {', '.join(TESTED)}"


def check_version() -> None:
    """Check that BSB is installed, and that this project can replace its pool.

    A version that was not tested is accepted with a warning if its pool has the same names, methods and parameters.
    """
    found = version()
    if util.find_spec("bsb") is None or found is None:
        raise DependencyError(
            f"BSB is not installed here, and can't use this pool: `pip install bsb-core` (tested: {_tested()})."
        )
    problem = unknown()
    if problem is not None:
        raise DependencyError(
            f"The job pool of bsb-core {found} is not one that bsbpool knows ({problem}), so that BSB goes on with its "
            f"own. Tested: {_tested()}."
        )
    if found not in TESTED:
        warnings.warn(
            f"bsbpool is not tested with bsb-core {found}, but with {', '.join(TESTED)}. Its pool looks the same, and "
            "is replaced.",
            stacklevel=3,
        )


def unknown() -> str | None:
    """Return what this project does not know of BSB's pool; None if there is nothing. It imports BSB's services."""
    try:
        theirs = importlib.import_module("bsb.services.pool")
    except ImportError as error:
        return f"bsb.services.pool can't be imported: {error}"
    if getattr(theirs, "JobPool", None) is ours.JobPool:  # it is installed
        return None
    for name, old in own_names(theirs):
        new = getattr(ours, name, None)
        if new is None:
            return f"it has {name}"
        if hasattr(old, "__members__"):
            if {each.name: each.value for each in old} != {each.name: each.value for each in new}:
                return f"{name} has other members"
        elif isinstance(old, type) and not issubclass(old, BaseException):
            public = [each for each in vars(old) if not each.startswith("_")]
            for attribute in public:
                if not hasattr(new, attribute):
                    return f"{name} has {attribute}"
            # Methods of jobs are called with positional arguments only.
            for method in ("__init__", *(public if name == "JobPool" else ())):
                if inspect.isfunction(vars(old).get(method)):
                    problem = _other_parameters(f"{name}.{method}", vars(old)[method], getattr(new, method))
                    if problem is not None:
                        return problem
    missing = [name for name in ("JobPool", "Job", "JobStatus", "pool_cache") if not hasattr(theirs, name)]
    return f"it has no {missing[0]}" if missing else None


def _other_parameters(name: str, old: Any, new: Any) -> str | None:
    """Return the parameters, by position or name, that `old` accepts and `new` does not."""
    theirs, mine = (list(inspect.signature(each).parameters.values()) for each in (old, new))
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in mine) and len(mine) <= 3:
        return None
    places = [each.name for each in mine]
    for place, parameter in enumerate(theirs):
        if parameter.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
            continue
        if place >= len(places) or places[place] != parameter.name:
            return f"{name} takes {parameter.name}"
    return None


def own_names(theirs: types.ModuleType) -> Iterator[tuple[str, Any]]:
    """Return the public names that BSB's pool defines itself."""
    for name, value in vars(theirs).items():
        if not name.startswith("_") and getattr(value, "__module__", None) == theirs.__name__:
            yield name, value
