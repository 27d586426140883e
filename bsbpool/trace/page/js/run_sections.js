// What the panel tells of the run: failures, strategies, the critical path, pools, ranks, caches, its header.

import {choose, showTime} from "./actions.js";
import {jobTitle, rankName} from "./describing.js";
import {button, element, pairs, row, say, section, table} from "./elements.js";
import {jobList, placeOf, places, swatch} from "./job_section.js";
import {duration, grouped, many, percent} from "./numbers.js";
import {trace} from "./state.js";
import {cachesAt} from "./tracks.js";

function tellFailure(job) {
  const where = `${jobTitle(job)}, ${rankName(trace.rank[job])}, at ${duration(trace.received[job])}${placeOf(job)}`;
  return `✗ ${trace.errors[trace.error[job]]} — ${where}`;
}

function tellRunning(job) {
  const context = trace.contexts[trace.context[job]];
  const since = `since ${duration(trace.start[job])}, for ${duration(trace.end[job] - trace.start[job])}`;
  return `… ${jobTitle(job)}, ${rankName(trace.rank[job])}, ${since}${context ? `: ${context}` : ""}`;
}

// The jobs that ran when the run was killed, or its trace was cut.
export function runningSection() {
  if (!trace.running.length) return null;
  return section(
    `${many(trace.running.length, "job")} ran where the trace stops`,
    jobList(trace.running, 100, tellRunning),
  );
}

export function failureSection() {
  if (!trace.failures.length && !trace.others.length) return null;
  const others = trace.others
    .slice(0, 100)
    .flatMap(errors => [element("p", {class: "error"}, errors[0][1]), ...places(errors)]);
  return section(many(trace.failures.length, "failure"), jobList(trace.failures, 100, tellFailure), ...others);
}

export function strategySection() {
  if (!trace.by.length) return section("No jobs", element("p", {class: "soft"}, "Nothing was queued in this trace."));
  const order = trace.by
    .map((_, k) => k)
    .sort((a, b) => trace.by[b].total - trace.by[a].total)
    .slice(0, 200);
  const rows = order.map(k => {
    const s = trace.by[k],
      some = s.ran > 0,
      slowest = s.longest;
    const more = [
      many(s.jobs, "job"),
      s.failed ? `${grouped(s.failed)} failed` : null,
      some ? `mean ${duration(s.total / s.ran)}` : s.cut ? null : "none ran",
      s.cut ? `${grouped(s.cut)} cut off` : null,
    ]
      .filter(Boolean)
      .join(", ");
    return element(
      "li",
      {},
      element(
        "div",
        {class: "row"},
        swatch(k),
        element("span", {}, s.short),
        element("b", {}, some ? duration(s.total) : "·"),
      ),
      element(
        "div",
        {class: "row soft"},
        element("span", {}, more),
        some
          ? button(
              `slowest ${duration(trace.end[slowest] - trace.start[slowest])}`,
              () => choose(slowest, {show: true}),
              {"aria-label": `Show the slowest job of ${s.short}`},
            )
          : "",
      ),
    );
  });
  return section("Strategies, by time in total", element("ul", {class: "rows"}, ...rows));
}

function tellStep(job) {
  return `${jobTitle(job)}: ${duration(trace.end[job] - trace.start[job])} on ${rankName(trace.rank[job])}`;
}

export function pathSection() {
  const each = trace.pools.length > 1 ? ", of each pool" : "";
  const chain =
    `${many(trace.path.length, "job")}, ${duration(trace.critical * 1e9)}: the longest chain of jobs that wait ` +
    `for each other${each}. However many ranks there are, it takes no less.`;
  return section("Critical path", element("p", {class: "soft"}, chain), jobList(trace.path, 200, tellStep));
}

function tellPool(pool) {
  const took = duration((pool.ended ?? trace.span) - pool.opened);
  return `Pool ${pool.id}: ${many(pool.jobs, "job")}, ${took}, from ${duration(pool.opened)}`;
}

export function poolSection() {
  if (trace.pools.length < 2 && !trace.pools.some(pool => pool.error || pool.ended === null)) return null;
  const rows = trace.pools.slice(0, 100).map(pool =>
    element(
      "li",
      {},
      button(tellPool(pool), () => showTime(pool.opened, pool.ended ?? trace.span)),
      pool.ended === null ? element("p", {class: "soft"}, "The trace stops before it ended.") : null,
      pool.error ? element("p", {class: "error"}, pool.error) : null,
    ),
  );
  return section(many(trace.pools.length, "pool"), element("ul", {}, ...rows));
}

export function rankSection() {
  const workers = Array.from({length: trace.ranks}, (_, rank) => rank).filter(
    rank => rank || trace.ranks === 1 || trace.laneStart[1],
  );
  if (!trace.makespan) return null;
  const order = workers.sort((a, b) => trace.busy[a] - trace.busy[b] || a - b).slice(0, 16);
  const rows = order.map(rank =>
    row([
      rankName(rank),
      grouped(trace.laneStart[rank + 1] - trace.laneStart[rank]),
      duration(trace.busy[rank]),
      duration(Math.max(0, trace.makespan - trace.busy[rank])),
      percent(trace.busy[rank] / trace.makespan),
    ]),
  );
  return section(
    trace.ranks > 17 ? "The 16 ranks that idled most" : "Ranks, that which idled most first",
    table(["Rank", "jobs", "busy", "idle", "busy"], rows),
  );
}

// What the header says of the run.
export function runSection() {
  const rows = Object.entries(trace.header)
    .filter(([key]) => !["hosts", "simulated"].includes(key))
    .slice(0, 40);
  return rows.length
    ? section(
        "The run",
        pairs(rows.map(([key, value]) => [key, value.length > 400 ? `${value.slice(0, 400)}…` : value])),
      )
    : null;
}

// What was cached at a time, and on which ranks.
export function cachesSection(t) {
  const held = cachesAt(trace, t),
    ranksOf = new Map();
  held.forEach((set, rank) => {
    for (const item of set || []) {
      if (!ranksOf.has(item)) ranksOf.set(item, []);
      ranksOf.get(item).push(rank);
    }
  });
  const rows = [...ranksOf]
    .sort((a, b) => b[1].length - a[1].length || a[0] - b[0])
    .slice(0, 200)
    .map(([item, ranks]) =>
      row([element("code", {}, String(item)), ranks.length > 8 ? many(ranks.length, "rank") : ranks.join(", ")]),
    );
  say(`${many(ranksOf.size, "item")} cached at ${duration(t)}`);
  return section(
    ["Caches at " + duration(t), button("Close", () => choose(-1), {class: "close"})],
    rows.length ? table(["Item", "on ranks"], rows) : element("p", {class: "soft"}, "No rank held an item then."),
  );
}
