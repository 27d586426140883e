"""`python -m bsbpool`: the command `bsbpool`, for environments in which it is not on the path."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="bsbpool")
