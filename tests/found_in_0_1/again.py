"""Tries with a version of bsbpool what was found in 0.1: `docs/found-in-0.1.md` is the table of it.

    git worktree add OLD b0ae75f~1
    (cd OLD && python -m venv .venv && .venv/bin/pip install '.[test]' pytest-cov)
    python tests/found_in_0_1/again.py OLD              # 0.1: each program says "wrong"
    python tests/found_in_0_1/again.py .                # this version: each says "right"
    python tests/found_in_0_1/again.py . odd_names      # these programs alone

Each program in `programs/` says on top what was wrong, and which tests hold it now. It ends with 0 if what it sees is
right, and what it prints last is what it saw. It runs with the Python of the checkout's `.venv`, or with this one, in a
folder of its own, and is ended after two minutes. The exit status is 0 if all are right, 1 if some are not, 2 if none
is. `--page` prints the rows of the table, with what the checkout says.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

PROGRAMS = Path(__file__).parent / "programs"
sys.path.insert(0, str(PROGRAMS))
#: Seconds for one program, and letters of what it says on the page.
LONGEST, LETTERS = 120, 160


class Found(NamedTuple):
    """What was wrong with 0.1: the line of the list of all that was found, and the tests that hold it now."""

    program: str
    what: str
    line: int
    tests: list[str]


def all_found() -> list[Found]:
    """What the programs say on top, in the order of the list."""
    found = []
    for path in sorted(PROGRAMS.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if match := re.match(r'"""(.+?)\n\nLine (\d+)\. Held by:\n((?:  \S+\n)+)"""', text, re.DOTALL):
            found.append(Found(path.stem, " ".join(match[1].split()), int(match[2]), match[3].split()))
    return sorted(found, key=lambda each: each.line)


def seen(program: str, checkout: Path) -> tuple[bool, str]:
    """Whether a program sees what is right, and what it says."""
    from trying import last, started

    own = checkout / ".venv" / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            done = started(
                own if own.exists() else sys.executable, PROGRAMS / f"{program}.py", limit=LONGEST,
                CHECKOUT=str(checkout),
            )  # fmt: skip
        finally:
            os.chdir(before)
    said = last(done.said) or "nothing"
    for path in (folder, checkout, PROGRAMS.parents[2]):
        said = said.replace(f"{path}/", "")
    return done.status == 0, said


def row(each: Found, said: str) -> str:
    """The row of the page."""
    said = said if len(said) <= LETTERS else said[: LETTERS - 1] + "…"
    code = said.replace("`", "'").replace("|", "\\|")
    tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in each.tests)
    what = each.what.replace("|", "\\|")
    return f"| {each.line} | {what} | {tests} | `{code}` | `{each.program}` |"


def main() -> None:
    """Try them, and say what came of each."""
    arguments = [each for each in sys.argv[1:] if each != "--page"]
    checkout, names = Path(arguments[0]).resolve(), arguments[1:]
    right = []
    for each in all_found():
        if names and each.program not in names:
            continue
        well, said = seen(each.program, checkout)
        right.append(well)
        print(
            row(each, said) if "--page" in sys.argv else f"{'right' if well else 'wrong'}  {each.program}: {said}",
            flush=True,
        )
    print(f"{sum(right)} of {len(right)} are right", file=sys.stderr)
    sys.exit(0 if all(right) else 1 if any(right) else 2)


if __name__ == "__main__":
    main()
