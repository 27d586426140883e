"""What is public: the names that packages export, and what is in those that are classes."""

import importlib
import inspect

#: Each module that users import from; what it exports is public.
MODULES = (
    "bsbpool", "bsbpool.pool", "bsbpool.exceptions", "bsbpool.mpi", "bsbpool.mpilock", "bsbpool.listeners",
    "bsbpool.trace", "bsbpool.bsb", "bsbpool_sim", "bsbpool_sim.replay", "bsbpool_sim.scenario",
)  # fmt: skip

#: What `simulate` calls of a script: methods whose names are public, and that are for nobody else.
INNER = {"bsbpool_sim.Script.install", "bsbpool_sim.Script.check", "bsbpool_sim.Script.make_runtime"}


def exported():
    """The module, the name and the object of each class or function that is public, where it is exported first."""
    seen = set()
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            found = getattr(module, name)
            if (inspect.isclass(found) or inspect.isroutine(found)) and found not in seen:
                seen.add(found)
                yield module.__name__, name, found


def public():
    """Each public class, function, method and property, by the path under which users know it."""
    for module, name, found in exported():
        yield f"{module}.{name}", found
        if inspect.isclass(found):
            for each, member in members(found):
                if (path := f"{module}.{name}.{each}") not in INNER:
                    yield path, member


def members(kind):
    """The public methods and properties of a class that this project defines, also in classes that it derives from."""
    own = {name for base in kind.__mro__ if base.__module__.startswith("bsbpool") for name in vars(base)}
    for name in sorted(own):
        member = inspect.getattr_static(kind, name)
        called = isinstance(member, property | staticmethod | classmethod) or inspect.isroutine(member)
        if called and not name.startswith("_"):
            yield name, member


def signature(found):
    """The signature of what is called, without the object or class; None where there is nothing of ours to call."""
    if isinstance(found, property):
        return None
    if inspect.isclass(found):
        own = "__init__" in vars(found) and not issubclass(found, BaseException)
        return _without_first(found.__init__) if own and not hasattr(found, "__dataclass_fields__") else None
    if isinstance(found, staticmethod):
        return inspect.signature(found.__func__)
    if isinstance(found, classmethod):
        return _without_first(found.__func__)
    return _without_first(found) if "." in found.__qualname__ else inspect.signature(found)


def _without_first(function):
    it = inspect.signature(function)
    return it.replace(parameters=[*it.parameters.values()][1:])
