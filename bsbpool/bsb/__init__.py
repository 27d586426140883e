"""Makes the Brain Scaffold Builder (BSB) use this pool. All code that is specific to BSB is here.

    import bsbpool.bsb
    bsbpool.bsb.install()                          in a program, on every rank

    python -m bsbpool.bsb compile network.json     any command of BSB's own `bsb`

`install` replaces the objects of `bsb.services.pool` by those of this project, in all modules, classes, default
arguments and collections that refer to them. So `isinstance`, comparisons of statuses and the like work everywhere, no
matter when a name was imported.

For errors this is not enough. `except` uses the real base classes of an exception, and BSB's errors are
`ScaffoldError`s, which users catch. So while this is installed, the errors of this project derive from those of BSB:
code that catches BSB's `JobPoolError`, `ScaffoldError` or `WorkflowError`, under any name, catches ours. A second set
of classes that derive from both would work for `except`, but then an error would have a class that neither side knows
by name.
"""

from __future__ import annotations

from .installing import install, main, uninstall
from .undoing import installed
from .versions import TESTED, version
from .versions import unknown as unknown

__all__ = ["TESTED", "install", "installed", "main", "uninstall", "version"]
