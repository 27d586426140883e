"""The documentation says what is: its code runs, its output is real, its links and tables hold.

On the pages beside docs/ and in it, a block that opens with ```python runs, after those above it on the page and in
their namespace, and ```python no-run does not. A ```console block runs if its line begins with ``$ bsbpool``. A block
that opens with ```text output is what the block before it printed; there, a line ``…`` stands for lines left out.
A block that opens with ```yaml and the path of a file is that file.

    python tests/unit/test_docs.py docs/replay.md    puts the real output into a page, where it is shown in whole
"""

import contextlib
import io
import re
import shlex
import sys
import tempfile
from dataclasses import fields as fields_of_record
from pathlib import Path

import pytest
from click.testing import CliRunner

import bsbpool
from bsbpool import facts
from bsbpool.cli import main
from bsbpool.engine.status import TRANSITIONS
from bsbpool.trace import EVENTS, FIELDS, FOLDED, VERSION, TraceRecorder, read_trace
from bsbpool.trace.format import ERROR_FIELDS, FAULT_FIELDS, STATUSES
from bsbpool_sim import simulate

ROOT = Path(__file__).parents[2]
OUTSIDE = [ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")]
PAGES = [*OUTSIDE, *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page):
    """Kind, options and text of each fenced block of a page, with the number of its first line."""
    text = page.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        yield fence[1], fence[2].strip(), fence[3], text.count("\n", 0, fence.start()) + 2


def printed(kind, text, namespace):
    """What a block prints; None if it isn't one that runs."""
    if kind == "python":
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(text, "program.py", "exec"), namespace)
        return out.getvalue()
    if kind == "console" and text.startswith("$ bsbpool"):
        run = CliRunner().invoke(main, shlex.split(text)[2:], prog_name="bsbpool", env={"COLUMNS": "100"})
        return run.output
    return None


def lines(text):
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def same(shown, real):
    """Whether what is shown is what was printed, with lines left out where it says so."""
    pattern = "".join(r"(?:.*\n)*" if line == "…" else re.escape(line) + "\n" for line in shown)
    return re.fullmatch(pattern, "".join(line + "\n" for line in real)) is not None


def outputs(page, folder):
    """What blocks with output show, and what was really printed, with the number of the line."""
    # In a folder that has what the project has, so that files which are written there go with it.
    for there in ROOT.iterdir():
        if not there.name.startswith("."):
            (folder / there.name).symlink_to(there)
    namespace, real = {"__name__": "__main__"}, None
    with contextlib.chdir(folder):
        for kind, options, text, line in blocks(page):
            if (kind, options) == ("text", "output"):
                assert real is not None, f"{page.name}:{line}: no block before it printed anything"
                yield text, real, line
                real = None
            elif options != "no-run":
                real = printed(kind, text, namespace)


@each_page
def test_the_code_on_a_page_runs_and_prints_what_is_shown(page, tmp_path):
    for shown, real, line in outputs(page, tmp_path):
        if not same(lines(shown), lines(real)):
            assert lines(shown) == lines(real), f"{page.name}:{line}"  # which shows the difference


@each_page
def test_files_that_a_page_shows_are_as_they_are(page):
    for kind, options, text, line in blocks(page):
        if kind == "yaml" and options:
            assert text == (ROOT / options).read_text(encoding="utf-8"), f"{page.name}:{line}: {options}"


def test_the_first_programs_print_from_one_file_what_is_shown(tmp_path):
    """As the page says to run them; lines of a file have other numbers, and Python shows what stands there."""
    program, shown = "", ""
    for kind, options, text, _ in blocks(ROOT / "docs" / "first-pool.md"):
        program += text if kind == "python" else ""
        shown += text if (kind, options) == ("text", "output") else ""
    file = tmp_path / "first.py"
    file.write_text(program, encoding="utf-8")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, str(file), "exec"), {"__name__": "__main__"})

    def numbered(text):
        return re.sub(r"line \d+", "line N", text)

    assert same(lines(numbered(shown)), lines(numbered(out.getvalue())))


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page.name} links to {target}, and there is no {there}"
        assert not anchor or anchor in anchors(there), f"{page.name} links to {target}, and there is no such heading"


def test_the_index_names_every_page():
    def named(page):
        return f"]({page.name})" in (page.parent / "README.md").read_text(encoding="utf-8")

    assert [page.name for page in PAGES[1:] if page.name != "README.md" and not named(page)] == []


def rows(name, *, after):
    """The cells of the first table on a page of docs/ after a heading."""
    text = (ROOT / "docs" / name).read_text(encoding="utf-8").split(f"# {after}\n", 1)[1]
    table = re.search(r"^\|.*(?:\n\|.*)*", text, re.MULTILINE)[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table[2:]]


