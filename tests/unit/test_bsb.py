"""`bsbpool.bsb` where there is no BSB. With BSB it is tested in `tests/with_bsb`."""

import importlib.util
import subprocess
import sys

import pytest

import bsbpool.bsb
from bsbpool import exceptions, host
from bsbpool.owner import Owner
from bsbpool.pool import JobPool, JobStatus, SubmissionContext

without_bsb = pytest.mark.skipif(importlib.util.find_spec("bsb") is not None, reason="BSB is installed here")


@without_bsb
def test_without_bsb_install_says_how_to_get_it_and_changes_nothing():
    bases = exceptions.JobPoolError.__mro__
    with pytest.raises(exceptions.DependencyError, match=r"BSB is not installed here.*pip install bsb-core.*8\.0\.2"):
        bsbpool.bsb.install()
    assert not bsbpool.bsb.installed() and bsbpool.bsb.version() is None
    assert exceptions.JobPoolError.__mro__ == bases and host.current is None
    bsbpool.bsb.uninstall()  # there is nothing to take back


@without_bsb
def test_a_folder_of_that_name_is_no_bsb(tmp_path, monkeypatch):
    (tmp_path / "bsb" / "services").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(exceptions.DependencyError, match="BSB is not installed here"):
        bsbpool.bsb.install()


@without_bsb
def test_without_bsb_the_command_says_so_in_one_line():
    ran = subprocess.run(
        [sys.executable, "-m", "bsbpool.bsb", "compile", "network.json"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1 and ran.stdout == ""
    assert ran.stderr.startswith("bsbpool: BSB is not installed here") and ran.stderr.count("\n") == 1


def test_what_a_framework_adds_is_added_to_each_job_and_to_no_scheduler(monkeypatch):
    within = []

    class Framework(host.Host):
        def run_job(self, function):
            within.append("job")
            try:
                return super().run_job(function)
            finally:
                within.append("end")

        def chunks(self, chunks):
            return sorted(chunks)

    monkeypatch.setattr(host, "current", Framework())
    with JobPool(1, Owner()) as pool:
        first = pool.queue(lambda owner: within.append("first"))
        pool.schedule([1], lambda node: within.append("scheduler"))
        by_hand = pool.queue(lambda owner: within.append("by hand"))
        by_hand.run()
        pool.execute()
        assert first.status is by_hand.status is JobStatus.SUCCESS
    assert within == ["job", "by hand", "end", "scheduler", "job", "first", "end"]
    assert SubmissionContext("me", chunks=[2, 1]).chunks == [1, 2] and SubmissionContext("me").chunks is None


def test_without_a_framework_nothing_is_added():
    assert host.Host().run_job(lambda: 3) == 3 and host.Host().chunks([2, 1]) == [2, 1]
    assert host.current is None and host.chunks_of([2, 1]) == [2, 1]
