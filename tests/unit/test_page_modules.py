"""The modules of the page's script: how they are joined, and each of them alone, with only what it imports.

The page as a whole is in `test_page`. What a module says of one trace is tested there; here, its rules.
"""

import base64
import json
import re
import zlib
from array import array
from itertools import pairwise
from pathlib import Path

import browser as browsers
import pytest
from test_page import example

from bsbpool.durations import duration
from bsbpool.facts import LostRank
from bsbpool.trace import Trace, read_trace
from bsbpool.trace.history import History
from bsbpool.trace.idle import idle_times
from bsbpool.trace.page.columns import page_data
from bsbpool.trace.page.joining import joined, modules
from bsbpool.trace.page.packed_data import packed

needs_browser = pytest.mark.skipif(browsers.missing() is not None, reason=str(browsers.missing()))

ROOT = Path(__file__).parents[2]
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";\n', re.MULTILINE)
TOP = re.compile(r"^(export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)


# -- joining -----------------------------------------------------------------------------------------------


def test_each_module_says_on_top_what_it_is_for():
    assert [name for name, text in modules().items() if not text.startswith("// ")] == []


def test_lines_are_no_longer_than_those_of_python():
    long = [(name, line) for name, text in modules().items() for line in text.split("\n") if len(line) > 120]
    assert long == []


def test_no_name_of_a_module_is_in_another_one():
    owners = {}
    for module, text in modules().items():
        for _, name in TOP.findall(text):
            owners.setdefault(name, []).append(module)
    # Joined, they share one scope: of two functions of one name the second would be both.
    assert {name: where for name, where in owners.items() if len(where) > 1} == {}


def test_modules_import_by_the_names_that_others_export_and_in_the_one_form_that_can_be_joined():
    texts = modules()
    exports = {module: {name for exported, name in TOP.findall(text) if exported} for module, text in texts.items()}
    for module, text in texts.items():
        imported = IMPORT.findall(text)
        assert len(imported) == len(re.findall(r"^import\b", text, re.MULTILINE)), module
        assert len(re.findall(r"^export\b", text, re.MULTILINE)) == len(exports[module]), module
        for names, other in imported:
            assert {name.strip() for name in names.split(",") if name.strip()} <= exports[other], (module, other)


def test_the_page_has_every_module_once_and_after_those_that_it_imports():
    script = joined("main")
    heads = [text.split("\n", 1)[0] for text in modules().values()]
    assert [script.count(head) for head in heads] == [1] * len(heads)
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)
    texts = modules()
    place = {module: script.index(text.split("\n", 1)[0]) for module, text in texts.items()}
    for module, text in texts.items():
        for _, other in IMPORT.findall(text):
            assert place[other] < place[module], (module, other)


# -- each of them ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browsers.browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def run(driver, tmp_path):
    """Runs code in an empty page, after one module and what that imports; gives what the code returns."""

    def run(module, code, *args, body=""):
        path = tmp_path / "empty.html"
        path.write_text(f"<!doctype html><title>empty</title><body>{body}", encoding="utf-8")
        browsers.logged(driver)
        driver.get(path.as_uri())
        made = driver.execute_script(f'"use strict";\n{joined(module)}\n{code}', *args)
        assert browsers.logged(driver) == []
        return made

    return run


@pytest.fixture(scope="module")
def data():
    """A trace as the page gets it."""
    return listed(page_data(History(example()), "run.trace"))


def listed(data):
    """The data of a page with lists for its columns, as JSON has them."""
    return json.loads(json.dumps(data, default=list))


