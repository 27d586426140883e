"""What checks find in mpi4py's own suite, held against the list of what they find rightly: no false alarm is in it.

A finding is known by the file, the kind and the function whose line it names. What is found in a test that does not
pass is no matter here. Running is in `suite_worlds`, what the list looks like in `suite_data`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from suite_data import FINDINGS, UNEXPLAINED, Tests, read, write
from suite_worlds import Outcomes, file_of

_ABOUT = (
    "What checks find in tests of mpi4py's own suite that pass on simulated ranks, by the file, the kind and the "
    "function of the test, on how many ranks, and why it is so. A finding that is not here fails the comparison, and "
    "so does one that is not found any more; `suite.py update --check` writes the list."
)


def listed(size: int, names: Collection[str]) -> set[str]:
    """The findings of the list on a number of ranks, in some files, or in all if there are no names."""
    return {
        finding
        for findings in read(FINDINGS).values()
        for finding, sizes in findings.items()
        if size in sizes and (not names or file_of(finding) in names)
    }


def counted(outcomes: Outcomes) -> dict[str, str]:
    """What was found, without what only tests have that do not pass."""
    passed, failed = (
        {(file_of(test), test.rpartition(".")[2]) for test in tests} for tests in (outcomes.passed, outcomes.failed)
    )
    at = {finding: (file_of(finding), finding.rpartition(".")[2]) for finding in outcomes.findings}
    return {each: words for each, words in outcomes.findings.items() if at[each] not in failed or at[each] in passed}


def differences(size: int, found: Mapping[str, str], names: Collection[str]) -> list[str]:
    """What was found and is not in the list, and the other way round."""
    wanted = listed(size, names)
    lines = [f"{each} is found, and not in the list: {found[each]}" for each in sorted(found.keys() - wanted)]
    lines += [f"{each} is in the list, and not found" for each in sorted(wanted - found.keys())]
    return [f"{size} ranks: {line}" for line in lines]


def unexplained(names: Collection[str]) -> list[str]:
    """What is in the list without a reason."""
    return [
        f"{finding} is found, and nobody has said whether that is right"
        for reason, findings in read(FINDINGS).items()
        if reason.startswith(UNEXPLAINED)
        for finding in findings
        if not names or file_of(finding) in names
    ]


def update(found: Mapping[int, Mapping[str, str]], names: Collection[str]) -> None:
    """Write the list anew for these files and numbers of ranks: what is not found goes, what is found comes."""
    before: dict[str, Tests] = read(FINDINGS) if FINDINGS.exists() else {}
    after: dict[str, Tests] = {}
    seen: set[tuple[str, int]] = set()
    for reason, findings in before.items():
        for finding, sizes in findings.items():
            for size in sizes:
                run = size in found and (not names or file_of(finding) in names)
                if not run or finding in found[size]:
                    seen.add((finding, size))
                    after.setdefault(reason, {}).setdefault(finding, set()).add(size)
    for size, here in found.items():
        for finding, words in here.items():
            if (finding, size) not in seen:
                of = next((r for r, findings in after.items() if finding in findings), UNEXPLAINED + words)
                after.setdefault(of, {}).setdefault(finding, set()).add(size)
    write(FINDINGS, _ABOUT, after)
