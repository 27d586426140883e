"""Makes communicators from groups, and brings two groups together.

These calls are made by some ranks only, so they meet in a context of their own. What a communicator's ranks make
together is in `communicators`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..cluster import Cluster
from ..errors import MPIError
from .collective_forms import Forms
from .contexts import Bridge, Context, bridge
from .endpoint import Endpoint, handle_of, new_comm
from .error_handlers import give_handler
from .groups import ranks_of
from .info import INFO_NULL, hints_of
from .integer_arguments import integer, text_argument
from .members import CommMember, member_between
from .running_rank import running_task


def arrive(cluster: Cluster, key: Any, members: Sequence[int], name: str) -> Forms:
    """Arrive at a call that ranks make together without a common communicator.

    :param key: what tells the call from others of these ranks.
    :param members: the ranks, in the simulation; that which runs now is one of them.
    :param name: the call.
    :returns: this rank's end of a context of these ranks, which is new.
    """
    key = (name, key, tuple(members))
    context, came = cluster.meetings.setdefault(key, (None, 0))
    if context is None:
        context = Context(cluster, members)
    cluster.meetings[key] = context, came + 1
    if came + 1 == len(members):
        del cluster.meetings[key]  # whoever calls it once more begins another one
    return Forms._of(CommMember(context, [*members].index(running_task().rank.index), private=True))


def meet(cluster: Cluster, key: Any, members: Sequence[int], name: str, payload: Any = None) -> tuple[Context, Any]:
    """Let ranks without a common communicator make a call together, and wait for all of them.

    :returns: a context of these ranks, which is new, and the call, with what each brought.
    """
    end = arrive(cluster, key, members, name)
    return end.context, end._together(name, payload)


class FromGroups(Forms):
    """The methods of a communicator of one group that make communicators from groups."""

    def Create_group(self, group: Any, tag: int = 0) -> Any:
        """Return a communicator of the ranks of a group. Only these call it.

        :param group: ranks of this communicator.
        :param tag: tells calls from each other that the same ranks make.
        """
        members, tag = ranks_of(group, "Create_group"), integer(tag, "tag")
        if tag < 0:
            raise MPIError(f"Create_group: tag={tag} is negative", "ERR_TAG")
        own = self.context.own
        if any(each not in own for each in members):
            raise MPIError("Create_group: a rank of the group is not in this communicator", "ERR_GROUP")
        if self.world_rank not in members:
            return type(self)._kind._class_of(self.member)()
        context, _ = meet(self.cluster, (self.context.number, tag), members, "Create_group")
        return new_comm(CommMember(context, members.index(self.world_rank)), self.member)

    @classmethod
    def Create_from_group(
        cls, group: Any, stringtag: str = "org.mpi4py", info: Any = INFO_NULL, errhandler: Any = None
    ) -> Any:
        """Return a communicator of the ranks of a group. Only these call it.

        :param stringtag: tells calls from each other that the same ranks make.
        """
        members, hints = ranks_of(group, "Create_from_group"), hints_of(info, "Create_from_group")
        if not members:
            return cls._kind._class_of(None)()
        task = running_task()
        context, _ = meet(task.kernel.cluster, text_argument(stringtag, "stringtag"), members, "Create_from_group")
        member = CommMember(context, members.index(task.rank.index))
        member.hints = hints
        new = handle_of(member)
        give_handler(new, errhandler)
        return new

    def Create_intercomm(self, local_leader: int, peer_comm: Any, remote_leader: int, tag: int = 0) -> Any:
        """Return a communicator of this group and another one. All ranks of both call it.

        :param local_leader: a rank of this communicator, which knows the other group's leader.
        :param peer_comm: a communicator of both leaders; it matters on the leader only.
        :param remote_leader: the other leader's rank there.
        :param tag: tells calls from each other that the same leaders make.
        :raises MPIError: the two groups have a rank in common, or a leader is no rank.
        """
        local_leader = integer(local_leader, "local_leader")
        if not 0 <= local_leader < self.size:
            raise MPIError(f"Create_intercomm: local_leader={local_leader!r} is no rank of this group", "ERR_RANK")
        made: Any = None
        if local_leader == self.rank:
            if not isinstance(peer_comm, Endpoint):
                raise TypeError(f"Create_intercomm: peer_comm must be a communicator, not {peer_comm!r}")
            peer = peer_comm._peer(remote_leader, "remote_leader")
            if peer is None:
                raise MPIError("Create_intercomm: remote_leader is PROC_NULL", "ERR_RANK")
            leaders = sorted([self.world_rank, peer_comm.context.members[peer]])
            if leaders[0] == leaders[1]:
                raise MPIError("Create_intercomm: a rank can't be the leader of both groups", "ERR_COMM")
            key = (peer_comm.meeting.number, int(tag))
            made = _lead(self.cluster, key, leaders, "Create_intercomm", self.context.own)
        call = self._together("Create_intercomm", made, root=local_leader, waits="root")
        shared, side = call.from_root
        return new_comm(member_between(shared, side, self.rank), self.member)


def _lead(cluster: Cluster, key: Any, leaders: Sequence[int], name: str, own: Sequence[int]) -> tuple[Bridge, int]:
    """Let the leaders of two groups meet. Returns what both groups share, and which this one is."""
    side = [*leaders].index(running_task().rank.index)
    _, call = meet(cluster, key, leaders, name, tuple(own))
    if call.result is None:
        first, second = call.payloads[0], call.payloads[1]
        if set(first) & set(second):
            raise MPIError(f"{name}: the two groups have ranks in common", "ERR_COMM")
        call.result = bridge(cluster, first, second)
    return call.result, side


def between_groups(local: Any, local_leader: int, remote: Any, remote_leader: int, stringtag: str) -> CommMember:
    """Bring two groups together when each rank knows both: ``Intercomm.Create_from_groups``."""
    name = "Create_from_groups"
    own, others = ranks_of(local, name), ranks_of(remote, name)
    for group, leader in ((own, local_leader), (others, remote_leader)):
        if not 0 <= leader < len(group):
            raise MPIError(f"{name}: {leader!r} is no rank of a group of {len(group)}", "ERR_RANK")
    if set(own) & set(others):
        raise MPIError(f"{name}: the two groups have ranks in common", "ERR_GROUP")
    task = running_task()
    groups = sorted([own, others])
    _, call = meet(task.kernel.cluster, str(stringtag), [*groups[0], *groups[1]], name)
    if call.result is None:
        call.result = bridge(task.kernel.cluster, *groups)
    return member_between(call.result, groups.index(own), own.index(task.rank.index))
