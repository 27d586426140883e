"""``python -m bsbpool_sim``: the command `bsbpool simulate`."""

import sys

from bsbpool.cli import main

if __name__ == "__main__":
    main(["simulate", *sys.argv[1:]], prog_name="bsbpool")
