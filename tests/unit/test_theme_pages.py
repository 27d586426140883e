"""The pages of docs/themes show the scenario files as they are, each below a heading that links to it, and all of them.

``python tests/unit/test_theme_pages.py`` writes the files into their pages again, after they have changed. The words
between a heading and its file are a person's.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/themes"
THEMES = sorted({path.parent.name for path in (ROOT / "scenarios").rglob("*.yaml")})
SECTION = re.compile(
    r"^## \[(?P<title>[^\n]+)\]\(\.\./\.\./(?P<file>scenarios/\S+\.yaml)\)\n\n(?P<words>(?:(?!#|```)[^\n]+\n)+)\n"
    r"```yaml\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def write_again():
    """Put the files into the pages as they are now."""

    def section(found):
        begin, end = found.start("text") - found.start(), found.end("text") - found.start()
        return found[0][:begin] + (ROOT / found["file"]).read_text(encoding="utf-8") + found[0][end:]

    for theme in THEMES:
        page = PAGES / f"{theme}.md"
        page.write_text(SECTION.sub(section, page.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize("theme", THEMES)
def test_a_page_shows_all_scenarios_of_its_theme_as_they_are(theme):
    text = (PAGES / f"{theme}.md").read_text(encoding="utf-8")
    sections = list(SECTION.finditer(text))
    shown = [section["file"] for section in sections]
    there = [path.relative_to(ROOT).as_posix() for path in (ROOT / "scenarios" / theme).glob("*.yaml")]
    assert sorted(shown) == sorted(there), f"docs/themes/{theme}.md: a heading, a paragraph and the file for each"
    assert len(sections) == text.count("\n## ") == text.count("```yaml")
    for section in sections:
        file = ROOT / section["file"]
        assert section["text"] == file.read_text(encoding="utf-8"), "python tests/unit/test_theme_pages.py"
        assert section["title"].lower() == file.stem.replace("-", " ")
        assert len(section["words"].split()) >= 10


def test_there_is_a_page_for_each_theme_and_no_other():
    assert sorted(page.stem for page in PAGES.glob("*.md") if page.name != "README.md") == THEMES


if __name__ == "__main__":
    write_again()