#: 3 ranks, of which 2 have 2 jobs each, from 0 to 100 ns, in a picture of 1086 times 500 pixels.
SMALL = """
setTrace({ranks: 3, span: 100, count: 4, tracks: [], name: [0, 0, 1, 1], onPath: [0, 1, 0, 1], rank: [1, 1, 2, 2],
  start: [0, 50, 10, 80], end: [40, 90, 70, 81], place: [0, 1, 2, 3], ran: 4, laneStart: [0, 0, 2, 4],
  laneJobs: [0, 1, 2, 3], laneS: [0, 50, 10, 80], laneE: [40, 90, 70, 81], laneLook: [0, 0, 0, 3],
  by: [{short: "a"}, {short: "b"}], pools: [{id: "1"}], pool: [0, 0, 0, 0], id: [0, 1, 2, 3], statuses: ["success"],
  status: [0, 0, 0, 0]});
Object.assign(size, {width: 1086, height: 500});
"""


@needs_browser
def test_durations_are_those_of_the_terminal(run):
    times = [0, 1, 99, 999, 1000, 9_994, 9_995, 99_949_999, 999_949_999, 10**9, 5_405 * 10**6, 36 * 10**11]
    assert run("numbers", "return arguments[0].map(duration)", times) == [duration(ns / 1e9) for ns in times]


@needs_browser
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("many(1, 'job')", "1 job"),
        ("many(1200, 'job')", "1,200 jobs"),
        ("percent(0.0512)", "5.1%"),
        ("percent(0.512)", "51%"),
        ("roundStep(3)", 5),
        ("roundStep(0.11)", pytest.approx(0.2)),
        ("clock(1.5e9, 5e8, 3e9)", "1.5 s"),
        ("clock(1500, 100, 2000)", "1.5 µs"),
    ],
)
def test_numbers_are_as_people_read_them(run, code, said):
    assert run("numbers", f"return {code}") == said


@needs_browser
def test_the_last_that_is_not_above_is_found_in_any_part_of_a_list(run):
    numbers = [1, 3, 3, 7]
    found = run("sorted", "return [0, 1, 2, 3, 6, 7, 9].map(x => last(arguments[0], x))", numbers)
    assert found == [-1, 0, 0, 2, 2, 3, 3]
    assert run("sorted", "return last(arguments[0], 9, 1, 3)", numbers) == 2
    assert run("sorted", "return last(arguments[0], 0, 1, 3)", numbers) == 0  # the one before that part


@needs_browser
def test_what_was_packed_is_unpacked_again(run, data):
    keys = ("pool", "id", "rank", "queued", "start", "end", "received", "depStart", "deps", "status")
    trace = run(
        "unpack",
        "const d = unpack(arguments[0]); return Object.fromEntries(arguments[1].map(key => [key, [...d[key]]]))",
        data,
        keys,
    )
    history = History(example())
    jobs = [(pool, job) for pool in history.pools for job in pool.jobs.values()]
    assert list(zip(trace["pool"], trace["id"], strict=True)) == [(pool.place, job.id) for pool, job in jobs]
    at = 0
    firsts = [sum(len(pool.jobs) for pool in history.pools[:place]) for place in range(len(history.pools))]
    for number, (pool, job) in enumerate(jobs):
        interval = job.interval(history.last)
        assert trace["rank"][number] == (-1 if interval is None else job.rank)
        assert trace["queued"][number] == job.queued - history.first
        if interval is not None:
            assert [trace["start"][number], trace["end"][number]] == [t - history.first for t in interval]
        deps = trace["deps"][at : trace["depStart"][number + 1]]
        at = trace["depStart"][number + 1]
        assert deps == [firsts[pool.place] + dep for dep in job.deps]


@needs_browser
@pytest.mark.parametrize("column", [[], [0, 127, -128], [255, -129], [2**23 - 1, -(2**31)], [2**53, -(2**53), 7]])
def test_columns_are_made_of_planes_of_bytes(run, column):
    text = "".join(
        f'<script id="{id}">{part}</script>' for id, part in zip("dc", packed({"a": array("q", column)}), strict=True)
    )
    data, planes = (zlib.decompress(base64.b64decode(part)) for part in re.findall(r">([^<]+)<", text))
    code = "const data = arguments[0]; addColumns(data, Uint8Array.from(arguments[1])); return [...data.a]"
    assert run("columns", code, json.loads(data), list(planes)) == column


