"""Builds the site of the documentation: ``python docs/build.py``. It needs the extra `docs`.

    python docs/build.py            the site, in build/site: open build/site/index.html
    python docs/build.py --online   the same, and names of Python, mpi4py, BSB and NEST are links to their sites
    python docs/build.py --links    asks each site that a page links to whether that page is there; without a network
                                    it says so, and ends with status 3

A warning is an error: a link within the site that leads nowhere, a page that no menu has, a docstring that can't be
read. Links to other sites are not followed then, so that it works offline; a site that is down is not our mistake.
"""

import os
import re
import socket
import sys
from pathlib import Path

from sphinx.cmd.build import main

DOCS = Path(__file__).resolve().parent
BUILD = DOCS.parent / "build"

#: Sites that are there whenever there is a network; an index of packages may be there without one.
ALWAYS_THERE = ("docs.python.org", "github.com", "www.sphinx-doc.org")
#: A link to another site, as pages write it.
LINK = re.compile(r"https?://[^\s)>\"'`|\]]+")


def external_links() -> set[str]:
    """The links to other sites, of all pages."""
    return {link for page in DOCS.rglob("*.md") for link in LINK.findall(page.read_text(encoding="utf-8"))}


def online() -> bool:
    """Whether one of `ALWAYS_THERE` answers."""
    for site in ALWAYS_THERE:
        try:
            socket.create_connection((site, 443), timeout=5).close()
        except OSError:
            continue
        return True
    return False


def build(arguments: list[str]) -> int:
    if arguments not in ([], ["--online"], ["--links"]):
        print(__doc__)
        return 2
    if arguments == ["--links"] and not online():
        print(f"no network: {len(external_links())} links to other sites were not checked")
        return 3
    if arguments == ["--online"]:
        os.environ["BSBPOOL_DOCS_ONLINE"] = "1"
    builder, folder = ("linkcheck", "links") if arguments == ["--links"] else ("html", "site")
    options = ["-q", "-W", "--keep-going", "-n", "-b", builder, "-d", str(BUILD / f"{folder}.doctrees")]
    status = main([*options, str(DOCS), str(BUILD / folder)])
    if status == 0:
        print(f"built: {BUILD / folder / 'index.html'}" if builder == "html" else "each link leads somewhere")
    return status


if __name__ == "__main__":
    sys.exit(build(sys.argv[1:]))
