"""Makes the Brain Scaffold Builder (BSB) use this pool. All code that is specific to BSB is here.

    import bsbpool.bsb
    bsbpool.bsb.install()                          in a program, on every rank

    python -m bsbpool.bsb compile network.json     any command of BSB's own `bsb`

`install` puts this project's objects in place of those of `bsb.services.pool`. Modules, classes, default arguments and
collections that hold one of BSB's objects by then hold ours afterwards, so that `isinstance`, comparisons of
statuses and the like hold everywhere, whenever a name was imported.

Errors need more than that. `except` looks at the real base classes of what was raised, and BSB's errors are
`ScaffoldError`s, which users catch. So while this is installed our errors derive from BSB's own: whoever catches
BSB's `JobPoolError`, `ScaffoldError` or `WorkflowError`, by whichever name, catches ours. A second set of classes that
derive from both would do for `except`, but then an error would be of a class that neither side has a name for.
"""

from __future__ import annotations

from .installing import install, main, uninstall
from .undoing import installed
from .versions import TESTED, version
from .versions import unknown as unknown

__all__ = ["TESTED", "install", "installed", "main", "uninstall", "version"]
