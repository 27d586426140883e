"""Bad scenario files: each is one error, with file, line, column and what would be right."""

# ruff: noqa: E501 (messages and files stand here as they are)

import json

import pytest
import yaml

from bsbpool_sim.scenario import ScenarioError, load
from bsbpool_sim.scenario.document import LARGEST

HEAD = "scenario: It is wrong\nranks: 3\n"
TAIL = "expect: {outcome: ok}\n"

#: What is wrong, by name: the file, with « before the character that is named, and the message.
CASES = {
    "an error of an unknown kind": (
        HEAD + "jobs: [{name: a}]\nexpect: {errors: {a: «{kind: overdu}}}\n",
        "'overdu' is no kind of error: did you mean overdue?",
    ),
    "facts of an error without its kind": (
        HEAD + "jobs: [{name: a}]\nexpect: {errors: {a: «{limit: 2s}}}\n",
        "kind is missing: kinds are raised, overdue, lost rank, left rank, not scheduled, scheduler failed, job failed, cancelled, dependency failed, stopped, nobody left, workflow failed",
    ),
    "a fact that errors of a kind have not": (
        HEAD + "jobs: [{name: a}]\nexpect: {errors: {a: «{kind: lost rank, limit: 2s}}}\n",
        "'limit' is no fact of 'lost rank': there are rank, host, died, times",
    ),
    "a fact of another type": (
        HEAD + "jobs: [{name: a}]\nexpect: {errors: {a: «{kind: overdue, ended: soon}}}\n",
        "ended is 'soon'; it should be one of interrupted, running, silent",
    ),
    "a fact of an error within an error": (
        HEAD + "jobs: [{name: a}]\nexpect: {errors: {a: «{kind: scheduler failed, error: {kind: overdue, rank: x}}}}\n",
        "rank is 'x'; it should be a whole number",
    ),
    "an empty file": (
        "«",
        "is empty: a scenario has at least the keys scenario, ranks, jobs and expect",
    ),
    "only a comment": (
        "«# nothing\n",
        "is empty: a scenario has at least the keys scenario, ranks, jobs and expect",
    ),
    "a list": (
        "«- scenario: x\n",
        "is a list: a scenario is a mapping with the keys scenario, ranks, jobs, expect",
    ),
    "a word": (
        "«scenario\n",
        "is 'scenario': a scenario is a mapping with the keys scenario, ranks, jobs, expect",
    ),
    "an open bracket": (
        HEAD + "jobs: [{name: a}\n«" + TAIL,
        "is no YAML: the list that opens on line 3 in column 7 is not closed, or a comma is missing before this: write ], or the comma",
    ),
    "a tab": (
        HEAD + "jobs:\n«\t- {name: a}\n" + TAIL,
        "is no YAML: a tab indents this: indent with blanks",
    ),
    "a colon in plain text": (
        HEAD + "about: see«: this\n" + TAIL,
        "is no YAML: a second colon on this line: a text that holds ': ' goes in quotes, such as 'ValueError: text'",
    ),
    "a colon in plain text in braces": (
        HEAD + "jobs: [{name: a, raises: ValueError«: no}]\n" + TAIL,
        "is no YAML: a colon where a comma or } belongs: a text that holds ': ' goes in quotes, such as 'ValueError: text'",
    ),
    "a star alone": (
        HEAD + "jobs: [{name: a, after: *« }]\n" + TAIL,
        "is no YAML: a text that begins with * or & goes in quotes, such as '*'",
    ),
    "an alias": (
        HEAD + "jobs: [{name: a, after: «*b}]\n" + TAIL,
        "*b is an alias, which scenarios do without: a pattern that begins with * goes in quotes, '*b'",
    ),
    "an anchor": (
        HEAD + "jobs: «&all [{name: a}]\n" + TAIL,
        "&all is an anchor, which scenarios do without: write it out, or use repeat for jobs",
    ),
    "a tag that builds an object": (
        HEAD + "jobs: «!!python/object/apply:os.system [ls]\n" + TAIL,
        "!!python/object/apply:os.system is a tag that builds an object, which a scenario can't do: write plain text, numbers, lists and mappings",
    ),
    "a tag of its own": (
        HEAD + "jobs: «!job {name: a}\n" + TAIL,
        "!job is a tag that builds an object, which a scenario can't do: write plain text, numbers, lists and mappings",
    ),
    "a key twice": (
        HEAD + "«ranks: 4\n" + TAIL,
        "'ranks' stands here a second time: it is on line 2 already",
    ),
    "a key that is a list": (
        HEAD + "«[a, b]: 4\n" + TAIL,
        "a key is a word, not a list or a mapping: quote it if it is meant as text",
    ),
    "a key that is null": (
        HEAD + "«~: 4\n" + TAIL,
        "nothing is no key: a key is a word",
    ),
    "two documents": (
        HEAD + "expect: {outcome: ok}\n«---\nscenario: It is wrong\nranks: 3\n" + TAIL,
        "a second document begins here: write one scenario a file",
    ),
    "a control character": (
        HEAD + "about: a«\x07b\n" + TAIL,
        "holds the character U+0007, which YAML forbids",
    ),
    "deep nesting": (
        HEAD + "about: " + "[" * 19 + "«" + "[" * 100_000,
        "is nested more than 20 levels deep, which no scenario needs",
    ),
    "no title": (
        "«ranks: 3\n" + TAIL,
        "'scenario' is missing: what it shows, in a sentence",
    ),
    "an unknown key": (
        HEAD + "«job: [{name: a}]\n" + TAIL,
        "unknown key 'job': did you mean 'jobs'?",
    ),
    "an unknown key like no other": (
        HEAD + "«zzz: 1\n" + TAIL,
        "unknown key 'zzz': there are scenario, about, ranks, latency, bandwidth, seeds, policy, slow, horizon, pool, workflow, strategies, recording, holds, jobs, schedulers, events, explore, expect",
    ),
    "an unknown key of a job": (
        HEAD + "jobs: [{name: a, «take: 1s}]\n" + TAIL,
        "unknown key 'take': did you mean 'takes'?",
    ),
    "an unknown key of an expectation": (
        HEAD + "jobs: [{name: a}]\nexpect: {«status: {a: success}}\n",
        "unknown key 'status': did you mean 'statuses'?",
    ),
    "a job without a name": (
        HEAD + "jobs:\n  - «takes: 1s\n" + TAIL,
        "'name' is missing: its name; with repeat it holds {i}, which is the index, from 0",
    ),
    "ranks that are text": (
        "scenario: x\nranks: «four\n" + TAIL,
        "'four' stands where a whole number belongs",
    ),
    "no ranks at all": (
        "scenario: x\nranks: «0\n" + TAIL,
        "0 is out of range: it must be 1 or more",
    ),
    "too many ranks": (
        "scenario: x\nranks: «10001\n" + TAIL,
        "10001 is out of range: it must be 10000 or less",
    ),
    "a job that is text": (
        HEAD + "jobs: [«a]\n" + TAIL,
        "'a' stands where a mapping belongs",
    ),
    "jobs that are a mapping": (
        HEAD + "jobs: «{name: a}\n" + TAIL,
        "{'name': 'a'} stands where a list belongs",
    ),
    "a name that is a number": (
        HEAD + "jobs: [{name: «1}]\n" + TAIL,
        "1 stands where text belongs: write '1', in quotes",
    ),
    "a name that is empty": (
        HEAD + "jobs: [{name: «''}]\n" + TAIL,
        "'': string should have at least 1 character",
    ),
    "hangs that is text": (
        HEAD + "jobs: [{name: a, hangs: «maybe}]\n" + TAIL,
        "'maybe' stands where true or false belongs",
    ),
    "a rank's factor of zero": (
        HEAD + "slow: {1: «0}\n" + TAIL,
        "0 is out of range: it must be more than 0",
    ),
    "a factor for no rank": (
        HEAD + "slow: {«first: 2}\n" + TAIL,
        "'first' stands where a whole number belongs",
    ),
    "a status that is none": (
        HEAD + "jobs: [{name: a}]\nexpect: {statuses: {a: «sucess}}\n",
        "'sucess' is none of pending, queued, running, success, failed, cancelled, aborted or not queued: did you mean success?",
    ),
    "a kind that is none": (
        HEAD + "jobs: [{name: a, kind: «place}]\n" + TAIL,
        "'place' is none of function, placement or connectivity: did you mean placement?",
    ),
    "no unit": (
        HEAD + "jobs: [{name: a, takes: «5}]\n" + TAIL,
        "5 has no unit: write 5s if seconds are meant (units: ns, us, ms, s, min, h)",
    ),
    "no unit for a fraction": (
        HEAD + "latency: «0.5\n" + TAIL,
        "0.5 has no unit: write 0.5s if seconds are meant (units: ns, us, ms, s, min, h)",
    ),
    "no unit in a text": (
        HEAD + "latency: «'5'\n" + TAIL,
        "'5' is no duration: write a number with a unit, such as 500ms (units: ns, us, ms, s, min, h)",
    ),
    "a wrong unit": (
        HEAD + "jobs: [{name: a, takes: «5sec}]\n" + TAIL,
        "'sec' is no unit of time: write 5s (units: ns, us, ms, s, min, h)",
    ),
    "a unit that is nothing": (
        HEAD + "jobs: [{name: a, takes: «5 parsecs}]\n" + TAIL,
        "'parsecs' is no unit of time: write it with one of these (units: ns, us, ms, s, min, h)",
    ),
    "a negative duration": (
        HEAD + "jobs: [{name: a, takes: «-5s}]\n" + TAIL,
        "'-5s' is no duration: write a number with a unit, such as 500ms (units: ns, us, ms, s, min, h)",
    ),
    "a duration that is a list": (
        HEAD + "latency: «[1s]\n" + TAIL,
        "['1s'] is no duration: write a number with a unit, such as 500ms (units: ns, us, ms, s, min, h)",
    ),
    "a bandwidth without unit": (
        HEAD + "bandwidth: «100\n" + TAIL,
        "100 is no bandwidth: write a number above 0 with a unit, such as 100MB/s (units: B/s, kB/s, MB/s, GB/s)",
    ),
    "a distribution that is none": (
        HEAD + "jobs: [{name: a, takes: «{gamma: 1s}}]\n" + TAIL,
        "a random duration is one of uniform: [1s, 2s], normal: [1s, 200ms] and exponential: 1s",
    ),
    "uniform with one duration": (
        HEAD + "jobs: [{name: a, takes: «{uniform: 1s}}]\n" + TAIL,
        "uniform takes two durations, the least and the most, such as [1s, 200ms]",
    ),
    "uniform in the wrong order": (
        HEAD + "jobs: [{name: a, takes: «{uniform: [2s, 1s]}}]\n" + TAIL,
        "uniform takes the least duration first, then the most, such as [1s, 2s]",
    ),
    "a seed that is none": (
        HEAD + "seeds: «9..0\n" + TAIL,
        "'9..0' is no seed: write one such as 7, a list such as [1, 5], or a range such as 0..9",
    ),
    "too many seeds": (
        HEAD + "seeds: «0..99999\n" + TAIL,
        "0..99999 are too many seeds: give 10000 at the most",
    ),
    "far too many seeds": (
        HEAD + "seeds: «0..100000000000\n" + TAIL,
        "0..100000000000 are too many seeds: give 10000 at the most",
    ),
    "seeds that are too large": (
        HEAD + "seeds: «100000000000..100000000001\n" + TAIL,
        "100000000000..100000000001 are too large for seeds: give some up to 999999999",
    ),
    "an exception that is none": (
        HEAD + "jobs: [{name: a, raises: «'ValuError: no'}]\n" + TAIL,
        "'ValuError' is no exception that Python has built in: the nearest one is ValueError",
    ),
    "an exception like no other": (
        HEAD + "jobs: [{name: a, raises: «Oops}]\n" + TAIL,
        "'Oops' is no exception that Python has built in: write it such as 'ValueError: corrupt morphology', in quotes, or as a mapping ValueError: corrupt morphology",
    ),
    "an exception that takes more": (
        HEAD + "jobs: [{name: a, raises: «'UnicodeDecodeError: x'}]\n" + TAIL,
        "UnicodeDecodeError can't be made from a message alone (function takes exactly 5 arguments (1 given)): take another, such as ValueError",
    ),
    "an exception that is a number": (
        HEAD + "jobs: [{name: a, raises: «5}]\n" + TAIL,
        "5 is no exception: write it such as 'ValueError: corrupt morphology', in quotes, or as a mapping ValueError: corrupt morphology",
    ),
    "a condition that is none": (
        HEAD + "jobs: [{name: a}]\nevents: [{when: «a begins, kill: 1}]\n" + TAIL,
        "'a begins' is no event: write a job and what it does, such as 'b starts' (is queued, starts, ends, succeeds, fails, is cancelled, is aborted), or 'ping', 'rank 2 is lost', 'phase b begins'",
    ),
    "an order of what is no event": (
        HEAD + "jobs: [{name: a}]\nexpect: {order: [«a begins]}\n",
        "'a begins' is no event: write a job and what it does, such as 'b starts' (is queued, starts, ends, succeeds, fails, is cancelled, is aborted), or 'ping', 'rank 2 is lost', 'phase b begins'",
    ),
    "freeing without when": (
        HEAD + "expect: {freed: {1: [«golgi.load]}}\n",
        "'golgi.load' says not what is freed and when: write 'golgi.load before b' or 'golgi.load at the end'",
    ),
    "a bound that is none": (
        HEAD + "expect: {elapsed: «{above: 1s}}\n",
        "bounds are at_least and at_most, one of them or both",
    ),
    "bounds the wrong way": (
        HEAD + "expect: {elapsed: «{at_least: 2s, at_most: 1s}}\n",
        "at_least is more than at_most: nothing is between them",
    ),
    "pings that are text": (
        HEAD + "expect: {pings: «many}\n",
        "'many' is no number of them: write a whole number from 0 on",
    ),
    "a rank that is text": (
        HEAD + "jobs: [{name: a}]\nexpect: {ran_on: {a: «first}}\n",
        "'first' is no rank: write its number, such as 2, or a list of those that are right",
    ),
    "a dependency that is a number": (
        HEAD + "jobs: [{name: a, after: «[1]}]\n" + TAIL,
        "[1] is no name: write one, a pattern with * and ?, or a list of them; names that are numbers go in quotes",
    ),
    "listeners that raise nothing": (
        HEAD + "pool: {listeners: [{raises: «no}]}\n" + TAIL,
        "'no' says not when and what: write such as {b starts: 'ValueError: no'}",
    ),
    "a dependency that is not there": (
        HEAD + "jobs: [{name: golgi}, {name: b, after: «golgy}]\n" + TAIL,
        "no job matches 'golgy': the nearest one is 'golgi'",
    ),
    "a dependency that is not there, of several": (
        HEAD + "jobs: [{name: a}, {name: b, after: [a, «c]}]\n" + TAIL,
        "no job matches 'c': there are 'a', 'b'",
    ),
    "a circle": (
        HEAD + "jobs:\n- {name: a, after: c}\n- {name: b, after: «a}\n- {name: c, after: b}\n" + TAIL,
        "dependencies go in a circle: 'a' waits for 'c' waits for 'b' waits for 'a'",
    ),
    "a job that waits for itself": (
        HEAD + "jobs: [{name: a, after: «a}]\n" + TAIL,
        "'a' waits for itself: nothing would ever start it",
    ),
    "a pattern that matches nothing": (
        HEAD + "jobs: [{name: place}, {name: b, after: «'golgi *'}]\n" + TAIL,
        "no job matches 'golgi *': there are 'place', 'b'",
    ),
    "a job twice": (
        HEAD + "jobs:\n- {name: a}\n- {name: «a}\n" + TAIL,
        "job 'a' is there already, on line 4: names are unique",
    ),
    "repeat without an index": (
        HEAD + "jobs: [{name: «a, repeat: 3}]\n" + TAIL,
        "with repeat, names must differ: put {i} into the name, which is the index",
    ),
    "an index without repeat": (
        HEAD + "jobs: [{name: «'a {i}'}]\n" + TAIL,
        "the name holds {i}, and there is no repeat: say how many with 'repeat: 10'",
    ),
    "too many jobs": (
        HEAD + "jobs:\n- {name: 'a {i}', repeat: 150000}\n- {name: 'b {i}', repeat: «150000}\n" + TAIL,
        "these are more than 200000 jobs altogether",
    ),
    "a name that is a pattern": (
        HEAD + "jobs: [{name: «'a*'}]\n" + TAIL,
        "'a*' holds * or ?, which patterns have: take another name",
    ),
    "two outcomes": (
        HEAD + "jobs: [{name: a, returns: 1, «hangs: true}]\n" + TAIL,
        "a job ends in one way, and this one has 'returns' already: leave one out",
    ),
    "a placement job of nobody": (
        HEAD + "jobs: [{name: a, kind: «placement}]\n" + TAIL,
        "a placement job belongs to a strategy: say which with 'strategy'",
    ),
    "a strategy that is not there": (
        HEAD + "strategies: {golgi: {}}\njobs: [{name: a, strategy: «golgy}]\n" + TAIL,
        "strategy 'golgy' is not there: the nearest one is 'golgi'",
    ),
    "a placement job with context": (
        HEAD + "strategies: {g: {}}\njobs: [{name: a, kind: placement, strategy: g, «context: {x: 1}}]\n" + TAIL,
        "a placement job has no context: leave it out, or make it a function job",
    ),
    "a placement job with caches": (
        HEAD
        + "strategies: {g: {cached: [load]}}\njobs: [{name: a, kind: placement, strategy: g, «caches: g}]\n"
        + TAIL,
        "a placement job caches what its strategy caches: leave this out, or make it a function job",
    ),
    "a context that queue() would take": (
        HEAD + "jobs: [{name: a, context: {«deps: 1}}]\n" + TAIL,
        "'deps' can't be in a context: take a word that has no meaning in queue()",
    ),
    "caches of a strategy that is not there": (
        HEAD + "jobs: [{name: a, caches: «golgi}]\n" + TAIL,
        "strategy 'golgi' is not there: there are no strategies",
    ),
    "a cached method that is not there": (
        HEAD + "strategies: {golgi: {cached: [load]}}\njobs: [{name: a, caches: [«golgi.lod]}]\n" + TAIL,
        "golgi has no cached method 'lod': the nearest one is 'load'",
    ),
    "a called method that is not there": (
        HEAD + "strategies: {golgi: {cached: [load]}}\njobs: [{name: a, calls: [«golgi.lod]}]\n" + TAIL,
        "golgi has no cached method 'lod': the nearest one is 'load'",
    ),
    "a placement job that can't be sent": (
        HEAD + "strategies: {g: {}}\njobs: [{name: a, kind: placement, strategy: g, «unsendable: true}]\n" + TAIL,
        "a placement job has arguments that can be pickled: leave it out, or make it a function job",
    ),
    "a cached method that is no word": (
        HEAD + "strategies: {golgi: {cached: [«a-b]}}\n" + TAIL,
        "'a-b' is no name for a cached method: take a word such as load",
    ),
    "a cached method twice": (
        HEAD + "strategies: {golgi: {cached: [a, «a]}}\n" + TAIL,
        "method 'a' stands here a second time",
    ),
    "a strategy with a dot": (
        HEAD + "strategies: {«a.b: {}}\n" + TAIL,
        "'a.b' is no name for a strategy: leave out blanks, dots, * and ?",
    ),
    "a phase twice": (
        HEAD + "workflow: [a, «a]\n" + TAIL,
        "phase 'a' stands here a second time",
    ),
    "a phase that can't be shown": (
        HEAD + 'workflow: [a, «"b\\t"]\n' + TAIL,
        "phase 'b\\t' has characters that can't be shown, or more than 200: give it a name that can be printed",
    ),
    "a phase that is not there": (
        HEAD + "workflow: [a]\njobs: [{name: x, phase: «b}]\n" + TAIL,
        "phase 'b' is not there: there are 'a'",
    ),
    "a dependency in another phase": (
        HEAD + "workflow: [a, b]\njobs: [{name: x}, {name: y, phase: b, after: «x}]\n" + TAIL,
        "'x' is in another phase: a job waits for jobs of its own phase, and each phase for the one before",
    ),
    "a scheduler's job in a phase": (
        HEAD + "workflow: [a, b]\nschedulers: [{name: s, jobs: [{name: x, phase: «b}]}]\n" + TAIL,
        "the job of a scheduler is in the phase of its scheduler: leave this out",
    ),
    "a job that waits for one of a scheduler": (
        HEAD + "jobs: [{name: a, after: «b}]\nschedulers: [{name: s, jobs: [{name: b}]}]\n" + TAIL,
        "'b' is queued by scheduler 's', after 'a': a job waits for jobs that are queued before it",
    ),
    "a scheduler twice": (
        HEAD + "schedulers: [{name: s}, {name: «s}]\n" + TAIL,
        "'s' is there already: names are unique",
    ),
    "a scheduler that is not there": (
        HEAD + "schedulers: [{name: a, depends_on: [«b]}, {name: b}]\n" + TAIL,
        "scheduler 'b' does not come before this one: there are no schedulers before it",
    ),
    "a scheduler that cancels nothing": (
        HEAD + "schedulers: [{name: a, cancels: «b}]\n" + TAIL,
        "no job matches 'b': there are no jobs",
    ),
    "a listener twice": (
        HEAD + "pool: {listeners: [{name: a}, {name: «a}]}\n" + TAIL,
        "listener 'a' is there already: give each its name",
    ),
    "a listener in a hurry": (
        HEAD + "pool: {listeners: [{max_wait: «0s}]}\n" + TAIL,
        "max_wait is a time above 0, such as 100ms",
    ),
    "a listener that handles nothing": (
        HEAD + "pool: {listeners: [{handles: «a}]}\n" + TAIL,
        "no job matches 'a': there are no jobs",
    ),
    "a listener that raises for nothing": (
        HEAD + "pool: {listeners: [{raises: {«a starts: KeyError}}]}\n" + TAIL,
        "no job matches 'a': there are no jobs",
    ),
    "an event at no time": (
        HEAD + "events:\n  - «kill: 1\n" + TAIL,
        "an event happens at a time or when something happens: give one of 'at' and 'when'",
    ),
    "an event that does nothing": (
        HEAD + "events:\n  - «at: 1s\n" + TAIL,
        "an event does one thing, and this does 0: give one of cancel, interrupt, raise, queue, set, limit, run, kill, kill_rank_of, pause, slow, delay",
    ),
    "an event that does two things": (
        HEAD + "events:\n  - «at: 1s\n    kill: 1\n    interrupt: main\n" + TAIL,
        "an event does one thing, and this does 2: give one of cancel, interrupt, raise, queue, set, limit, run, kill, kill_rank_of, pause, slow, delay",
    ),
    "a time limit of nothing": (
        HEAD + "events: [{at: 1s, limit: {«a: 1s}}]\n" + TAIL,
        "no job matches 'a': there are no jobs",
    ),
    "a time limit of no time": (
        HEAD + "jobs: [{name: a}]\nevents: [{at: 1s, limit: {a: «0s}}]\n" + TAIL,
        "a time limit is a time above 0, such as 10s",
    ),
    "clean-up of nothing": (
        HEAD + "strategies: {golgi: {«cleanup_raises: OSError}}\n" + TAIL,
        "it has no cached items that could be freed: name its methods with 'cached'",
    ),
    "an error that can't be unpickled, and is none": (
        HEAD + "jobs: [{name: a, «unloadable: true}]\n" + TAIL,
        "it is about what the job raises: say what with 'raises'",
    ),
    "a rank that holds something and is not there": (
        HEAD + "strategies: {golgi: {cached: [load]}}\nholds: {«3: golgi}\n" + TAIL,
        "rank 3 is not there: there are ranks 0 to 2",
    ),
    "an item that a rank holds and that is not there": (
        HEAD + "strategies: {golgi: {cached: [load]}}\nholds: {1: «golgi.tree}\n" + TAIL,
        "golgi has no cached method 'tree': there are 'load'",
    ),
    "what a rank raises that is not there": (
        HEAD + "expect: {raised: {«3: ok}}\n",
        "rank 3 is not there: there are ranks 0 to 2",
    ),
    "an event when nothing": (
        HEAD + "jobs: [{name: a}]\nevents: [{when: «b starts, kill: 1}]\n" + TAIL,
        "no job matches 'b': there are 'a'",
    ),
    "an event on a rank that is not there": (
        HEAD + "events: [{at: 1s, kill: «3}]\n" + TAIL,
        "rank 3 is not there: there are ranks 0 to 2",
    ),
    "a pause of a rank that is not there": (
        "scenario: x\nranks: 1\nevents: [{at: 1s, pause: {rank: «1, for: 1s}}]\n" + TAIL,
        "rank 1 is not there: there is rank 0",
    ),
    "a slow rank that is not there": (
        HEAD + "slow: {«7: 2}\n" + TAIL,
        "rank 7 is not there: there are ranks 0 to 2",
    ),
    "a rank that becomes slow and is not there": (
        HEAD + "events: [{at: 1s, slow: {rank: «3, by: 2}}]\n" + TAIL,
        "rank 3 is not there: there are ranks 0 to 2",
    ),
    "a link from a rank that is not there": (
        HEAD + "events: [{at: 1s, delay: {from: «3, to: 0, by: 1s}}]\n" + TAIL,
        "rank 3 is not there: there are ranks 0 to 2",
    ),
    "a link to a rank that is not there": (
        HEAD + "events: [{at: 1s, delay: {from: 0, to: «3, by: 1s}}]\n" + TAIL,
        "rank 3 is not there: there are ranks 0 to 2",
    ),
    "a cancellation of nothing": (
        HEAD + "events: [{at: 1s, cancel: «a}]\n" + TAIL,
        "no job matches 'a': there are no jobs",
    ),
    "a reason for nothing": (
        HEAD + "events: [{at: 1s, kill: 1, «reason: no}]\n" + TAIL,
        "a reason belongs to cancel",
    ),
    "a listener that kills": (
        HEAD + "pool: {listeners: [{}]}\nevents: [{at: 1s, kill: 1, «by: listener}]\n" + TAIL,
        "'by' names the listener that raises, cancels, queues, sets, limits or runs",
    ),
    "a listener that is not there": (
        HEAD + "jobs: [{name: a}]\nevents: [{at: 1s, cancel: a, by: «b}]\n" + TAIL,
        "listener 'b' is not there: there are no listeners",
    ),
    "raising where nobody listens": (
        HEAD + "events:\n  - «at: 1s\n    raise: KeyError\n" + TAIL,
        "a listener raises, and there is none: add one under pool, listeners",
    ),
    "an outcome that is none": (
        HEAD + "expect: {outcome: «errors}\n",
        "'errors' is no outcome: did you mean error?",
    ),
    "an outcome like no other": (
        HEAD + "expect: {outcome: «fine}\n",
        "'fine' is no outcome: there are ok, error, deadlock, horizon, died, and names of exceptions",
    ),
    "a deadlock that is ok": (
        HEAD + "expect: {outcome: «ok, deadlock: job}\n",
        "a deadlock is expected, so that the outcome can't be 'ok'",
    ),
    "an error of nobody": (
        HEAD + "jobs: [{name: a}]\nexpect: {errors: {«b: 'ValueError: *'}}\n",
        "no job or scheduler matches 'b': there are 'a'",
    ),
    "a status of nobody": (
        HEAD + "jobs: [{name: golgi}]\nexpect: {statuses: {«golgy: success}}\n",
        "no job matches 'golgy': the nearest one is 'golgi'",
    ),
    "a result of nobody": (
        HEAD + "expect: {results: {«b: 1}}\n",
        "no job matches 'b': there are no jobs",
    ),
    "nobody ran on a rank": (
        HEAD + "jobs: [{name: a}]\nexpect: {ran_on: {«b: 1}}\n",
        "no job matches 'b': there are 'a'",
    ),
    "ran on a rank that is not there": (
        HEAD + "jobs: [{name: a}]\nexpect: {ran_on: {a: «5}}\n",
        "rank 5 is not there: there are ranks 0 to 2",
    ),
    "an order of nobody": (
        HEAD + "jobs: [{name: a}]\nexpect: {order: [a starts, «b starts]}\n",
        "no job matches 'b': there are 'a'",
    ),
    "a lost rank that is not there": (
        HEAD + "expect: {order: [«rank 8 is lost]}\n",
        "rank 8 is not there: there are ranks 0 to 2",
    ),
    "the begin of a phase that is not there": (
        HEAD + "expect: {order: [«phase b begins]}\n",
        "phase 'b' is not there: there are no phases",
    ),
    "freed on a rank that is not there": (
        HEAD + "expect: {freed: {«5: []}}\n",
        "rank 5 is not there: there are ranks 0 to 2",
    ),
    "freed what is not there": (
        HEAD + "strategies: {g: {cached: [load]}}\nexpect: {freed: {1: [«g.lod at the end]}}\n",
        "cached item 'g.lod' is not there: the nearest one is 'g.load'",
    ),
    "freed before nobody": (
        HEAD + "strategies: {g: {cached: [load]}}\nexpect: {freed: {1: [«g.load before a]}}\n",
        "no job matches 'a': there are no jobs",
    ),
    "loaded what is not there": (
        HEAD + "strategies: {g: {cached: [load]}}\nexpect: {loaded: {«g.lod: 1}}\n",
        "cached item 'g.lod' is not there: the nearest one is 'g.load'",
    ),
    "a timeout of nothing": (
        HEAD + "jobs: [{name: a, timeout: «0s}]\n" + TAIL,
        "a timeout is a time above 0, such as 10s",
    ),
    "a job_timeout of nothing": (
        HEAD + "pool: {job_timeout: «0s}\n" + TAIL,
        "job_timeout is a time above 0, such as 10s",
    ),
    "an event when a rank is lost that is not there": (
        HEAD + "jobs: [{name: a}]\nevents: [{when: «rank 3 is lost, kill: 1}]\n" + TAIL,
        "rank 3 is not there: there are ranks 0 to 2",
    ),
    "an event when a phase begins that is not there": (
        HEAD + "workflow: [one]\nevents: [{when: «phase onne begins, kill: 1}]\n" + TAIL,
        "phase 'onne' is not there: the nearest one is 'one'",
    ),
    "a listener that waits for what it is not told of": (
        HEAD + "pool: {listeners: [{raises: {«rank 2 is lost: KeyError}}]}\n" + TAIL,
        "a listener is told of jobs and of pings, and not that rank 2 is lost: wait for one of those",
    ),
    "a listener that cancels when it is told of nothing": (
        HEAD + "workflow: [b]\npool: {listeners: [{name: l}]}\njobs: [{name: a}]\n"
        "events: [{when: «phase b begins, cancel: a, by: l}]\n" + TAIL,
        "a listener is told of jobs and of pings, and not that phase b begins: wait for one of those",
    ),
    "a recording that is not there": (
        HEAD + "recording: «nowhere.json\n" + TAIL,
        "no recording can be taken from there: nowhere.json: can't be read: No such file or directory",
    ),
    "a recording that is none": (
        HEAD + "recording: «bad.yaml\n" + TAIL,
        "no recording can be taken from there: bad.yaml:1:1: is not JSON, so no recorded run: Expecting value",
    ),
    "a recording of more pools than there are phases": (
        HEAD + "workflow: [placement]\nrecording: «two_pools.json\n" + TAIL,
        "this recording has 2 pools, and each is a phase: name them under workflow, such as [placement, connectivity]",
    ),
    "a strategy with the name of that of a recording": (
        HEAD + "workflow: [a, b]\nrecording: two_pools.json\nstrategies:\n  «recorded: {cached: [load]}\n" + TAIL,
        "this is the strategy of the recording's own items: take another",
    ),
    "a job with the name of one of a recording": (
        HEAD + "workflow: [a, b]\nrecording: two_pools.json\njobs: [{name: «golgi 0}]\n" + TAIL,
        "job 'golgi 0' is there already, on line 4: names are unique",
    ),
    "a count of what is no status": (
        HEAD + "expect: {counts: {«done: 1}}\n",
        "'done' is none of pending, queued, running, success, failed, cancelled, aborted or not queued",
    ),
    "others with a job left out": (
        HEAD + "jobs: [{name: a}, {name: b}]\nexpect: {statuses: {a: success}, «others: none}\n",
        "'others: none' goes with the status of each job, and 'b' has none: add it to statuses",
    ),
}