@needs_browser
def test_a_job_knows_those_that_depend_on_it(run, data):
    dependents = run(
        "unpack", "const d = unpack(arguments[0]); return [...d.next.subarray(d.nextStart[3], d.nextStart[4])]", data
    )
    assert dependents == [4]


@needs_browser
def test_bars_of_a_rank_are_in_the_order_in_which_they_started_also_those_of_a_lost_try(run):
    code = """
    const d = {count: 2, ranks: 2, rank: [1, 1], start: [50, 0], end: [60, 10], look: [0, 0], tries: [[0, 1, 20, 5]]};
    addLanes(d);
    return [[...d.laneJobs], [...d.laneS], [...d.laneE], [...d.reach], [...d.place], [...d.laneLook]];
    """
    assert run("unpack", code) == [[1, 0, 0], [0, 20, 50], [10, 25, 60], [10, 25, 60], [2, 0], [0, 1, 0]]


@needs_browser
def test_how_many_overlap_is_counted_at_each_start_and_end(run):
    made = run(
        "tracks",
        "const {t, v} = stepsOf(...arguments[0].map(times => Float64Array.from(times))); return [[...t], [...v]]",
        [[0, 5, 10, 30], [10, 15, 20, 30]],
    )
    assert made == [[0, 0, 5, 10, 15, 20, 30], [0, 1, 2, 2, 1, 0, 0]]


@needs_browser
def test_a_rank_has_cached_what_it_took_and_did_not_free(run):
    code = """
    const d = {ranks: 2, changed: [[1, 2], [2], []], changeT: [0, 10, 20],
      changes: {t: [0, 10, 10], rank: [1, 1, 0], what: [1, 0, -1], items: [0, 1, 2]}};
    return [5, 15, 25].map(t => cachesAt(d, t).map(held => held && [...held]));
    """
    assert run("tracks", code) == [[None, [1, 2]], [None, [1]], [None, None]]


@needs_browser
def test_who_listens_is_told_and_nobody_else(run):
    code = """
    const heard = [];
    on("panel", () => heard.push("panel"));
    on("picture", () => heard.push("picture"));
    changed("picture");
    changed("overlay", "panel");
    return heard;
    """
    assert run("state", code) == ["picture", "panel"]


@needs_browser
@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        ("{}", None),
        ("{path: true}", [1, 3]),
        ("{names: new Set([0])}", [0, 1]),
        ("{names: new Set([0]), path: true}", [1]),
        ("{found: [0, 0, 1, 1]}", [2, 3]),
    ],
)
def test_what_is_not_chosen_is_dimmed(run, chosen, shown):
    code = f"Object.assign(chosen, {chosen}); const dim = dimmed(); return dim && [0, 1, 2, 3].filter(job => !dim(job))"
    assert run("state", SMALL + code) == shown


@needs_browser
def test_pixels_and_times_belong_to_each_other(run):
    assert run("layout", SMALL + "return [0, 25, 100].map(t => timeAt(xOf(t)))") == [0, 25, 100]
    assert run("layout", SMALL + "return xOf(100) - xOf(0)") == 1000


@needs_browser
def test_the_view_is_brought_back_to_where_something_is(run):
    code = "Object.assign(view, arguments[0]); keep(); return view"
    back = run("layout", SMALL + code, {"t0": -50, "t1": 20, "lane": 1000, "scroll": -5})
    assert (back["t0"], back["t1"], back["scroll"]) == (0, 70, 0)
    assert back["lane"] == run("layout", SMALL + "return Math.max(TALLEST, fitLane())")
    back = run("layout", SMALL + code, {"t0": 90, "t1": 500, "lane": 20, "scroll": 10**6})
    assert (back["t0"], back["t1"]) == (0, 100)


