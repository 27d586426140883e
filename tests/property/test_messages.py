"""Mailboxes, links, communicators and scripts against models of a few lines, which say what MPI and the docs say."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from test_invariants import examples

import bsbpool
from bsbpool_sim import Script, simulate
from bsbpool_sim import mpi as MPI
from bsbpool_sim.default_strategies import InOrder, Shuffled
from bsbpool_sim.kernel import SECOND, Kernel
from bsbpool_sim.mailbox import Link, MessageQueue, SentMessage
from bsbpool_sim.network import Network

pytestmark = pytest.mark.unmeasured

sources, tags = st.integers(0, 2), st.integers(0, 2)
some_source, some_tag = st.one_of(st.none(), sources), st.one_of(st.none(), tags)


class Posted:
    """A receive that was posted, and what it got."""

    call = "recv"

    def __init__(self, source, tag):
        self.source, self.tag, self.got = source, tag, None

    def match(self, message):
        assert self.got is None, "a receive got two messages"
        self.got = message


def fits(source, tag, message):
    return source in (None, message.source) and tag in (None, message.tag)


class MailboxIsALine(RuleBasedStateMachine):
    """A mailbox is a list of messages in order of arrival, and a list of receives in the order of posting."""

    def __init__(self):
        super().__init__()
        self.kernel = Kernel(1, InOrder(), horizon=SECOND, max_events=100)
        self.box = MessageQueue()
        self.arrived, self.posted, self.numbers = [], [], itertools.count()

    @rule(source=sources, tag=tags)
    def arrives(self, source, tag):
        message = SentMessage(source, tag, b"%d" % next(self.numbers))
        due = next((each for each in self.posted if fits(each.source, each.tag, message)), None)
        self.box.put(self.kernel, message)
        if due is None:
            self.arrived.append(message)
        else:
            assert due.got is message
            self.posted.remove(due)
        assert all(each.got is None for each in self.posted)

    @rule(source=some_source, tag=some_tag)
    def is_received(self, source, tag):
        due = next((each for each in self.arrived if fits(source, tag, each)), None)
        assert self.box.find(source, tag) is due, "a probe finds another message than a receive"
        if due is not None:
            self.box.take(due)
            self.arrived.remove(due)
        else:
            self.posted.append(Posted(source, tag))
            self.box.posted.append(self.posted[-1])

    @rule(source=some_source, tag=some_tag)
    def is_probed(self, source, tag):
        due = next((each for each in self.arrived if fits(source, tag, each)), None)
        assert self.box.find(source, tag) is due

    @rule(tag=some_tag)
    def could_be_received_from_any(self, tag):
        fitting = [each for each in self.arrived if fits(None, tag, each)]
        firsts = [each for i, each in enumerate(fitting) if each.source not in {e.source for e in fitting[:i]}]
        assert self.box.firsts(tag) == firsts

    @precondition(lambda self: self.posted)
    @rule(which=st.integers(0, 50))
    def is_given_up(self, which):
        receive = self.posted.pop(which % len(self.posted))
        self.box.posted.remove(receive)


class LinksAreLines(RuleBasedStateMachine):
    """What is sent over a link arrives in order, each no earlier than its time, and than the one before it."""

    def __init__(self):
        super().__init__()
        self.network = Network()
        self.terms, self.delays, self.last, self.now = (0.0, None), {}, {}, 0

    @rule(latency=st.sampled_from([0.0, 1e-6, 0.25]), bandwidth=st.sampled_from([None, 1000.0, 1e9]))
    def is_set(self, latency, bandwidth):
        self.network.set(latency, bandwidth)
        self.terms = (latency, bandwidth)

    @rule(source=sources, dest=sources, ns=st.sampled_from([0, 1, 5000, SECOND]))
    def is_delayed(self, source, dest, ns):
        self.network.delay(source, dest, ns)
        self.delays[source, dest] = ns

    @rule(ns=st.integers(0, SECOND))
    def time_goes_on(self, ns):
        self.now += ns

    @rule(source=sources, dest=sources, size=st.sampled_from([0, 1, 100, 10**6]))
    def is_sent(self, source, dest, size):
        latency, bandwidth = self.terms
        own = self.now + round(latency * SECOND) + (round(size * (SECOND / bandwidth)) if bandwidth else 0)
        due = max(own + self.delays.get((source, dest), 0), self.last.get((source, dest), 0))
        assert self.network.arrival(self.now, source, dest, size) == due
        self.last[source, dest] = due


def test_a_mailbox_matches_as_mpi_does():
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(MailboxIsALine, settings=examples(150))


def test_links_keep_their_order_and_time():
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(LinksAreLines, settings=examples(150))


@examples(100)
@given(st.lists(st.tuples(st.integers(0, 5), tags), max_size=20), st.integers(0, 100))
def test_messages_of_one_link_arrive_in_order_whatever_the_policy(sent, seed):
    kernel, box = Kernel(1, Shuffled(seed), horizon=SECOND, max_events=1000), MessageQueue()
    link, last = Link(kernel, 0, kernel.ranks[0], box), 0
    for number, (later, tag) in enumerate(sent):
        last += later
        link.send(SentMessage(0, tag, b"%d" % number), last)
    kernel.start_program(kernel.ranks[0], lambda: kernel.compute(SECOND))
    kernel.run()
    came = []
    while (message := box.find(None, None)) is not None:
        box.take(message)
        came.append(int(message.data))
    assert came == [*range(len(sent))]


@st.composite
def traffic(draw):
    """What ranks send to rank 0: (sender, tag, sleep before), and how that takes them: (call, sleep before)."""
    waits = st.sampled_from([0.0, 0.001, 0.01])
    sent = draw(st.lists(st.tuples(st.integers(1, 3), tags, waits), min_size=1, max_size=14))
    calls = draw(st.lists(st.tuples(st.sampled_from(["recv", "irecv", "probe", "mprobe"]), waits), max_size=14))
    return sent, calls, draw(st.sampled_from([0.0, 0.002])), draw(st.integers(0, 1000))


@examples(150)
@given(traffic(), st.data())
def test_a_program_gets_its_messages_once_in_the_order_of_each_sender(case, data):
    sent, calls, latency, seed = case
    wild = data.draw(st.booleans())

    def program(comm):
        if comm.rank:
            import time

            for number, (sender, tag, wait) in enumerate(sent):
                if sender == comm.rank:
                    time.sleep(wait)
                    comm.send(number, 0, tag)
            return None
        import time

        got, left = [], [*sent]
        draws = random.Random(seed)
        ways = itertools.cycle(calls or [("recv", 0.0)])
        while left:
            how, wait = next(ways)
            time.sleep(wait)
            sender, tag, _ = draws.choice(left)
            source = MPI.ANY_SOURCE if wild else sender
            wanted = MPI.ANY_TAG if wild or draws.random() < 0.5 else tag
            status = MPI.Status()
            if how == "irecv":
                number = comm.irecv(source=source, tag=wanted).wait(status)
            elif how == "mprobe":
                number = comm.mprobe(source, wanted).recv(status)
            else:
                if how == "probe":
                    comm.probe(source, wanted, status)
                    source, wanted = status.source, status.tag
                number = comm.recv(source=source, tag=wanted, status=status)
            assert sent[number][:2] == (status.source, status.tag)
            assert source in (MPI.ANY_SOURCE, status.source)
            assert wanted in (MPI.ANY_TAG, status.tag)
            got.append((number, wanted == MPI.ANY_TAG))
            left.remove(sent[number])
        return got

    got = simulate(program, 4, seed=seed, latency=latency, policy="shuffled").results[0]
    assert sorted(number for number, _ in got) == [*range(len(sent))]
    for place, (number, any_tag) in enumerate(got):
        later = [n for n, _ in got[place + 1 :] if sent[n][0] == sent[number][0] and n < number]
        overtaken = [n for n in later if any_tag or sent[n][1] == sent[number][1]]
        assert not overtaken, f"message {number} was received before {overtaken} of the same sender"


colors = st.lists(st.tuples(st.integers(0, 2), st.integers(-2, 2)), min_size=5, max_size=5)


@examples(60)
@given(colors, colors, colors)
def test_a_communicator_that_is_split_again_and_again_has_the_ranks_that_mpi_says(first, second, third):
    def program(comm):
        mine = comm.rank
        split = comm.Split(*first[mine])
        again = split.Split(*second[mine])
        beside = split.Split(*third[mine])
        # By these numbers links are slow, and ranks die.
        assert [each.world_rank for each in (split, again, beside)] == [mine] * 3
        other = split.isend(("split", mine), (split.rank + 1) % split.size, 3)
        again.send(("again", mine), (again.rank + 1) % again.size, 3)
        beside.send(("beside", mine), (beside.rank + 1) % beside.size, 3)
        came = [each.recv(tag=3) for each in (beside, again, split)]
        other.wait()
        return [each.allgather(mine) for each in (split, again, beside)], came

    def parts(ranks, wishes):
        by_color = {}
        for place, rank in enumerate(ranks):
            by_color.setdefault(wishes[rank][0], []).append((wishes[rank][1], place, rank))
        return {rank: [r for _, _, r in sorted(part)] for part in by_color.values() for _, _, rank in part}

    results = simulate(program, 5).results
    once = parts(range(5), first)
    for rank, (groups, came) in enumerate(results):
        twice, aside = parts(once[rank], second), parts(once[rank], third)
        assert groups == [once[rank], twice[rank], aside[rank]]
        for (name, sender), group in zip(came, (aside[rank], twice[rank], once[rank]), strict=True):
            assert group[(group.index(sender) + 1) % len(group)] == rank
            assert name == {0: "beside", 1: "again", 2: "split"}[came.index((name, sender))]


rules = st.lists(
    st.tuples(st.sampled_from([None, "*", "a*", "?b", "ab"]), st.one_of(st.none(), st.integers(0, 3))),
    min_size=1, max_size=6,
).map(lambda drawn: [each for each in drawn if each != (None, None)])  # fmt: skip


@examples(60)
@given(rules, st.lists(st.sampled_from(["ab", "a", "b", "bb"]), min_size=1, max_size=4))
def test_the_first_rule_that_matches_a_job_is_its_rule(drawn, names):
    from fnmatch import fnmatchcase

    class Gently(Script):
        def check(self, cluster):
            pass

    script = Gently()
    for number, (name, id) in enumerate(drawn):
        script.job(name, id=id, returns=f"rule {number}")

    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if pool.is_main():
                for name in names:
                    pool.queue(nothing, submitter=name)
            return [*pool.execute(return_results=True).values()]

    due = []
    for job, name in enumerate(names):
        first = (
            number for number, (pattern, id) in enumerate(drawn)
            if (pattern is None or fnmatchcase(name, pattern)) and id in (None, job)
        )  # fmt: skip
        number = next(first, None)
        due.append(None if number is None else f"rule {number}")
    assert simulate(program, 2, script=script).results[0] == due


def nothing(owner):
    pass