def recorded(id, kind):
    return {
        "id": id,
        "kind": kind,
        "name": "golgi",
        "args": "",
        "deps": [],
        "cache_items": [],
        "status": "success",
        "error": None,
        "started": 0.0,
        "ended": 1.0,
    }


TWO_POOLS = {
    "ranks": 2,
    "elapsed": 2.0,
    "error": None,
    "jobs": [recorded(0, "PlacementJob"), recorded(1, "ConnectivityJob")],
}


@pytest.fixture
def error(tmp_path, monkeypatch):
    """Loads a text, and gives the error that it is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two_pools.json").write_text(json.dumps(TWO_POOLS))

    def error(text):
        (tmp_path / "bad.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ScenarioError) as caught:
            load("bad.yaml")
        return caught.value

    return error


@pytest.mark.parametrize(("text", "message"), CASES.values(), ids=CASES)
def test_each_bad_input_is_one_error_with_its_place_and_what_would_be_right(error, text, message):
    before, mark, after = text.partition("«")
    assert mark
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert str(error(before + after)) == f"bad.yaml:{line}:{column}: {message}"


@pytest.mark.parametrize("parser", ["fast", "pure"])
@pytest.mark.parametrize("name", ["an open bracket", "a control character", "deep nesting", "two documents"])
def test_messages_do_not_depend_on_which_parser_there_is(error, monkeypatch, parser, name):
    if parser == "pure":
        from bsbpool_sim.scenario import document

        monkeypatch.setattr(document, "PARSER", yaml.SafeLoader)
    text, message = CASES[name]
    assert error(text.replace("«", "")).message == message


def test_of_several_errors_the_first_is_told(error):
    assert str(error(HEAD + "jobs: [{name: 1}, {nmae: b}]\nexpect: {outcom: ok}\n")).startswith(
        "bad.yaml:3:15: 1 stands"
    )


def test_a_huge_file_is_refused_before_it_is_read(error):
    found = error(HEAD + "about: " + "x" * LARGEST)
    assert str(found) == ("bad.yaml:1:1: is larger than 256 kB: a scenario is read by people; use repeat for many jobs")


def test_what_is_not_text_is_refused(error):
    assert str(error(b"scenario: x\nranks: \xff\n")) == "bad.yaml:2:1: is not text in UTF-8, as a scenario is"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ScenarioError, match=r"nowhere.yaml:1:1: can't be read: No such file or directory"):
        load(tmp_path / "nowhere.yaml")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + (HEAD + TAIL).encode())
    assert load(tmp_path / "a.yaml").title == "It is wrong"


def test_no_code_of_the_file_runs(error, tmp_path):
    error(HEAD + f"jobs: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']\n" + TAIL)
    assert not (tmp_path / "made").exists()


# -- all at once ---------------------------------------------------------------------------------------

MANY = """\
scenario: Much is wrong
ranks: 3
slow: {7: 2}
pool: {job_timeout: 5}
strategies:
  go.lgi: {}
