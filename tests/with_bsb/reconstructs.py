"""A program that makes a network, for tests that start it on ranks of their own: `python reconstructs.py PATH POOL`.

POOL: `ours` or `bsbs`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import bsb.options

import bsbpool.bsb

bsb.options.quiet = True
path, pool = sys.argv[1:]
if pool == "ours":
    bsbpool.bsb.install()

import reconstructions  # noqa: E402

reconstructions.network(path).compile(clear=True)
