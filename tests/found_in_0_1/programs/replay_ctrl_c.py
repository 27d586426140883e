"""A replay ignored Ctrl-C.

Line 2. Held by:
  tests/property/test_mutated_traces.py::test_ctrl_c_ends_a_replay_whatever_catches_it
"""

import signal
import subprocess

from trying import BESIDE, TRACES, verdict

started = subprocess.Popen(
    [BESIDE / "bsbpool", "replay", TRACES / "replay_never_ends_1.trace"],
    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
)  # fmt: skip
try:
    started.wait(4)
except subprocess.TimeoutExpired:
    started.send_signal(signal.SIGINT)
try:
    status = started.wait(6)
except subprocess.TimeoutExpired:
    started.kill()
    status = None
verdict(status is not None, f"exit status {status}" if status is not None else "6 s after Ctrl-C it still runs")
