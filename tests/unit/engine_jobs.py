"""A job for tests of the engine alone: what the engine keeps of it can be read by the names that a `Job` has."""

from bsbpool.engine.state import JobState
from bsbpool.engine.status import JobStatus


class EngineJob(JobState):
    """A job without a pool.

    :param cache_items: ids of the cached items that it requires.
    :param status: the status that it has at first.
    """

    def __init__(self, cache_items=(), status=JobStatus.PENDING):
        super().__init__(cache_items)
        self._status = status

    @property
    def id(self):
        """Its place among the jobs of its engine."""
        return self._id

    @property
    def status(self):
        """The status that the engine gave it last; tests of one file of the engine set it themselves."""
        return self._status

    @status.setter
    def status(self, status):
        self._status = status

    @property
    def error(self):
        """Why it did not succeed."""
        return self._error
