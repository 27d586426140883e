"""What the site's pages need beyond Sphinx and MyST: the menu, the command's help, the history of the benchmarks, pages
that lie beside docs/, and headings that are links to files.

What a page says belongs in the page; how the site looks, in `conf.py` and in site.css.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import benchmark_chart
import click
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

from bsbpool.cli import COMMANDS, main


class Commands(SphinxDirective):
    """A section for each command: its help as the terminal shows it, and each option with an anchor of its own."""

    def run(self) -> list[nodes.Node]:
        alone = click.Context(main, info_name="bsbpool", terminal_width=96, max_content_width=96)
        contexts = [alone]
        for name in COMMANDS:
            command = main.get_command(alone, name)
            assert command is not None
            contexts.append(click.Context(command, info_name=name, parent=alone))
        return [self.section(context) for context in contexts]

    def section(self, context: click.Context) -> nodes.Node:
        name = context.command_path
        made = nodes.section("", nodes.title(name, name), ids=[name.replace(" ", "-")], names=[name])
        about, _, rest = context.get_help().partition("\nOptions:\n")
        made += self.terminal(about.rstrip())
        for parameter in context.command.get_params(context):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)) is not None:
                made += self.option(name, *record)
        if commands := rest.partition("\nCommands:\n")[2]:
            made += self.terminal("Commands:\n" + commands.rstrip())
        return made

    def terminal(self, text: str) -> nodes.Node:
        return nodes.literal_block(text, text, language="text")

    def option(self, program: str, names: str, text: str) -> list[nodes.Node]:
        """An option as Sphinx has it: a signature that can be linked to, and its text, in which nothing is markup."""
        lines = ["```{eval-rst}", f".. program:: {program}", "", f".. option:: {names}", "```"]
        made = self.parse_text_to_nodes("\n".join(lines))
        for each in made:
            for content in each.findall(addnodes.desc_content):
                content += nodes.paragraph(text, text)
        return made


class Menu(SphinxDirective):
    """The site's menu: the pages that the tables of README.md link to, below the first words of their headings."""

    def run(self) -> list[nodes.Node]:
        file = Path(self.env.srcdir) / "README.md"
        self.env.note_dependency(str(file))
        menus = []
        for section in re.split(r"^## ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            caption = section.partition("\n")[0].partition(":")[0]
            pages = re.findall(r"\]\(([^)#]+)\.md\) \|$", section, re.MULTILINE)
            if pages:  # not the section that explains terms
                menus += ["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""]
        menus[-2:-2] = ["README"]  # last of all
        return self.parse_text_to_nodes("\n".join(menus))


class BenchmarkHistory(SphinxDirective):
    """A table of the ratios that were measured, each with a line that shows how it changed, and when that was."""

    def run(self) -> list[nodes.Node]:
        file = Path(self.env.srcdir).parent / "tests" / "benchmarks" / "history.jsonl"
        self.env.note_dependency(str(file))
        entries = benchmark_chart.read(file)
        drawn = benchmark_chart.table(entries) + benchmark_chart.measurements(entries)
        return [nodes.raw("", drawn, format="html")]


#: Pages of the site that are files beside docs/, where people look for them.
BESIDE = {"changelog": "CHANGELOG.md", "contributing": "CONTRIBUTING.md", "security": "SECURITY.md"}


def read_beside(app: Sphinx, page: str, source: list[str]) -> None:
    """Such a page is what its file says, with links from where it is here."""
    if page in BESIDE:
        text = (Path(app.srcdir).parent / BESIDE[page]).read_text(encoding="utf-8")
        app.env.note_dependency(str(Path(app.srcdir).parent / BESIDE[page]))
        here = {file: f"{name}.md" for name, file in BESIDE.items()} | {"README.md": "index.md"}
        for file, name in here.items():
            text = text.replace(f"]({file}", f"]({name}")
        source[0] = text.replace("](docs/", "](")


class LinkBelowHeading(SphinxTransform):
    """Puts the link that a heading is into a paragraph of its own.

    On the pages of docs/themes each heading is a link to the scenario file that it shows, for who reads them beside the
    files. A table of contents can't have links to elsewhere in it.
    """

    default_priority = 400  # before headings are collected

    def apply(self, **kwargs: Any) -> None:
        for title in list(self.document.findall(nodes.title)):
            for link in list(title.findall(addnodes.download_reference)):
                said = link.deepcopy()
                said.children = [nodes.literal(text=link["reftarget"].removeprefix("../../"))]
                below = nodes.paragraph("", "", said, classes=["file-of-heading"])
                title.parent.insert(title.parent.index(title) + 1, below)
                link.replace_self(link.children[0].children if len(link.children) == 1 else link.children)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("commands", Commands)
    app.add_directive("menu", Menu)
    app.add_directive("benchmark-history", BenchmarkHistory)
    app.connect("source-read", read_beside)
    app.add_transform(LinkBelowHeading)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
