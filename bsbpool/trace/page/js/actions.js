// What can be done to the page, by whatever hand: moving, zooming, choosing.

import {jobTitle, rankName, statusOf} from "./describing.js";
import {say} from "./elements.js";
import {fitLanes, keep, lanesH, lanesY} from "./layout.js";
import {duration, many} from "./numbers.js";
import {changed, chosen, trace, view} from "./state.js";

export function zoom(factor, at = (view.t0 + view.t1) / 2) {
  const share = (at - view.t0) / (view.t1 - view.t0),
    width = (view.t1 - view.t0) * factor;
  view.t0 = at - share * width;
  view.t1 = view.t0 + width;
  keep();
  changed("picture");
}

export function zoomLanes(factor, y = lanesY() + lanesH() / 2) {
  const rank = (y - lanesY() + view.scroll) / view.lane;
  view.lane *= factor;
  keep();
  view.scroll = rank * view.lane - (y - lanesY());
  keep();
  changed("picture");
}

export function move(share, pixels = 0) {
  const by = (view.t1 - view.t0) * share;
  view.t0 += by;
  view.t1 += by;
  view.scroll += pixels;
  keep();
  changed("picture");
}

export function showAll() {
  Object.assign(view, {t0: 0, t1: trace.span});
  fitLanes();
  keep();
  changed("picture");
}

export function showTime(t0, t1) {
  Object.assign(view, {t0, t1});
  keep();
  changed("picture");
}

// Brings a job into view; closer if asked.
function reveal(job, close = false) {
  if (trace.rank[job] < 0) return;
  const took = Math.max(1, trace.end[job] - trace.start[job]),
    width = view.t1 - view.t0;
  if (close || took / width < 0.004) {
    const wide = close ? took * 5 : Math.min(width, took * 60);
    view.t0 = trace.start[job] - (wide - took) / 2;
    view.t1 = view.t0 + wide;
  } else if (trace.end[job] < view.t0 || trace.start[job] > view.t1) {
    view.t0 = trace.start[job] - width / 2;
    view.t1 = view.t0 + width;
  }
  if (view.lane < 13) view.lane = 16;
  const y = trace.rank[job] * view.lane;
  if (y < view.scroll || y + view.lane > view.scroll + lanesH()) view.scroll = y - lanesH() / 2;
  keep();
}

// Chooses a job, or none (-1); brings it into view, or close, if asked.
export function choose(job, {show = false, close = false} = {}) {
  chosen.job = job;
  chosen.time = null;
  if (job >= 0 && (show || close)) reveal(job, close);
  changed("picture", "panel");
  if (job >= 0) {
    const ran = trace.rank[job] >= 0;
    const where = ran ? ` on ${rankName(trace.rank[job])}, ${duration(trace.end[job] - trace.start[job])}` : "";
    say(`${jobTitle(job)}: ${statusOf(job)}${where}`);
  }
}

// Chooses the job before (-1) or after (1) the chosen one on its rank.
export function neighbour(by) {
  if (chosen.job < 0 || trace.rank[chosen.job] < 0) {
    if (trace.ran) choose(trace.laneJobs[0], {show: true});
    return;
  }
  const rank = trace.rank[chosen.job],
    k = trace.place[chosen.job] + by;
  if (k >= trace.laneStart[rank] && k < trace.laneStart[rank + 1]) choose(trace.laneJobs[k], {show: true});
}

// Chooses the next (1) or the last (-1) of some jobs.
export function stepThrough(list, by) {
  if (!list.length) return;
  const at = list.indexOf(chosen.job);
  choose(list[at < 0 ? (by > 0 ? 0 : list.length - 1) : (at + by + list.length) % list.length], {show: true});
}

export function togglePath() {
  Object.assign(chosen, {path: !chosen.path, idle: false});
  changed("picture", "panel", "buttons");
  say(chosen.path ? `The critical path: ${many(trace.path.length, "job")}` : "All jobs");
}

// Tells what was cached at a time.
export function chooseTime(t) {
  Object.assign(chosen, {job: -1, time: t});
  changed("picture", "panel");
}

// Shows in the lanes why ranks idled, or jobs again.
export function toggleIdle() {
  Object.assign(chosen, {idle: !chosen.idle, path: false, job: -1, time: null});
  changed("picture", "panel", "buttons");
  say(chosen.idle ? `Why ranks idled: ${duration(trace.idle.total)} in all` : "All jobs");
}