@needs_browser
def test_the_job_under_a_point_is_found_and_a_failed_one_first(run):
    code = """
    fitLanes();
    const at = (t, rank) => jobAt(xOf(t), laneY(rank) + view.lane / 2);
    return [at(20, 1), at(60, 1), at(45, 1), at(20, 2), at(80.5, 2), at(79.8, 2), at(50, 0)];
    """
    assert run("layout", SMALL + code) == [0, 1, -1, 2, 3, 3, -1]


@needs_browser
def test_zooming_keeps_the_time_under_the_pointer_where_it_was(run):
    code = "fitLanes(); const before = xOf(30); zoom(.5, 30); return [before, xOf(30), view.t1 - view.t0]"
    before, after, width = run("actions", SMALL + code)
    assert after == pytest.approx(before)
    assert width == 50


@needs_browser
def test_choosing_walks_along_a_rank_and_through_a_list_in_a_circle(run):
    code = """
    const told = [];
    on("panel", () => told.push(chosen.job));
    choose(0);
    neighbour(1);
    neighbour(1);
    stepThrough([0, 2], 1);
    stepThrough([0, 2], -1);
    return told;
    """
    assert run("actions", SMALL + code, body="<div id=live></div>") == [0, 1, 0, 2]


@needs_browser
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", None),
        ("GAMMA", [1]),
        ("rank:2", [2]),
        ("pool:1 a", [0, 1, 2]),
        ("#1", [1]),
        ("failed", [2]),
        ("fail", [2]),
        ("suc", []),  # the beginning of a status, from 4 letters on
        ("size=3", [0, 2]),
        ("size=3 #0", [0]),
    ],
)
def test_all_words_of_a_search_are_asked_for(run, words, found):
    code = """
    setTrace({span: 1, count: 3, names: ["alpha", "gamma"], kinds: ["F"], contexts: ["size=3", "chunk=1"],
      errors: ["", "bad"],
      statuses: ["success", "failed"], name: [0, 1, 0], kind: [0, 0, 0], context: [0, 1, 0], error: [0, 0, 1],
      status: [0, 0, 1], rank: [1, 1, 2], id: [0, 1, 2], pool: [0, 0, 0], pools: [{id: "1"}]});
    const has = wordsTest(arguments[0]);
    return has && [0, 1, 2].filter(has);
    """
    assert run("search", code, words) == found


@needs_browser
def test_a_colour_is_mixed_and_known_to_be_light_or_dark(run):
    assert run("colours", "return mix(rgb('#000000'), rgb('#ff8000'), .5)") == [127.5, 64, 0]
    assert run("colours", "return [luminance([0, 0, 0]), luminance([255, 255, 255])]") == [0, pytest.approx(1)]
    assert run("colours", "return pixel([1, 2, 3])") == 0xFF030201


@needs_browser
def test_elements_are_made_of_text(run):
    code = (
        "document.body.append(section('<b>a', pairs([['t', '<i>'], ['none', null]]), table(['h'], [row(['<td>'])])));"
    )
    made = run("elements", code + "return document.body.innerHTML")
    assert "&lt;b&gt;a" in made and "&lt;i&gt;" in made and "&lt;td&gt;" in made and "none" not in made


@needs_browser
def test_the_places_of_an_error_are_lines_of_files(run):
    errors = [
        ["error", "ValueError: x", [["a.py", 3, "f"], ["b.py", 7, "g"]]],
        ["cause", "KeyError: y", [["c.py", 1, "h"]]],
    ]
    code = "document.body.append(...places(arguments[0])); return document.body.textContent.replace(/\\s+/g, ' ')"
    said = run("job_section", code, errors)
    assert said.startswith("raised at b.py:7 in g2 frames, outermost first")
    assert said.endswith("caused by KeyError: y, at c.py:1 in h")


