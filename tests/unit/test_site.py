"""The site of the documentation: it builds without a warning, from files only, and its search and its front page work.

That each link within it leads somewhere is what building it without a warning says. Links to other sites are not
asked here: `python docs/build.py --links` does that.
"""

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import browser
import pytest
from launching import unmeasured

from bsbpool.cli import COMMANDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

NEEDED = ("sphinx", "myst_parser", "furo", "sphinx_copybutton")
missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)} (pip install -e '.[docs]')")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built anew, as files."""
    folder = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", str(DOCS), str(folder)],
        env=unmeasured(), capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return folder


class Links(HTMLParser):
    """The targets of a page's links, scripts, styles and pictures, and the ids that it has."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.ids = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.targets.append((tag, value))


@pytest.fixture(scope="module")
def pages(site):
    return {page: Links(page.read_text(encoding="utf-8")) for page in sorted(site.rglob("*.html"))}


def test_every_page_is_on_the_site(pages, site):
    made = {page.relative_to(site).with_suffix(".md").as_posix() for page in pages}
    assert {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} <= made


def test_every_link_within_the_site_leads_somewhere(pages):
    broken = []
    for page, links in pages.items():
        for _, target in links.targets:
            name, _, anchor = unquote(target).partition("#")
            if "://" in target or target.startswith(("data:", "mailto:")):
                continue
            there = (page.parent / name.partition("?")[0]).resolve() if name else page
            if not there.exists() or (anchor and there in pages and anchor not in pages[there].ids):
                broken.append(f"{page.name}: {target}")
    assert broken == []
    assert sum(len(links.targets) for links in pages.values()) > 1000


def test_the_site_loads_nothing_from_elsewhere(pages):
    loaded = {target for links in pages.values() for tag, target in links.targets if tag not in ("a", "area")}
    assert [target for target in sorted(loaded) if "://" in target] == []


def test_each_command_is_in_the_reference_with_its_options(site):
    text = (site / "command.html").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"Usage: bsbpool {name} " in text
    ids = Links(text).ids
    assert {"cmdoption-bsbpool-replay-to-scenario", "cmdoption-bsbpool-show-html"} <= ids


def test_the_front_page_shows_a_failure_that_is_replayed_and_kept():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (bsbpool \w+)", text, re.MULTILINE)
    assert commands == ["bsbpool replay", "bsbpool replay", "bsbpool run"]
    assert "--to-scenario" in text


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if (why := browser.missing()) is not None:
        pytest.skip(why)
    with browser.browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def test_the_front_page_fits_on_one_screen(site, chromium):
    browser.look(chromium, 1280, 800)
    chromium.get((site / "index.html").as_uri())
    ends = "return [...document.querySelectorAll('article .highlight')].map(e => e.getBoundingClientRect().bottom)"
    assert 0 < max(chromium.execute_script(ends)) <= 800
    assert browser.logged(chromium) == []


def test_search_finds_a_page_without_a_network(site, chromium):
    chromium.get((site / "search.html").as_uri() + "?q=retries")
    found = "return [...document.querySelectorAll('#search-results li a')].map(a => a.textContent)"
    from selenium.webdriver.support.ui import WebDriverWait

    waiting = WebDriverWait(chromium, 60, 0.05)
    titles = waiting.until(lambda driver: driver.execute_script(found))
    waiting.until(lambda driver: "The pool" in driver.execute_script(found))
    assert titles
    assert browser.logged(chromium) == []


@pytest.mark.parametrize("page", ["index.html", "api/pool.html", "other-tools.html", "command.html"])
def test_no_page_is_wider_than_a_telephone(site, chromium, page):
    browser.look(chromium, 400, 800)
    chromium.get((site / page).as_uri())
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= 400
