"""How Sphinx makes the site of these pages: ``python docs/build.py``.

The pages are Markdown, and read as well where Sphinx is not: links are relative, headings have the anchors that GitHub
gives them. What is made at build time is the reference of the API, from docstrings, and that of the command, from its
help. What a page says belongs in the page.
"""

import os
import sys
from pathlib import Path

import bsbpool

sys.path.insert(0, str(Path(__file__).parent))

project = "bsbpool"
author = "the maintainers of bsbpool"
version = release = bsbpool.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.intersphinx", "sphinx_copybutton", "site_pages"]
source_suffix = {".md": "markdown"}
root_doc = "index"
smartquotes = False  # they would make one dash of the two of an option
nitpicky = True  # a name that leads nowhere is a warning, and a warning ends the build
suppress_warnings = ["ref.python"]  # `type` in an annotation is the builtin, though records have fields of that name
default_role = "code"  # docstrings have `name` for what is code

# -- pages --------------------------------------------------------------------------------------------

myst_heading_anchors = 4  # as GitHub makes them
pygments_style = "friendly"
pygments_dark_style = "github-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# -- the API ------------------------------------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 110
add_module_names = False

# -- other projects -----------------------------------------------------------------------------------

#: By name: where each has its documentation. They are asked for their names only when that is wanted (`build.py
#: --online`): without a network names of theirs are text.
OTHERS = {
    "python": ("https://docs.python.org/3", None),
    "mpi4py": ("https://mpi4py.readthedocs.io/en/stable", None),
    "bsb": ("https://bsb.readthedocs.io/en/latest", None),
    "nest": ("https://nest-simulator.readthedocs.io/en/stable", None),
}
online = bool(os.environ.get("BSBPOOL_DOCS_ONLINE"))
intersphinx_mapping = OTHERS if online else {}

# Types in signatures that are no links: those of other projects, and those of ours that nobody imports.
nitpick_ignore_regex = [
    ("py:.*", r"(collections\.abc|os|pathlib|random|rich)\..*"),
    ("py:class", r"bsbpool\.pool\.(caching\.F|checks\.Inherit|pool_of_jobs\.PoolOfJobs|progress\.PoolOfProgress)"),
    (
        "py:class",
        r"PoolOfProgress|PoolId|Error|Fault",
    ),  # the last three are unions, and spelled out there
    ("py:class", r"bsbpool\.(trace\.(comparing|recording)|worlds\.base)\..*"),
    (
        "py:class",
        r"bsbpool_sim\.(cluster\.Cluster|mpi\.communicators\.Comm|scenario\.(model\.Model|planning\.Plan|program\..*))",
    ),
]

# -- the site -----------------------------------------------------------------------------------------

html_theme = "furo"
html_title = "bsbpool"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_search_summary = False  # it would fetch pages, which a browser does not do for files
