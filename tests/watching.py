"""Holds every pool of the tests against what always holds: its engine after each event, and its trace in the end.

Of an engine with many jobs not every event is checked, since a check walks them all. Ranks of real MPI are left alone:
what is checked there would change their timing.
"""

from __future__ import annotations

import functools
from contextlib import contextmanager

from bsbpool.engine.engine import Engine
from bsbpool_sim import simulation
from bsbpool_sim.exploring.pools import Watch
from bsbpool_sim.invariants import broken
from bsbpool_sim.world import SimWorld

#: What happens to an engine.
EVENTS = (
    "add", "begin", "ready", "cached", "finished", "overdue", "returned", "run_by_hand", "set_status", "cancel",
    "go_on", "lost", "stop",
)  # fmt: skip

#: Jobs of which a check may cost as much as this many per event.
EVERY = 20

#: Whether it is done now: not in tests with the mark `unwatched`, which tear a pool apart.
watching = True


def _watched(event):
    @functools.wraps(event)
    def watched(self, *args, **kwargs):
        if not watching:
            return event(self, *args, **kwargs)
        outermost = not self.__dict__.get("within")
        self.within = True
        try:
            result = event(self, *args, **kwargs)
        finally:
            if outermost:
                self.within = False
        if outermost:
            self.unchecked = self.__dict__.get("unchecked", 0) + 1
            if EVERY * self.unchecked >= len(self.jobs):
                self.unchecked = 0
                self.validate()
        return result

    return watched


def watch():
    """From now on, all pools are."""
    for name in EVENTS:
        setattr(Engine, name, _watched(getattr(Engine, name)))
    exploring = Watch.watching

    @contextmanager
    def by_exploring(self):
        """Exploring checks the same itself."""
        global watching
        before, watching = watching, False
        try:
            with exploring(self):
                yield
        finally:
            watching = before

    Watch.watching = by_exploring  # type: ignore[method-assign]  # only for tests: it is no choice of users
    made = simulation._simulation

    def checked(cluster):
        result = made(cluster)
        # A replay has the times and the order of what was recorded, whatever that is.
        if watching and cluster.make_world is SimWorld:
            found = broken(result.trace.events)
            assert not found, f"the trace breaks a rule: {found[0].what}, at event {found[0].event}, {found[0].t} ns"
        return result

    simulation._simulation = checked
