"""`python -m bsbpool` is the command `bsbpool`, where that is not on the path."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="bsbpool")