jobs:
  - {name: a, takes: 1, hangs: true, kills: true}
  - {name: b, after: aa}
  - {nam: c}
  - {name: d, kind: placement}
  - {name: d}
  - {name: e, timeout: 0s}
events:
  - {at: 1s, kill: 9}
  - {when: a does, cancel: a}
"""


def lines_of(found):
    return [each.line for each in (found, *found.others)]


@pytest.mark.parametrize("expect", ["", "expect: {counts: {succes: 1}}\n"], ids=["no expect", "a wrong expect"])
def test_all_mistakes_are_told_at_once_each_with_its_line(error, expect):
    found = error(MANY + expect)
    assert [*dict.fromkeys(lines_of(found))] == ([1] if not expect else []) + [3, 4, 6, 8, 10, 11, 12, 13, 15, 16] + (
        [17] if expect else []
    )
    assert str(found).count("bad.yaml:") == str(found).count("\n") + 1


def test_a_missing_expect_hides_no_mistake_between_parts(error):
    found = error(HEAD + "jobs:\n  - {name: a, after: bb}\n  - {name: b, after: a}\n  - {name: b}\n")
    assert lines_of(found) == [1, 4, 6]


#: With a mistake in it each says what names there are in the file: the mistake, and the lines of all mistakes.
@pytest.mark.parametrize(
    ("jobs", "lines"),
    [
        ("  - {name: a, takes: 1}\n", [1, 4, 5, 6, 7]),  # its name is known all the same
        ("  - {name: a, deps: []}\n", [1, 4, 5, 6, 7]),
        ("  - {nmae: a}\n", [1, 4, 4, 6, 7]),  # what waits for 'b' may be right when this is
        ("  - {name: 'a{i}', repeat: x}\n", [1, 4, 6, 7]),
        ("  - a\n", [1, 4, 6, 7]),
    ],
)
def test_a_mistake_hides_no_name_that_is_missing_all_the_same(error, jobs, lines):
    found = error(
        HEAD + f"jobs:\n{jobs}  - {{name: c, after: b}}\nschedulers: [{{name: s, depends_on: t}}]\n"
        "events: [{at: 1s, cancel: c, by: ear}]\n"
    )
    assert lines_of(found) == lines


def test_what_may_be_named_where_a_part_is_unreadable_is_not_called_missing(error):
    found = error(HEAD + "jbos: [{name: b}]\njobs: [{name: a, after: b}]\n" + TAIL)
    assert lines_of(found) == [3]


def test_all_mistakes_between_parts_are_told(error):
    found = error(
        HEAD
        + "jobs:\n  - {name: a, after: [bb, c*]}\n  - {name: b, after: a}\n  - {name: b}\nevents:\n"
        + "  - {when: x starts, kill: 5}\n"
        + "expect: {statuses: {y: success}, ran_on: {a: 3}}\n"
    )
    assert lines_of(found) == [4, 4, 6, 8, 8, 9, 9]


def test_a_mistake_in_one_entry_hides_none_of_the_others_in_its_list(error):
    found = error(
        HEAD
        + "jobs: [{name: a}]\nevents:\n  - {at: 1s, kill: 1, pause: 2}\n  - {kill: 1}\n  - {at: 1s}\n"
        + "  - {at: 1s, kill: 1, cancel: a}\nexpect: {order: [a sleeps, b starts, a starts, c ends]}\n"
    )
    assert lines_of(found) == [5, 6, 7, 8, 9, 9, 9]


def test_a_wrong_entry_hides_no_name_of_its_list(error):
    found = error(
        HEAD
        + "jobs: [{name: a}, {name: b, after: [nobody, 3, other]}]\nevents: [{at: 1s, cancel: [zed, [1], a]}]\n"
        + TAIL
    )
    assert [(each.line, each.column, each.message.split(":")[0]) for each in (found, *found.others)] == [
        (3, 36, "['nobody', 3, 'other'] is no name"),
        (3, 37, "no job matches 'nobody'"),
        (3, 48, "no job matches 'other'"),
        (4, 27, "['zed', [1], 'a'] is no name"),
        (4, 28, "no job matches 'zed'"),
    ]


def test_mistakes_of_the_yaml_are_told_with_those_of_values(error):
    found = error(HEAD + "ranks: 4\njobs: [{name: a, after: *b}, {name: b, takes: 1}]\n" + TAIL)
    assert [each.message.split(":")[0] for each in (found, *found.others)] == [
        "'ranks' stands here a second time",
        "*b is an alias, which scenarios do without",
        "1 has no unit",
    ]


def test_what_comes_before_text_that_is_no_yaml_is_told_too(error):
    found = error(HEAD + "ranks: 4\nabout: &x y\njobs: [\n")
    assert lines_of(found) == [3, 4, 6]


def test_the_mistake_of_an_entry_that_stands_for_many_jobs_is_told_once(error):
    found = error(
        HEAD + "jobs: [{name: 'a{i}', repeat: 500, after: b}, {name: 'c{i}', repeat: 9, after: 'c{i}'}]\n" + TAIL
    )
    assert lines_of(found) == [3, 3]


def test_very_many_mistakes_are_counted(error):
    found = error(HEAD + "jobs:\n" + "  - {nam: x}\n" * 500 + TAIL)
    assert len(found.others) == 999
    assert str(found).splitlines()[-1] == "and 900 more mistakes"


#: Files with a mistake of indentation or of punctuation: the line, from 1, and a word of what would be right.
SYNTAX = {
    "a key further right": ("scenario: x\nranks: 3\n  jobs: []\nexpect: {}\n", 3, "same column"),
    "a key further left": ("  scenario: x\n  ranks: 3\n jobs: []\nexpect: {}\n", 3, "same column"),
    "an entry further right": (HEAD + "jobs:\n  - name: a\n    - name: b\n" + TAIL, 5, "same column"),
    "an entry further left": (HEAD + "jobs:\n  - name: a\n - name: b\n" + TAIL, 5, "same column"),
    "a key of an entry further left": (HEAD + "jobs:\n  - name: a\n   takes: 1s\n" + TAIL, 5, "same column"),
    "a list entry among keys": (HEAD + "- a\n" + TAIL, 3, "'key: value'"),
    "a line without colon": (HEAD + "jobs\n" + TAIL, 3, "no colon"),
    "a key without blank behind its colon": (HEAD + "jobs:[]\n" + TAIL, 3, "no colon"),
    "an open quote": (HEAD + "about: 'it\n" + TAIL, 3, "same quote"),
    "an open double quote": (HEAD + 'about: "it\n' + TAIL, 3, "same quote"),
    "an open brace": (HEAD + "pool: {fail_fast: true\n" + TAIL, 4, "write }"),
    "an escape that is none": (HEAD + 'about: "C:\\data"\n' + TAIL, 3, "single quotes"),
    "an at sign": (HEAD + "about: @me\n" + TAIL, 3, "in quotes"),
    "a backtick": (HEAD + "about: `x`\n" + TAIL, 3, "in quotes"),
    "a percent sign": (HEAD + "about: %x\n" + TAIL, 3, "in quotes"),
    "an empty place in a list": (HEAD + "jobs: [{name: a},, {name: b}]\n" + TAIL, 3, "a value is missing"),
    "a bracket too many": (HEAD + "jobs: []]\n" + TAIL, 3, ""),
    "a list on the line of its key": (HEAD + "jobs: - name: a\n" + TAIL, 3, "below its key"),
    "words behind a bar": (HEAD + "about: | it\n  goes on\n" + TAIL, 3, "next one"),
    "a tag without end": (HEAD + "about: !<x\n" + TAIL, 3, "in quotes"),
    "text after a mapping in braces": ("{scenario: x}\nranks: 2\n", 2, ""),
}


@pytest.mark.parametrize("name", SYNTAX)
def test_what_is_no_yaml_is_told_in_words_of_ours(error, name):
    text, line, right = SYNTAX[name]
    found = error(text)
    assert found.line == line
    assert right in found.message
    for word in ("<block", "token", "scalar", "found", "expected", "while ", "but got", "node content"):
        assert word not in found.message
