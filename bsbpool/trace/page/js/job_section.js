// What the panel tells of one job, and how jobs are listed there.

import {choose, neighbour} from "./actions.js";
import {colours} from "./colours.js";
import {jobTitle, rankName, statusOf} from "./describing.js";
import {button, byId, element, pairs, section} from "./elements.js";
import {duration, grouped, many} from "./numbers.js";
import {trace} from "./state.js";
import {cachesAt} from "./tracks.js";

// A button that shows a job.
export function jobButton(job, text = null) {
  return button(text || `${jobTitle(job)}, ${trace.rank[job] >= 0 ? rankName(trace.rank[job]) : statusOf(job)}`, () =>
    choose(job, {show: true}),
  );
}

// So many of some jobs, as buttons.
export function jobList(jobs, most, text) {
  const rows = jobs.slice(0, most).map(job => element("li", {}, jobButton(job, text && text(job))));
  if (jobs.length > most) rows.push(element("li", {class: "soft"}, `and ${grouped(jobs.length - most)} more`));
  return element("ul", {}, ...rows);
}

// What stands for a strategy: its colour.
export const swatch = name => element("i", {"data-name": name, colour: colours.css[name]});

export function jobSection(job) {
  const ran = trace.rank[job] >= 0,
    error = trace.errors[trace.error[job]],
    took = trace.end[job] - trace.start[job],
    strategy = trace.by[trace.name[job]];
  const deps = [...trace.deps.subarray(trace.depStart[job], trace.depStart[job + 1])],
    next = [...trace.next.subarray(trace.nextStart[job], trace.nextStart[job + 1])];
  const mean = strategy.ran ? strategy.total / strategy.ran : 0;
  const compared = mean && strategy.ran > 1 ? `, ${(took / mean).toFixed(2)} times the mean` : "";
  const lost = trace.tries.filter(([other]) => other === job).map(([, rank]) => rankName(rank));
  const rows = [
    ["Tries", lost.length ? `it was lost with ${lost.join(", ")}, and tried again` : null],
    ["Status", statusOf(job) + (trace.onPath[job] ? ", on the critical path" : "")],
    ["Rank", ran ? rankName(trace.rank[job]) : "it did not run"],
    ["Took", !ran ? null : duration(took) + (trace.isCut[job] ? " up to where it was cut off" : compared)],
    ["Ready", duration(trace.queued[job])],
    [
      "Started",
      ran ? `${duration(trace.start[job])}, after ${duration(trace.start[job] - trace.queued[job])} of waiting` : null,
    ],
    ["Ended", duration(ran ? trace.end[job] : trace.received[job])],
    ["Context", trace.contexts[trace.context[job]]],
    ["Kind", trace.kinds[trace.kind[job]]],
    ["Pool", trace.pools.length > 1 ? trace.pools[trace.pool[job]].id : null],
  ];
  const cache = trace.caches[trace.cache[job]],
    parts = [];
  if (error) parts.push(element("p", {class: "error"}, error));
  parts.push(...places(trace.raised[job]));
  parts.push(pairs(rows));
  if (ran)
    parts.push(
      element(
        "p",
        {class: "links"},
        button("← before on this rank", () => neighbour(-1)),
        button("after →", () => neighbour(1)),
        button("Zoom to it", () => choose(job, {close: true})),
      ),
    );
  parts.push(element("h3", {}, `Depends on ${many(deps.length, "job")}`), jobList(deps, 60));
  parts.push(
    element("h3", {}, `${many(next.length, "job")} depend${next.length === 1 ? "s" : ""} on it`),
    jobList(next, 60),
  );
  if (ran) {
    const held = cachesAt(trace, trace.start[job])[trace.rank[job]],
      items = held ? [...held].sort((a, b) => a - b) : [];
    parts.push(element("h3", {}, `Cached on its rank when it started: ${many(items.length, "item")}`));
    if (items.length) parts.push(element("p", {}, some(items)));
  }
  if (cache.length) parts.push(element("h3", {}, "Requires from the cache"), element("p", {}, some(cache)));
  return section(
    [
      swatch(trace.name[job]),
      jobTitle(job),
      button(
        "Close",
        () => {
          choose(-1);
          byId("overlay").focus();
        },
        {class: "close"},
      ),
    ],
    ...parts,
  );
}

// The first hundred of some numbers.
const some = numbers => element("code", {}, numbers.slice(0, 100).join(", ") + (numbers.length > 100 ? ", …" : ""));

// Where an error was raised in the program: file:line, which one click selects, and the frames that led there.
export function places(errors) {
  const how = {cause: "caused by", context: "while handling", member: "member of the group"};
  return (errors || [])
    .filter(([, , frames]) => frames.length)
    .flatMap(([what, text, frames], place) => {
      const [file, line, name] = frames[frames.length - 1];
      const rows = frames.map(([f, l, n]) =>
        element("li", {}, element("code", {class: "place"}, `${f}:${l}`), ` in ${n}`),
      );
      return [
        element(
          "p",
          {class: "raised"},
          place ? `${how[what] || "raised"} ${text}, at ` : "raised at ",
          element("code", {class: "place", title: "Click to select, to copy it"}, `${file}:${line}`),
          ` in ${name}`,
        ),
        frames.length > 1
          ? element(
              "details",
              {},
              element("summary", {}, `${many(frames.length, "frame")}, outermost first`),
              element("ol", {}, ...rows),
            )
          : null,
      ].filter(Boolean);
    });
}

// Where the error of a job was raised, for a list.
export function placeOf(job) {
  const frames = trace.raised[job] && trace.raised[job][0][2];
  return frames && frames.length ? `, raised at ${frames[frames.length - 1].slice(0, 2).join(":")}` : "";
}
