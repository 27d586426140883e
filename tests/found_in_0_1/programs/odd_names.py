"""Lone surrogates, control characters, and names such as `1e3` or `no` broke commands, or did not survive a
scenario file.

Line 14. Held by:
  tests/unit/test_text.py::test_texts_survive_a_scenario_file
  tests/unit/test_text.py::test_a_run_with_any_names_becomes_a_scenario_that_comes_out
  tests/unit/test_text.py::test_each_command_copes_and_writes_no_control_characters
"""

from trying import bsbpool, last, recorded, verdict

NAMES = ("\udce9", "1e3", "no", "null", "3:20", "\x1b[31m", "a\nb", "\u202e", "[red]x", "x" * 5000)
wrong = []
for name in NAMES:
    trace = recorded(f"""
def job(owner): raise ValueError({name!r})
def fill(pool): pool.queue(job, (), submitter={name!r})
""")
    for command in (
        "show its.trace",
        "show its.trace --html its.html",
        "replay its.trace --to-scenario its.yaml",
        "run its.yaml",
    ):
        done = bsbpool(*command.split(), PYTHONIOENCODING="utf-8")
        fine = done.status == 0 and "Traceback" not in done.said and "\x1b" not in done.said
        if not fine:
            wrong.append(f"{name[:9]!r}: {command.split()[0]} {last(done.said)[:60]!r}")
            break
verdict(not wrong, "; ".join(wrong)[:600] or "all names come through")