@needs_browser
def test_however_much_changes_in_a_frame_it_is_painted_once(run):
    body = (
        "<div id=stage style='width: 300px; height: 200px'><canvas id=chart></canvas><canvas id=overlay></canvas></div>"
    )
    code = """
    for (const name of ["page", "card", "lane", "fail", "fail-ink", "dim", "c0", "c1", "c2", "c3", "c4", "c5", "c6",
      "c7", "c8", "c9"]) document.documentElement.style.setProperty(`--${name}`, "#808080");
    Object.assign(trace, {tracks: [{top: 0, t: [0], v: [0], sum: [0], label: "", colour: "track"}], marks: [],
      failures: [], reach: [40, 90, 70, 81], contexts: [], context: [-1, -1, -1, -1], pools: []});
    readColours(trace.by, []);
    beginPainting();
    frames.base.length = frames.overlay.length = 0;
    return new Promise(done => {
      changed("picture");
      changed("overlay");
      changed("picture");
      requestAnimationFrame(() => done([frames.base.length, frames.overlay.length]));
    });
    """
    assert run("painting", SMALL + code, body=body) == [1, 1]


@needs_browser
def test_causes_are_laid_out_over_columns_and_those_of_one_rank_cover_the_phases(run):
    code = """
    trace.idle = {causes: [], CAUSE: {MESSAGE: 3, BETWEEN: 4},
      groups: [{start: [0, 60], end: [50, 100], cause: [0, 1]}]};
    trace.idle.byRank = new Map([
      [1, {group: trace.idle.groups[0], gone: []}],
      [2, {group: trace.idle.groups[0], gone: [{start: 90, end: 100, cause: 2}]}],
    ]);
    Object.assign(trace, {heard: [40, 90, 80, 81], sent: [0, 45, 10, 75], reach: [40, 90, 70, 81]});
    Object.assign(view, {t0: 0, t1: 100});
    const causes = causesOfLanes(10);
    return [0, 1, 2].map(rank => [...causes(rank)].join(""));
    """
    # By column of 10 ns: phases (1, none from 50 to 60, 2); messages (4) before 50 on rank 1, and from 70 to 80 on
    # rank 2, which is gone (3) from 90 on.
    assert run("idle_lanes", SMALL + code) == ["0000000000", "1111402222", "1111102423"]


@needs_browser
def test_a_bar_fills_of_each_column_what_it_covers(run):
    code = """
    setTrace({
      count: 4, ranks: 1, by: [{}, {}], name: [0, 1, 1, 0], laneJobs: [0, 1, 2, 3], laneLook: [0, 0, 3, 0],
      laneS: [2.5, 5.25, 7, 9.5], laneE: [5.25, 5.75, 9, 12], reach: [5.25, 5.75, 9, 12], laneStart: [0, 4], span: 12,
    });
    const row = sums(10);
    addBars(row, 0, 0, 10, 0, 10, null, {thinnest: 0, gap: Infinity, cut: 0, wide: 0});
    return [[...row.busy], [...row.most], [...row.kind], [...row.look]];
    """
    assert run("bar_levels", code) == [
        [0, 0, 0.5, 1, 1, 0.75, 0, 1, 1, 0.5],
        [0, 0, 0.5, 1, 1, 0.5, 0, 1, 1, 0.5],
        [0, 0, 0, 0, 0, 1, 0, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0, 3, 3, 0],
    ]


