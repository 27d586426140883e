"""Shows a pool's progress live in a terminal: each strategy, what runs on which rank, what failed."""

from __future__ import annotations

from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..durations import rough_duration
from ..pool.progress import PoolProgress, PoolProgressReason
from ..text import label
from ..worlds import current_world
from .tally import StrategyTally, Tally

#: Minimal nanoseconds between two drawings.
BETWEEN = 100_000_000

#: Nanoseconds after which a running job gets a line; lines of short jobs would flicker.
LONG = 1_000_000_000

#: Seconds without a notification after which the view shows for how long there was none.
QUIET = 5.0

#: How many failures are shown.
_FAILURES = 3


class Terminal(Console):
    """A console that raises if its terminal is closed; rich's own console ends the program."""

    def on_broken_pipe(self) -> None:
        """Raise the error of a closed terminal.

        :raises BrokenPipeError: always.
        """
        raise BrokenPipeError


class TerminalProgress:
    """Shows a live view in the terminal while the pool is open, and leaves a summary there.

    It draws when something happens, at most ten times a second, and at each ping. An error in drawing ends the view,
    never the run.

    :param console: where to draw.
    """

    def __init__(self, console: Console):
        self._console = console
        self._tally = Tally()
        self._live: Live | None = None
        self._drawn = 0
        self._now = 0
        self._phase = ""
        self._over = False

    def __enter__(self) -> TerminalProgress:
        self._live = Live(self, console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._guard(self._live.start)
        return self

    def __exit__(self, *exc: object) -> None:
        self._over = True
        self._now = current_world().now()
        if self._live is not None:
            self._guard(self._live.refresh)
        if self._live is not None:
            self._guard(self._live.stop)

    def __call__(self, progress: PoolProgress) -> None:
        """Take in a notification."""
        self._tally.count(progress)
        self._now = progress.time_ns
        phases = progress.workflow.phases
        if len(phases) > 1:
            self._phase = f"phase {progress.workflow.phase}"
        ping = progress.reason is PoolProgressReason.MAX_TIMEOUT_PING
        if self._live is not None and (ping or self._now - self._drawn >= BETWEEN):
            self._drawn = self._now
            self._guard(self._live.refresh)

    def _guard(self, draw: Any) -> None:
        try:
            draw()
        except Exception:  # the terminal was closed, or can't show these characters
            self._live = None

    # -- what it looks like ------------------------------------------------------------------------

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        tally = self._tally
        if not tally.total.jobs and self._over:
            return
        failures = self._failures()
        room = max(6, (options.height or console.height) - len(failures) - 3)
        running = [] if self._over else self._running(max(2, room - len(tally.strategies)), options.max_width)
        parts: list[Any] = [self._strategies(max(3, room - len(running)), options.max_width)]
        if running:
            parts += ["", *running]
        if failures:
            parts += ["", *failures]
        yield Group(*parts, self._summary())

    def _strategies(self, most: int, width: int) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(12, width // 3))
        table.add_column(width=max(8, min(40, width - width // 3 - 30)))
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        rows = [*self._tally.strategies.values()]
        if len(rows) > most:  # strategies with running jobs first, then those that wait and those that are done
            rows.sort(key=lambda row: (row.ended == row.jobs, not row.running, not row.ended))
        for row in rows[: most if len(rows) <= most else most - 1]:
            table.add_row(Text(label(row.name)), self._bar(row), f"{row.ended:,}/{row.jobs:,}", _state(row))
        if len(rows) > most:
            table.add_row(Text(f"and {len(rows) - most + 1:,} more", "dim"))
        return table

    def _bar(self, row: StrategyTally) -> ProgressBar:
        colour = "bright_red" if row.failed else "green" if row.ended == row.jobs else "cyan"
        return ProgressBar(row.jobs, row.ended, complete_style=colour, finished_style=colour)

    def _running(self, most: int, width: int) -> list[Text]:
        running = [each for each in self._tally.running.values() if self._now - each[1] >= LONG]
        lines = []
        for job, began in running[: most if len(running) <= most else most - 1]:
            where = f"rank {job._rank:<4}" if job._rank else "here"
            took = rough_duration((self._now - began) / 1e9)
            what = Text(label(job.description))
            what.truncate(max(10, width - len(where) - len(took) - 4), overflow="ellipsis")
            lines.append(Text.assemble((where, "bold"), "  ", what, "  ", (took, "dim"), no_wrap=True))
        if len(running) > most:
            lines.append(Text(f"and {len(running) - most + 1:,} more run", "dim"))
        return lines

    def _failures(self) -> list[Text]:
        failures, lines = self._tally.failures, []
        for failure in failures[:_FAILURES]:
            where = f" on rank {failure.rank}" if failure.rank else ""
            said = Text.assemble(("✗ ", "bold bright_red"), (label(failure.what), "bold"), f"{where}: ",
                                 label(failure.error or failure.status.value))  # fmt: skip
            said.no_wrap, said.overflow = True, "ellipsis"
            lines.append(said)
        if self._tally.total.failed > _FAILURES:
            more = self._tally.total.failed - _FAILURES
            lines.append(Text(f"and {more:,} more failure{'s' if more > 1 else ''}", "bright_red"))
        return lines

    def _summary(self) -> Text:
        tally, total, now = self._tally, self._tally.total, self._now
        if self._over:
            return Text.assemble(("done", "bold"), f" in {rough_duration(tally.elapsed(now))}: {tally.words()}")
        said = [f"{total.ended:,} of {total.jobs:,} jobs", rough_duration(tally.elapsed(now))]
        left = tally.left(now)
        if left is not None and left >= 0.1 and total.ended < total.jobs:
            said.append(f"about {rough_duration(left)} left")
        if self._phase:
            said.insert(0, self._phase)
        if tally.quiet(now) >= QUIET:
            said.append(f"nothing new for {rough_duration(tally.quiet(now))} ({tally.pings:,} pings)")
        return Text(" · ".join(said), "dim", no_wrap=True, overflow="ellipsis")


def _state(row: StrategyTally) -> Text:
    parts = []
    if row.running:
        parts.append((f"{row.running:,} running", "cyan"))
    if row.failed:
        parts.append((f"{row.failed:,} failed", "bright_red"))
    if row.cancelled:
        parts.append((f"{row.cancelled:,} cancelled", "yellow"))
    if not parts and row.ran:
        parts.append((f"{rough_duration(row.took / row.ran / 1e9)} each", "dim"))
    return Text("  ").join(Text(*part) for part in parts)
