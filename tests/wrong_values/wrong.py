"""Every public method of MPI with wrong values, in both worlds.

    python tests/wrong_values/wrong.py check                  on a simulated rank, against what is recorded of MPICH
    python tests/wrong_values/wrong.py update                 as `check`, and writes what differs into the list
    python tests/wrong_values/wrong.py record [METHOD ...]    on a rank of MPICH, and records it: half an hour for all
    python tests/wrong_values/wrong.py show METHOD [PART ...] what a method does in both worlds

Each is called as it should be, and with one thing wrong at a time: a value of another type, none, too large, negative,
a handle that is null or freed, a buffer that does not fit. Both worlds refuse it with the same class of error, or take
it with the same result; or it stands in `differing.txt` with the reason. Which values are given is in `values`, what
is called in `cases`.
"""

from __future__ import annotations

import sys

import click
from cases import Case, cases
from lists import DIFFERING, Outcomes, read_differing, read_outcomes, write_differing, write_outcomes
from worlds import ENDS, WAITS, simulated, under_mpich

#: What stands before a reason that nobody has looked at.
UNEXPLAINED = "unexplained: "
#: What a reason begins with, and whether the outcomes are so: under MPICH, and on simulated ranks.
KINDS = {
    "stricter": lambda real, ours: not refuses(real) and refuses(ours),
    "other error": lambda real, ours: refuses(real) and refuses(ours),
    "laxer": lambda real, ours: refuses(real) and not refuses(ours),
    "other result": lambda real, ours: not refuses(real) and not refuses(ours),
}
_LIST = (
    "Calls of MPI that do something else on simulated ranks than under MPICH, with the reason. `stricter`: refused "
    "here and not there; `laxer`: the other way; `other error`: refused in both worlds, with errors of different "
    "classes. A call that is here and does the same fails the comparison; `wrong.py update` takes it out."
)
_RECORD = (
    "What calls of MPI do under MPICH: the class of an error; or `=`, what is returned, and what of the arrays given "
    "is changed. Behind it, what is special about the call. Written by `wrong.py record`, not by hand."
)


def refuses(outcome: str) -> bool:
    """Whether an outcome is an error."""
    return not outcome.startswith("=") and outcome not in (WAITS, ENDS)


def named(outcomes: dict[Case, str]) -> Outcomes:
    """Outcomes by name."""
    return {(case.method.full, case.what): outcome for case, outcome in outcomes.items()}


def problems(real: Outcomes, ours: Outcomes, listed: dict[tuple[str, str], str]) -> list[str]:
    """What is not as it should be."""
    found = []
    for key, outcome in ours.items():
        call, there, reason = " ".join(key), real.get(key), listed.get(key)
        if there is None:
            found.append(f"{call}: not recorded under MPICH")
        elif there == outcome and reason is not None:
            found.append(f"{call} is in the list, and does the same: {outcome}")
        elif there != outcome and reason is None:
            found.append(f"{call}: under MPICH {there}, on a simulated rank {outcome}")
        elif reason is not None and reason.startswith(UNEXPLAINED):
            found.append(f"{call} is in the list, and nobody has said why")
        elif reason is not None and not KINDS[reason.partition(":")[0]](there, outcome):
            found.append(f"{call} is no case of {reason!r}: under MPICH {there}, on a simulated rank {outcome}")
    found += [f"{' '.join(key)} is in the list, and no case" for key in listed if key not in ours]
    return found


@click.group(help=__doc__.splitlines()[0])
def main() -> None:
    pass


@main.command()
def check() -> None:
    """Compare."""
    real, ours, listed = read_outcomes(), named(simulated([*cases()])), read_differing()
    found = problems(real, ours, listed)
    print(*found, sep="\n")
    print(f"{len(ours)} calls, {len(listed)} of which do something else, with a reason; {len(found)} problems")
    sys.exit(bool(found))


@main.command()
def update() -> None:
    """Write the list anew: what does the same goes, what differs comes, under a reason to be looked at."""
    real, ours, before = read_outcomes(), named(simulated([*cases()])), read_differing()
    after = {}
    for key, outcome in ours.items():
        there = real.get(key, outcome)
        if there != outcome:
            of_kind = next(kind for kind, fits in KINDS.items() if fits(there, outcome))
            known = before.get(key, "")
            after[key] = known if known.startswith(of_kind) else f"{UNEXPLAINED}{of_kind}"
    write_differing(after, _LIST, DIFFERING)
    print(f"{len(ours)} calls, {len(after)} of which do something else")


@main.command()
@click.argument("methods", nargs=-1)
def record(methods: tuple[str, ...]) -> None:
    """Run the calls of METHODS under MPICH, and record what they do; by default those of all."""
    chosen = [case for case in cases() if not methods or case.method.full in methods]
    found = named(under_mpich(chosen))
    before = read_outcomes() if methods else {}
    merged = {
        key: found.get(key, before.get(key))
        for key in named(dict.fromkeys(cases(), ""))
        if key in found or key in before
    }
    write_outcomes(merged, _RECORD)


@main.command()
@click.argument("method")
@click.argument("parts", nargs=-1)
def show(method: str, parts: tuple[str, ...]) -> None:
    """Show what METHOD does in both worlds, with values whose names have PARTS in them."""
    real = read_outcomes()
    chosen = [case for case in cases() if case.method.full == method and all(part in case.what for part in parts)]
    for key, outcome in named(simulated(chosen)).items():
        there = real.get(key, "not recorded")
        print(f"{key[1]}: {outcome}" if there == outcome else f"{key[1]}: {outcome}, and under MPICH {there}")


if __name__ == "__main__":
    main()