#: 60,000 jobs that take 1 to 40 ns on 6 ranks, every 50th has failed, in a picture whose lanes have 1,000 columns.
MANY = """
const all = 60000, each = all / 6, by = [{short: "a"}, {short: "b"}, {short: "c"}];
const d = {count: all, ranks: 6, tracks: [], by};
let seed = 7;
const random = most => (seed = (seed * 48271) % 2147483647) % most;
for (const key of ["name", "laneLook", "laneS", "laneE", "laneJobs"]) d[key] = new Float64Array(all);
let at = 0;
for (let k = 0; k < all; k++) {
  if (k % each === 0) at = 0;
  d.laneJobs[k] = k;
  d.name[k] = random(3);
  d.laneLook[k] = k % 50 === 0 ? 3 : 0;
  d.laneS[k] = at += random(9);
  d.laneE[k] = at += 1 + random(40);
}
d.reach = d.laneE;
d.laneStart = [0, 1, 2, 3, 4, 5, 6].map(rank => rank * each);
d.span = Math.max(...d.laneE.filter((_, k) => k % each === each - 1));
setTrace(d);
Object.assign(size, {width: 1086, height: 500});
fitLanes();
const how = {thinnest: 1e-6, gap: Infinity, cut: 0, wide: 2};
const row = (addCells, rank, columns) => {
  const into = sums(columns);
  if (addCells) addCells(into, rank);
  else addBars(into, rank, view.t0, view.t1, 0, columns, dimmed(), how);
  return into;
};
"""


@needs_browser
@pytest.mark.parametrize("chosen", ["{}", "{names: new Set([1])}"])
@pytest.mark.parametrize("share", [1, 0.37])
def test_many_bars_are_summed_up_from_cells_as_they_are_one_by_one(run, chosen, share):
    code = f"""
    Object.assign(chosen, {chosen});
    Object.assign(view, {{t0: trace.span * .21 * (1 - {share}), t1: trace.span * ({share} + .21 * (1 - {share}))}});
    const add = cellsOfView(1000, dimmed(), 2);
    const [cells, bars] = [row(add, 3, 1000), row(null, 3, 1000)];
    const total = list => list.reduce((sum, x) => sum + x, 0);
    return [
      Math.max(...cells.busy.map((x, i) => Math.abs(x - bars.busy[i]))), total(cells.busy) / total(bars.busy),
      cells.look.filter((x, i) => x === bars.look[i] || x === bars.look[i - 1] || x === bars.look[i + 1]).length,
      total(cells.kind.map((x, i) => [i - 1, i, i + 1].some(k => (x === 3) === (bars.kind[k] === 3)) ? 1 : 0)),
      new Set(cells.kind).size,
    ];
    """
    off, total, looks, dims, kinds = run("bar_levels", MANY + code)
    assert off < 0.5  # a cell of two columns is shared between them
    assert total == pytest.approx(1, abs=0.01)
    assert looks > 990 and dims == 1000
    assert kinds == (2 if "names" in chosen else 3)


@needs_browser
def test_a_frame_takes_cells_where_bars_are_many_and_bars_where_few_are_seen(run):
    code = """
    const seen = [];
    for (const share of [1, .5, .1, .01]) {
      view.t1 = trace.span * share;
      seen.push(cellsOfView(1000, null, 2) !== null);
    }
    return seen;
    """
    # 8,192 cells for each lane: not more than a column of the last two views is long.
    assert run("bar_levels", MANY + code) == [True, True, False, False]


@needs_browser
def test_what_was_summed_up_is_kept_until_something_else_is_dimmed(run):
    code = """
    let asked = 0;
    const isDim = job => (asked++, job < 0);
    const first = cellsOfView(1000, isDim, 2) && asked;
    cellsOfView(1000, isDim, 2);
    const again = asked;
    chosen.names.add(1);
    cellsOfView(1000, isDim, 2);
    const other = asked;
    chosen.names.delete(1);
    cellsOfView(1000, isDim, 2);
    return [first, again, other, asked];
    """
    assert run("bar_levels", MANY + code) == [60_000, 60_000, 120_000, 120_000]


