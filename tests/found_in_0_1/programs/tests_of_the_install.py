"""No test ran where bsbpool was installed as users install it, from another folder.

Line 1. Held by:
  tests/unit/test_project_files.py::test_the_gate_runs_what_names_lines_where_bsbpool_is_installed
  tests/unit/test_installed.py::test_all_files_of_a_package_come_along
"""

from trying import CHECKOUT, verdict

text = (CHECKOUT / "tests" / "run.py").read_text()
installed = "INSTALLED" in text and "from a source distribution" in text
verdict(installed, f"tests/run.py runs {'a share of the tests' if installed else 'nothing'} in an ordinary install")