def test_the_page_on_traces_has_every_event_with_its_fields():
    said = {}
    for kind, fields, *_ in rows("trace-format.md", after="Events"):
        said[kind.strip("`")] = tuple(re.findall(r"`(\w+)`", fields))
    assert said == EVENTS
    folded = rows("trace-format.md", after="Folded events")
    assert {kind.strip("`"): tuple(re.findall(r"`(\w+)`", fields)) for kind, fields, *_ in folded} == FOLDED
    assert f"version {VERSION}" in (ROOT / "docs/trace-format.md").read_text(encoding="utf-8")


def test_every_field_of_an_event_is_explained():
    explained = {name for row in rows("trace-format.md", after="Fields") for name in re.findall(r"`(\w+)`", row[0])}
    assert explained == {field for fields in (EVENTS | FOLDED).values() for field in fields}


def type_of(kind, field):
    return FIELDS.get(f"{kind}.{field}") or FIELDS[field]


def test_every_field_has_its_type_on_the_page():
    for names, said, _ in rows("trace-format.md", after="Fields"):
        usual, *others = said.split("; ")
        other = {}
        for each in others:
            kinds, type_there = re.fullmatch(r"in (.*): (.*)", each).groups()
            other |= dict.fromkeys(re.findall(r"`(\w+)`", kinds), type_there)
        for name in re.findall(r"`(\w+)`", names):
            types = {kind: type_of(kind, name) for kind, fields in (EVENTS | FOLDED).items() if name in fields}
            assert {kind: other.get(kind, usual) for kind in types} == types


def test_every_type_is_explained():
    explained = [row[0] for row in rows("trace-format.md", after="Types")]
    inner = {wanted for fields in (*ERROR_FIELDS.values(), *FAULT_FIELDS.values()) for wanted in fields.values()}
    for text in {type.removesuffix(" or null") for type in {*FIELDS.values(), *inner}}:
        assert ("list of …" if text.startswith("list of ") else text) in explained
    said = {row[0]: re.findall(r"`(\w+)`", row[2]) for row in rows("trace-format.md", after="Types")}
    for status, values in STATUSES.items():
        assert tuple(said[status]) == values


@pytest.mark.parametrize(("heading", "kinds"), [("Errors", ERROR_FIELDS), ("Faults", FAULT_FIELDS)])
def test_every_kind_of_error_and_fault_is_on_the_page_with_its_fields(heading, kinds):
    said = {}
    for kind, fields, _ in rows("trace-format.md", after=heading):
        said[kind.strip("`")] = dict(re.findall(r"`(\w+)`: ([^,]+)", fields))
    assert said == kinds
    records = {"Errors": facts.ERRORS, "Faults": facts.FAULTS}[heading]
    assert {kind: [field.name for field in fields_of_record(record)] for kind, record in records.items()} == {
        kind: [*fields] for kind, fields in kinds.items()
    }


def test_every_entry_of_a_header_is_explained(tmp_path):
    recorder = TraceRecorder(tmp_path / "x")
    with bsbpool.job_pool(quiet=True) as pool:
        pool.add_listener(recorder)
        pool.execute()
    recorder.close()
    real, simulated = read_trace(recorder.path).header, simulate(lambda comm: None, ranks=1).trace.header
    explained = [n for row in rows("trace-format.md", after="The header") for n in re.findall(r"`(\w+)`", row[0])]
    assert {*explained} == {*real, *simulated}


def test_the_page_on_the_pool_has_the_table_of_statuses():
    said = {row[0]: row[1] for row in rows("pool.md", after="Statuses")}
    assert said == {
        status.value: ", ".join(following.value for following in after) or "nothing"
        for status, after in TRANSITIONS.items()
    }


@pytest.mark.parametrize(
    "words", ["**Threads.**", "`signal.signal()`", "`sqlite3`", "**Global variables.**", "`lambda`"]
)
def test_what_one_rank_and_several_do_differently_is_told_where_people_look(words):
    queueing = (
        (ROOT / "docs" / "pool.md").read_text(encoding="utf-8").partition("\n## Queueing\n")[2].partition("\n## ")[0]
    )
    assert "(one-rank-or-several.md)" in queueing
    told = (ROOT / "docs" / "one-rank-or-several.md").read_text(encoding="utf-8")
    assert words in told.partition("\nThe reverse happens too:\n")[2].partition("\n## ")[0]


def refresh(page):
    """Put what is printed into a page."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for shown, real, line in outputs(page, Path(folder)):
            if same(lines(shown), lines(real)):
                continue
            if "…" in lines(shown):
                print(f"{page.name}:{line}: lines are left out there, see to it by hand:\n{real}")
            else:
                text = text.replace(f"output\n{shown}```", "output\n" + "\n".join(lines(real)) + "\n```", 1)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        refresh(Path(name).resolve())