@needs_browser
def test_causes_of_many_phases_are_those_that_are_filled_in_last(run):
    code = """
    const count = 40000, start = [], end = [], cause = [];
    for (let k = 0; k < count; k++) {
      start.push(10 * k);
      end.push(10 * k + 9);
      cause.push(Math.floor(k / 4000) % 3);
    }
    const group = {start, end, cause};
    const byRank = new Map([[0, {group, gone: []}]]);
    trace.idle = {causes: [], CAUSE: {MESSAGE: 3, BETWEEN: 4}, groups: [group], byRank};
    trace.span = 10 * count;
    Object.assign(view, {t0: 0, t1: trace.span});
    const far = [...causesOfLanes(1000)(0)];
    Object.assign(view, {t0: 39990, t1: 40010});
    return [far.filter((value, k) => value === Math.floor(k / 100) % 3 + 1).length, [...causesOfLanes(20)(0)].join("")];
    """
    # Seen from far each column has a cause; from near there is a gap of 1 ns after each phase of 9.
    alike, near = run("idle_lanes", SMALL + code)
    assert alike >= 990
    assert near == "11111111102222222220"


#: The cause at the middle of each part of a rank's idle time, and the job that is named.
CAUSES = """
const d = unpack(arguments[0]);
return arguments[1].map(([rank, t]) => {
  const gap = gapAt(d, rank, t);
  const found = gap && causeAt(d, rank, t, gap);
  return found && [d.idle.causes[found.cause][1], found.job];
});
"""


@needs_browser
@pytest.mark.parametrize("name", ["example", "killed_only", "time_limit_format_1", "night"])
def test_why_a_rank_idled_is_what_the_library_says(run, name):
    files = {"night": ROOT / "docs" / "night" / "night.trace"}
    path = files.get(name, ROOT / "tests" / "property" / "traces" / f"{name}.trace")
    history = History(example() if name == "example" else read_trace(path))
    idle = idle_times(history)
    firsts = [sum(len(pool.jobs) for pool in history.pools[:place]) for place in range(len(history.pools))]
    asked, wanted = [], []
    for rank in idle.ranks:
        phases = idle.phases[rank.group]
        times = sorted({t for each in (*phases, *rank.stretches) for t in (each.start, each.end)})
        for start, end in pairwise(times):
            here = [each for each in rank.stretches if each.start <= start < each.end]
            here += [each for each in phases if each.start <= start < each.end]
            if here and end - start > 1:
                asked.append([rank.rank, (start + end) // 2 - history.first])
                job = firsts[here[0].pool] + here[0].job if here[0].job >= 0 else -1
                wanted.append([here[0].cause.value, job])
    assert asked
    found = run("unpack", CAUSES, listed(page_data(history, name)), asked)
    # Where the rank was busy (None), phases are those of other ranks.
    compared = [(place, each) for place, each in zip(wanted, found, strict=True) if each is not None]
    assert [place for place, _ in compared] == [each for _, each in compared]
    assert sum(rank.total for rank in idle.ranks) == 0 or compared


def test_ranks_that_were_gone_alike_are_told_of_once():
    trace = Trace({"ranks": 6, "hosts": ["a"]})
    for pool in range(2):
        t = 10 * pool
        trace.append(("pool", t, pool, 6, False, []))
        for rank in (1, 4):
            trace.append(("ready", t + 3, pool, rank))
        trace.append(("lost", t + 7, pool, 4, LostRank(4, "a", None)))
        trace.append(("end", t + 10, pool, None))
    data = page_data(History(trace), "a")["idle"]
    causes = {name: place for place, (name, _) in enumerate(data["causes"])}
    absent, lost = causes["ABSENT"], causes["LOST"]
    never, came, died = [[0, 10, absent], [10, 20, absent]], [[0, 3, absent]], [[0, 3, absent]]
    came, died = [*came, [10, 13, absent]], [*died, [7, 10, lost]]
    assert data["gone"][0] == [1, 1, came]
    assert data["gone"][1] == [2, 2, never]
    assert data["gone"][2][:2] == [1, 4] and data["gone"][2][2][:2] == died
    assert data["gone"][3] == [1, 5, never]
