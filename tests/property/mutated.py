"""Traces that no pool has written: recorded ones with lines and fields changed, and every command that reads them.

Whatever a trace says, a command ends, with exit status 0, 1 or 2 and without a traceback. test_mutated_traces.py tries
some hundred cases, always the same. As a command, it tries as many as are wanted, from a seed, and stops at the first
that fails or takes longer than five minutes of processor time:

    python tests/property/mutated.py 10000 --seed 1

With seed 20261129 traces 0 to 9,999 were tried: each of 110,000 commands ended as it has to. The last 6,635 traces were
measured: no command took ten seconds of processor time, and the process no more than 80 MB.

A failure is printed with its number; `--only NUMBER` tries that one again, and `--keep FILE` keeps the trace.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import functools
import gzip
import json
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import bsbpool
from bsbpool.cli import main
from bsbpool_sim import Script, simulate

TRACES = Path(__file__).parent / "traces"
#: Seconds of processor time that no trace of these takes.
LONGEST = 300

#: What is tried with each trace; `{t}` is the trace, `{o}` another one, `{f}` the beginning of a name for an output.
COMMANDS = (
    "replay {t}",
    "replay {t} --ranks 3",
    "replay {t} --kill 1@1s --speed 2:0.5",
    "replay {t} --kill 0@1s",
    "replay {t} --fail 0",
    "replay {t} --to-scenario {f}.yaml",
    "replay {t} --to-scenario {f}-minimal.yaml --minimal",
    "show {t}",
    "show {t} --html {f}.html --svg {f}.svg --perfetto {f}.json",
    "diff {t} {o}",
    "diff {o} {t} --times",
)


# -- runs of which there are traces --------------------------------------------------------------------


def work(owner: Any, seconds: float, error: str | None = None, item: int | None = None) -> None:
    time.sleep(seconds)
    if item is not None:
        owner.cache_item(item)
    if error is not None:
        raise ValueError(error)


class Node:
    def __init__(self, name: str, fails: bool = False, *depends_on: Any):
        self.name, self.fails, self.depends_on = name, fails, depends_on

    def get_node_name(self) -> str:
        return self.name

    def queue(self, pool: Any) -> None:
        if self.fails:
            raise RuntimeError("no such file")
        for n in range(3):
            pool.queue(work, (0.5 + n,), submitter=self.name, chunk=n)


def plain(pool: Any) -> None:
    first = [pool.queue(work, (1.0, "corrupt" if n == 3 else None), submitter="place", chunk=n) for n in range(6)]
    pool.queue(work, (1.0,), deps=first[:2], submitter="connect")
    pool.queue(work, (1.0,), deps=first, submitter="after all")


def scheduled(pool: Any) -> None:
    pool.queue(work, (1.0,), submitter="first")
    failing = Node("failing", True)
    pool.schedule([Node("golgi"), failing, Node("basket", False, failing)])
    pool.schedule([Node("stellate")])


def by_hand(pool: Any) -> None:
    jobs = [pool.queue(work, (1.0,), submitter="by hand") for _ in range(5)]
    jobs[0].run()
    jobs[1].change_status(bsbpool.pool.JobStatus.CANCELLED)
    jobs[2].cancel("not needed")
    jobs[3].on_completion(lambda job: jobs[4].cancel("late"))


def short(pool: Any) -> None:
    for n in range(20):
        pool.queue(work, (0.0001 * (n % 3),), submitter="short")


def limited(pool: Any) -> None:
    for n in range(5):
        pool.queue(work, (n,), submitter="slow", timeout=2)


def stopping(pool: Any) -> None:
    def stop(job: Any) -> None:
        raise KeyboardInterrupt

    for n in range(6):
        pool.queue(work, (1.0,), submitter="stopped").on_completion(stop if n == 2 else lambda job: None)


def recorded(fill: Callable[[Any], None], ranks: int, script: Any = None, pools: int = 1, **options: Any) -> str:
    """The text of the trace of a run."""

    def program(comm: Any) -> None:
        owner = bsbpool.Owner(comm)
        for _ in range(pools):
            with contextlib.suppress(BaseException), owner.create_job_pool(quiet=True, **options) as pool:
                if pool.is_main():
                    fill(pool)
                pool.execute()

    trace = simulate(program, ranks, script=script).trace
    return "".join(line + "\n" for line in trace.lines())


@functools.cache
def originals() -> tuple[str, ...]:
    """The texts of traces that are changed."""
    made = [
        recorded(plain, 3),
        recorded(plain, 1),
        recorded(plain, 4, fail_fast=True, pools=2),
        recorded(plain, 4, Script().rank(2, dies=1.5), retries=1),
        recorded(plain, 3, Script().rank(2, dies=0.5).rank(1, dies=1.5)),
        recorded(scheduled, 3),
        recorded(scheduled, 2, fail_fast=True),
        recorded(by_hand, 3),
        recorded(short, 2),
        recorded(short, 2, Script().rank(1, dies=0.0005)),
        recorded(limited, 3),
        recorded(stopping, 3, pools=2),
    ]
    return (*made, *(path.read_text() for path in sorted(TRACES.glob("*.trace"))))


# -- changes -------------------------------------------------------------------------------------------

_ODD = (
    None, True, False, 0, 1, -1, 2, 3, 7, 10_000, 999_999, 2**31, 2**53, 2**63 - 1, -(2**63) + 1, 2**63, 2**70,
    0.5, 1e300, "", "x", "0", "\x1b[31m", "\u202e", "Ä" * 300, "RankLostError: Rank 1 on  ", "ValueError: v",
    "KeyboardInterrupt",
    "Rank 1 on a host died at 0 s", "Rank 1 left the pool: it left the pool without calling execute()",
    [], [0], [0, 0], [1, 2, 3], [-1], ["a"], [[0]], {}, {"a": 1}, {"a": {"b": [None]}},
    "pending", "queued", "running", "success", "failed", "cancelled", "aborted", "scheduling", "executing", "closing",
)  # fmt: skip


def mutated(number: int, seed: int = 0) -> bytes:
    """A trace with some changes: always the same for the same number and seed."""
    chance = random.Random(f"{seed} {number}")
    texts = originals()
    lines = chance.choice(texts).splitlines()
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        if chance.random() < 0.5:
            _change_lines(lines, chance, texts)
        else:
            _change_field(lines, chance)
    data = "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass")
    kind = chance.random()
    if kind < 0.1:
        data = data[: chance.randrange(len(data) + 1)]
    elif kind < 0.15:
        place = chance.randrange(len(data) + 1)
        data = data[:place] + chance.randbytes(chance.randrange(1, 5)) + data[place + 1 :]
    elif kind < 0.25:
        data = gzip.compress(data, 1, mtime=0)
        data = data[: chance.randrange(12, len(data) + 1)]
    return data


def _change_lines(lines: list[str], chance: random.Random, texts: tuple[str, ...]) -> None:
    if len(lines) < 3:
        return
    one, other = chance.randrange(1, len(lines)), chance.randrange(1, len(lines))
    what = chance.randrange(7)
    if what == 0:
        lines.insert(one, lines[one])
    elif what == 1:
        lines.insert(other, lines.pop(one))
    elif what == 2:
        del lines[one]
    elif what == 3:
        lines[one], lines[other] = lines[other], lines[one]
    elif what == 4:
        lines[one:one] = lines[min(one, other) : max(one, other)]
    elif what == 5:
        del lines[min(one, other) : max(one, other)]
    else:
        lines.insert(one, chance.choice(chance.choice(texts).splitlines()))


def _change_field(lines: list[str], chance: random.Random) -> None:
    place = chance.randrange(len(lines))
    try:
        event = json.loads(lines[place])
    except ValueError:
        return
    if not isinstance(event, dict) or not event:
        return
    key = chance.choice([*event])
    value = event[key]
    what = chance.randrange(16)
    if what >= 6 and (others := _values_of(key, lines)):
        event[key] = chance.choice(others)  # what may stand there, and does not belong there
    elif what == 0:
        del event[key]
    elif what <= 2:
        event[key] = chance.choice(_ODD)
    elif type(value) is int:
        event[key] = chance.choice((-value, value + 1, value - 1, value * 10, value * 10**9, value // 2, 0))
    elif isinstance(value, list) and value:
        item = chance.randrange(len(value))
        value[item] = chance.choice((*_ODD, value + value, value[0]))
    elif isinstance(value, dict) and value:
        item = chance.choice([*value])
        value[item] = chance.choice((*_ODD, *value.values()))
    elif isinstance(value, str):
        event[key] = chance.choice((value * 2, value[: len(value) // 2], value.upper(), value.replace("1", "2")))
    else:
        event[key] = chance.choice(_ODD)
    lines[place] = json.dumps(event)


def _values_of(key: str, lines: list[str]) -> list[Any]:
    """What stands under that key in all lines."""
    found = []
    for line in lines[1:]:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and key in event:
                found.append(event[key])
    return found


# -- trying --------------------------------------------------------------------------------------------


class Failed(AssertionError):
    """A command did not end as it has to."""


def attempts(data: bytes, folder: Path, commands: tuple[str, ...] = COMMANDS) -> Iterator[tuple[str, int]]:
    """What comes of each command with a trace: the command, and its exit status.

    :raises Failed: it did not end as it has to.
    """
    trace, other = folder / "mutated.trace", folder / "other.trace"
    trace.write_bytes(data)
    other.write_text(originals()[0])
    runner = CliRunner()
    for command in commands:
        arguments = command.format(t=trace, o=other, f=folder / "made").split()
        result = runner.invoke(main, arguments)
        unexpected = result.exception is not None and not isinstance(result.exception, SystemExit)
        if unexpected or result.exit_code not in (0, 1, 2) or "Traceback (most" in result.output:
            told = "".join(traceback.format_exception(result.exception)) if unexpected else result.output
            raise Failed(f"bsbpool {command}: exit status {result.exit_code}\n{told}")
        yield command, result.exit_code
    for made in folder.glob("made*"):
        made.unlink()


def _run() -> None:
    parser = argparse.ArgumentParser(description="Try commands with traces that were changed.")
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--commands", type=int, default=len(COMMANDS), help="so many with each trace, in turn")
    parser.add_argument("--keep", type=Path, help="where the trace that fails is kept")
    parser.add_argument("--go-on", action="store_true", help="go on after a failure")
    given = parser.parse_args()
    # What takes more memory than this is a failure, too.
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, resource.getrlimit(resource.RLIMIT_AS)[1]))
    # And so is what takes too long: it says where it is, and ends.
    faulthandler.register(signal.SIGPROF, chain=True)
    numbers = [given.only] if given.only is not None else range(given.first, given.first + given.count)
    statuses: dict[str, dict[int, int]] = {}
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        for number in numbers:
            data = mutated(number, given.seed)
            signal.setitimer(signal.ITIMER_PROF, LONGEST)
            print(f"\r{number} ", end="", file=sys.stderr, flush=True)
            began = time.process_time()
            try:
                turn = tuple(COMMANDS[(number + n) % len(COMMANDS)] for n in range(given.commands))
                for command, status in attempts(data, Path(name), turn):
                    counts = statuses.setdefault(command, {})
                    counts[status] = counts.get(status, 0) + 1
                    took, began = time.process_time() - began, time.process_time()
                    if took > 10:
                        print(f"{number}: {command} took {took:.1f} s", flush=True)
            except Failed as failure:
                failed += 1
                print(f"{number}: {failure}", flush=True)
                if given.keep is not None:
                    given.keep.write_bytes(data)
                if not given.go_on:
                    break
    signal.setitimer(signal.ITIMER_PROF, 0)
    for command, counts in statuses.items():
        print(command, dict(sorted(counts.items())))
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB at the most")
    sys.exit(failed > 0)


if __name__ == "__main__":
    _run()
