"""Commands that run a program of the user's: where their options end, and what is the program's."""

from __future__ import annotations

import click

#: Options that name what to run, after which everything is the program's.
_NAMES_IT = ("-m", "-c")

#: Under which key a command's context has the arguments that it was given: its own, and from the program on.
GIVEN = "bsbpool.given"


class OfAProgram(click.Command):
    """Ends the options of the command where Python ends its own: after the script, the module, or the code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take what follows the program as its arguments."""
        takes = {
            name: param.nargs
            for param in self.params
            if isinstance(param, click.Option) and not param.is_flag
            for name in param.opts
        }
        given = args
        place = 0
        while place < len(args) and args[place].startswith("-") and args[place] != "--":
            if args[place] in _NAMES_IT and args[place] in takes and place + 1 < len(args):
                args = [*args[: place + 2], "--", *args[place + 2 :]]
                break
            place += 1 + takes.get(args[place], 0)
        # What was given, for those who say how to do it again.
        ctx.meta[GIVEN] = tuple(given[:place]), tuple(given[place:])
        return super().parse_args(ctx, args)
