"""mpi4py's own test suite, unmodified, on simulated ranks, against what passes under MPICH.

    python tests/mpi4py_suite/suite.py check            runs it on 1 to 5 simulated ranks, and compares
    python tests/mpi4py_suite/suite.py check --check    also looks for what MPI forbids: no false alarm?
    python tests/mpi4py_suite/suite.py check --mpich 2  also runs it on 2 ranks of MPICH: is what is recorded still so?
    python tests/mpi4py_suite/suite.py update           as `check`, and writes what does not pass into the list
    python tests/mpi4py_suite/suite.py record           runs it under MPICH on 1 to 5 ranks, and records what passes

Of the tests that pass under MPICH, at least 90 % must pass on simulated ranks, on each number of ranks. Each of the
others is in `not_passing.txt`, with the reason. Those that take too long are not run: to try one again, take it out of
the list, and `update`. Running is in `suite_worlds`, what the lists look like in `suite_data`.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from importlib.metadata import version as version_of

import click
import suite_findings
from suite_data import (
    CHECKED,
    NOT_PASSING,
    PASSED,
    SIZES,
    SLOW,
    UNEXPLAINED,
    Tests,
    read,
    read_passed,
    read_slow,
    write,
)
from suite_worlds import MOST, TOO_LONG, Outcomes, file_of, files, on_simulated_ranks, source, under_mpich, version

#: Percent of the tests that pass under MPICH.
BOUND = 90
_LIST = (
    "Tests of mpi4py's own suite that pass under MPICH, and do not on simulated ranks, with the reason, and on how "
    "many ranks. A test that is here and passes fails the comparison; `suite.py update` takes "
    "it out."
)
_RECORD = (
    "Tests of mpi4py's own suite that pass under MPICH, and on how many ranks. Written by `python "
    "tests/mpi4py_suite/suite.py record`; not by hand."
)


def installed() -> str:
    """What the record is of."""
    return f"mpi4py {version()}, MPICH {version_of('mpich')}"


def passed_under_mpich() -> Tests:
    """What is recorded."""
    about, passed = read_passed()
    if about != installed():
        sys.exit(f"{PASSED.name} is of {about}, and here is {installed()}: run `record`")
    return passed


def of_size(tests: Tests, size: int) -> set[str]:
    """Those of the tests that are about a number of ranks."""
    return {test for test, sizes in tests.items() if size in sizes}


def table(passed: Tests, simulated: dict[int, set[str]]) -> str:
    """How many tests of each file pass, under MPICH and on simulated ranks, for each number of ranks."""
    sizes = [*simulated]
    names = sorted({file_of(test) for test in passed})
    rows = [["", *(f"{size} ranks" if size > 1 else "1 rank" for size in sizes)]]
    for name in [*names, ""]:
        row = [name or "all"]
        for size in sizes:
            real = {test for test in of_size(passed, size) if not name or file_of(test) == name}
            row.append(share(len(real & simulated[size]), len(real)))
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def share(some: int, of: int) -> str:
    """Of how many how many, and what percentage that is."""
    return f"{some} of {of} {100 * some / of:5.1f}%" if of else "-"


def problems(size: int, passed: set[str], listed: set[str], found: Outcomes) -> list[str]:
    """What is not as it should be, on a number of ranks."""
    lines = [
        f"{test} fails and is not in the list: {found.reason(test)}" for test in sorted(passed - found.passed - listed)
    ]
    lines += [f"{test} is in the list, and passes" for test in sorted(listed & found.passed)]
    lines += [f"{test} is in the list, and does not pass under MPICH either" for test in sorted(listed - passed)]
    if len(passed & found.passed) * 100 < BOUND * len(passed):
        lines.append(f"{share(len(passed & found.passed), len(passed))} pass, and {BOUND} % must")
    return [f"{size} ranks: {line}" for line in lines]


def explained(reason: str) -> str:
    """The reason of a failure as it stands in the list: what is refused by name explains itself."""
    if reason == TOO_LONG.format(MOST):
        return SLOW + reason
    refusal = _REFUSAL.search(reason)
    return f"refused: {refusal[0]}" if refusal is not None else UNEXPLAINED + reason


#: What a simulated rank says of what it refuses.
_REFUSAL = re.compile(r"[\w.]+(\(.*?\))? can't be simulated: .*?(?=, at \w+\.py:\d+$|$)")


def simulated(sizes: list[int], names: list[str], checked: bool) -> dict[int, Outcomes]:
    """Run files of the suite on simulated ranks, without what is known to take too long."""
    folder = source()
    return {
        size: on_simulated_ranks(folder, size, names or files(folder), read_slow(size), checked=checked)
        for size in sizes
    }


def _sizes(command: Callable[..., None]) -> Callable[..., None]:
    text = "On how many ranks. Default: 1 to 5; with --check 2, on which the findings are listed."
    return click.option("-n", "sizes", type=click.IntRange(1, 5), multiple=True, help=text)(command)


def _checked(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--check", "checked", is_flag=True, help="Also look for what MPI forbids.")(command)


@click.group(help=__doc__.splitlines()[0])
def main() -> None:
    pass


@main.command()
@_sizes
@click.option("--mpich", type=click.IntRange(1, 5), multiple=True, help="Also run it on so many ranks of MPICH.")
@_checked
@click.argument("names", nargs=-1)
def check(sizes: tuple[int, ...], mpich: tuple[int, ...], checked: bool, names: tuple[str, ...]) -> None:
    """Compare. NAMES are those of files, such as test_comm; by default all."""
    sizes = sizes or (CHECKED if checked else SIZES)
    passed = {test: of for test, of in passed_under_mpich().items() if not names or file_of(test) in names}
    listed: Tests = {}
    wrong = []
    for reason, tests in read(NOT_PASSING).items():
        for test, of in tests.items():
            if not names or file_of(test) in names:
                listed.setdefault(test, set()).update(of)
                if reason.startswith(UNEXPLAINED):
                    wrong.append(f"{test} is in the list, and nobody has said why it can't pass")
    found = simulated([*sizes], [*names], checked)
    print(table(passed, {size: found[size].passed for size in sizes}))
    for size in sizes:
        wrong += problems(size, of_size(passed, size), of_size(listed, size), found[size])
        if checked:
            wrong += suite_findings.differences(size, suite_findings.counted(found[size]), names)
    if checked:
        wrong += suite_findings.unexplained(names)
    for size in mpich:
        real = under_mpich(source(), size, names or files(source()))
        differ = sorted(real.passed ^ of_size(passed, size))
        wrong += [f"{size} ranks of MPICH: {test} is not as it is recorded: {real.reason(test)}" for test in differ]
        print(f"{len(real.passed)} tests pass on {size} ranks of MPICH, {len(differ)} of them not as recorded")
    print("\n".join(wrong))
    sys.exit(bool(wrong))


@main.command()
@_sizes
@_checked
@click.argument("names", nargs=-1)
def update(sizes: tuple[int, ...], checked: bool, names: tuple[str, ...]) -> None:
    """Write the list anew for these files: who passes goes, who fails comes, under a reason to be looked at."""
    sizes = sizes or (CHECKED if checked else SIZES)
    passed, before = passed_under_mpich(), read(NOT_PASSING) if NOT_PASSING.exists() else {}
    found = simulated([*sizes], [*names], checked)
    after: dict[str, Tests] = {}
    seen: set[tuple[str, int]] = set()
    for reason, tests in before.items():
        for test, of in tests.items():
            for size in of:
                run = size in sizes and (not names or file_of(test) in names)
                if not run or (size in passed.get(test, ()) and test not in found[size].passed):
                    seen.add((test, size))
                    if not reason.startswith(UNEXPLAINED) or not run:
                        after.setdefault(reason, {}).setdefault(test, set()).add(size)
                    else:
                        seen.discard((test, size))
    for size in sizes:
        for test in sorted(of_size(passed, size) - found[size].passed):
            if (not names or file_of(test) in names) and (test, size) not in seen:
                reason = explained(found[size].reason(test))
                after.setdefault(reason, {}).setdefault(test, set()).add(size)
    write(NOT_PASSING, _LIST, after)
    if checked:
        suite_findings.update({size: suite_findings.counted(of) for size, of in found.items()}, names)
    print(
        table(
            {t: of for t, of in passed.items() if not names or file_of(t) in names},
            {size: found[size].passed for size in sizes},
        )
    )


@main.command()
@click.option("-n", "sizes", type=click.IntRange(1, 5), multiple=True, default=SIZES, help="On how many ranks.")
@click.argument("names", nargs=-1)
def record(sizes: tuple[int, ...], names: tuple[str, ...]) -> None:
    """Run the suite, or these files of it, under MPICH, and record what passes."""
    passed = read(PASSED).get(installed(), {}) if PASSED.exists() else {}
    for size in sizes:
        count, began = 0, time.monotonic()
        for name in names or files(source()):
            found = under_mpich(source(), size, [name])
            for test in [*passed]:
                if file_of(test) == name:
                    passed[test].discard(size)
            for test in found.passed:
                passed.setdefault(test, set()).add(size)
            count += len(found.passed)
            not_passing = "".join(f"\n  {test}: {found.reason(test)}" for test in sorted(found.failed))
            print(f"{size}: {name}, {len(found.passed)} pass{not_passing}", flush=True)
            # After each file: who ends the command has what was recorded until then.
            write(PASSED, _RECORD, {installed(): {test: of for test, of in passed.items() if of}})
        print(f"{count} tests pass on {size} ranks of MPICH, in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
