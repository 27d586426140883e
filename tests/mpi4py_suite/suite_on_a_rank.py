"""What each rank runs: tests of some files of mpi4py's test suite, unmodified; each outcome is written down at once.

The same program runs under mpirun and on simulated ranks. It uses the standard library alone, and never starts a rank.

    suite_on_a_rank.py FOLDER_OF_TESTS OUTCOMES SKIPPED FILE [FILE…]

OUTCOMES is a prefix: rank 2 appends to ``OUTCOMES.2`` a line of JSON for each test that begins, and for each that ends.
SKIPPED is a file with a line for each test that is not to be run.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import traceback
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO


class Recorder(unittest.TestResult):
    """Writes down when a test begins, and how it ends.

    :param file: where to.
    """

    def __init__(self, file: TextIO):
        super().__init__()
        self._file = file
        self._outcome = "passed"
        self._reason = ""
        self._dead = False

    def write(self, **record: Any) -> None:
        """Append a record; it is in the file even if the process dies next."""
        if self._dead:
            return
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._outcome, self._reason = "passed", ""
        self.write(begins=test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self.write(test=test.id(), outcome=self._outcome, reason=self._reason)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        if self._outcome == "passed":
            self._outcome, self._reason = "skipped", reason

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self._failed(err)

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        self._failed(err)
        if not isinstance(test, unittest.TestCase):  # the set-up of a class or a module
            self.write(test=test.id(), outcome="failed", reason=self._reason)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        if err is not None:
            self._failed(err)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self._outcome, self._reason = "failed", "it passes, though it is expected to fail"

    def _failed(self, err: Any) -> None:
        if type(err[1]).__name__ == "GreenletExit":  # a simulated rank is ended; unittest would run its other tests
            self._dead = True
            raise err[1]
        if self._outcome != "failed":
            self._outcome, self._reason = "failed", _reason(err[1])


def _reason(error: BaseException) -> str:
    """The kind of an exception and the first line of what it says, and the line of code that raised it."""
    first, _, _ = "".join(traceback.format_exception_only(error)).strip().partition("\n")
    first = re.sub(r"0x[0-9a-f]+", "0x…", first)
    frames = traceback.extract_tb(error.__traceback__)
    return f"{first[:300]}, at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else first[:300]


def _tests(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from _tests(each)
        else:
            yield each


def _run(recorder: Recorder, name: str, skipped: set[str]) -> None:
    try:
        module = importlib.import_module(name)
    except unittest.SkipTest as skip:
        recorder.write(file=name, outcome="skipped", reason=str(skip))
        return
    except Exception as error:
        recorder.write(file=name, outcome="failed", reason=_reason(error))
        return
    tests = [*_tests(unittest.defaultTestLoader.loadTestsFromModule(module))]
    recorder.write(file=name, tests=[test.id() for test in tests])
    unittest.TestSuite(test for test in tests if test.id() not in skipped).run(recorder)


def main(folder: str, outcomes: str, skipped: str, *names: str) -> None:
    from mpi4py import MPI

    sys.path.insert(0, folder)
    without = set(Path(skipped).read_text().split())
    with open(f"{outcomes}.{MPI.COMM_WORLD.Get_rank()}", "a") as file:
        recorder = Recorder(file)
        for name in names:
            _run(recorder, name, without)
        recorder.write(over=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
